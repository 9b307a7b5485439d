package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/caseflags"
	"github.com/disagg/disagg/pkg/dispatch"
	"github.com/disagg/disagg/pkg/testlist"
)

// listFlags choose the tests of a list.
func listFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "testlist", Usage: "run the tests of a `LIST` (.yml or .txt), also below the checkout"},
		&cli.StringFlag{Name: "stage", Usage: "with --testlist: only blocks for `STAGE`, pre_merge or post_merge"},
		&cli.StringFlag{Name: "gpu", Usage: "with --testlist: only blocks and waives for GPU `NAME`"},
		&cli.StringFlag{
			Name: "select", Aliases: []string{"k"}, Usage: "with --testlist: only tests whose id contains `TEXT`",
		},
		&cli.StringFlag{Name: "split", Usage: "with --testlist: the Nth of M groups, `N/M`"},
		&cli.StringFlag{Name: "waives", Usage: "with --testlist: leave out what this `LIST` waives"},
		&cli.StringFlag{
			Name: "allowance",
			Usage: "with --testlist: `TIME` that a job gets on top of its test's TIMEOUT, such as 30m; wins " +
				"over allowance in the profile",
			DefaultText: "the profile's, then 30m",
		},
		&cli.BoolFlag{Name: "strict", Usage: "with --testlist: exit with 1 if this tool cannot run a test"},
	}
}

// addList reads the list of the command line, and adds the tests that are chosen of it.
func addList(c *cli.Context, p *dispatch.Plan) (err error) {
	if c.Args().Present() {
		return errors.New("cannot run both a list and a case: leave one of them out")
	}
	p.Platform = c.String("gpu")
	if p.Request.Allowance, err = caseflags.Limit(c, "allowance"); err != nil {
		return err
	}
	f := testlist.Filter{Stage: c.String("stage"), GPU: c.String("gpu"), Contains: c.String("select")}
	if c.IsSet("split") {
		if f.Group, f.Groups, err = testlist.ParseSplit(c.String("split")); err != nil {
			return fmt.Errorf("cannot read --split: %w", err)
		}
	}
	tests, err := readList(c, c.String("testlist"))
	if err != nil {
		return err
	}
	if len(tests) == 0 {
		return fmt.Errorf("there is no test in list %s: want a test id a line (.txt), or tests: with ids (.yml)",
			c.String("testlist"))
	}
	if err := f.Check(tests); err != nil {
		return err
	}
	if p.Tests = testlist.Select(tests, f); len(p.Tests) == 0 {
		return fmt.Errorf("none of the %d tests of %s is selected: check --stage, --gpu, -k, --split", len(tests),
			c.String("testlist"))
	}
	if c.IsSet("waives") {
		p.Waives, err = readList(c, c.String("waives"))
	}
	return err
}

// readList reads a list as it is named, or below the checkout.
func readList(c *cli.Context, name string) ([]testlist.Test, error) {
	places := []string{name}
	if dir := c.String("trtllm-dir"); dir != "" && !filepath.IsAbs(name) {
		for _, below := range []string{"", "tests/integration/test_lists", "tests/integration/test_lists/test-db",
			"tests/integration/test_lists/qa"} {
			places = append(places, filepath.Join(dir, below, name))
		}
	}
	for _, place := range places {
		data, err := os.ReadFile(place)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read list: %w", err)
		}
		return testlist.Parse(place, data)
	}
	return nil, fmt.Errorf("cannot read list %s: there is no such file, nor one below the checkout", name)
}

// withoutList refuses what only says something about a list.
func withoutList(c *cli.Context) error {
	for _, f := range listFlags() {
		if name := f.Names()[0]; c.IsSet(name) {
			return fmt.Errorf("cannot use --%s with a case: it is about a list of tests (--testlist)", name)
		}
	}
	return nil
}
