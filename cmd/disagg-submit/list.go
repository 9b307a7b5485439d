package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/caseflags"
	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/atomicfile"
	"github.com/disagg/disagg/pkg/dispatch"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/pkg/testlist"
)

// listFlags choose the tests of a list.
func listFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "testlist", Usage: "run the tests of a `LIST` (.yml or .txt), also below the checkout"},
		&cli.StringFlag{Name: "stage", Usage: "of the list: `STAGE`, pre_merge or post_merge"},
		&cli.StringFlag{Name: "gpu", Usage: "of the list: `NAME` of the GPU that blocks, and waives, must be for"},
		&cli.StringFlag{Name: "select", Aliases: []string{"k"}, Usage: "of the list: tests whose id contains `TEXT`"},
		&cli.StringFlag{Name: "split", Usage: "of the list: the Nth of M groups, `N/M`"},
		&cli.StringFlag{Name: "waives", Usage: "of the list: leave out what this `LIST` waives"},
		&cli.StringFlag{
			Name: "allowance",
			Usage: "of the list: `LIMIT` that a job gets beside its test's TIMEOUT, such as 30m; wins over " +
				"allowance in the profile",
			DefaultText: "the profile's, then 30m",
		},
		&cli.BoolFlag{Name: "strict", Usage: "of the list: exit with 1 if a test is none that this tool runs"},
	}
}

// runListFlags are about running a list.
func runListFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "parallel", Value: 1, Usage: "of the list: `N` jobs at a time"},
		&cli.BoolFlag{Name: "stop-on-error", Usage: "of the list: start no more tests once one has failed"},
		&cli.StringFlag{Name: "junit", Usage: "of the list: write JUnit XML to `FILE`, too"},
	}
}

// makeList reads the list of the command line, and plans its tests. Run directories lie below a folder.
func makeList(c *cli.Context, s scheduler.Scheduler, folder string) ([]dispatch.Entry, error) {
	if c.Args().Present() {
		return nil, errors.New("cannot run both a list and a case: leave one of them out")
	}
	r, err := request(c, s)
	if err != nil {
		return nil, err
	}
	p := dispatch.Plan{Request: r, Platform: c.String("gpu"), Folder: folder}
	if p.Request.Allowance, err = caseflags.Limit(c, "allowance"); err != nil {
		return nil, err
	}
	f := testlist.Filter{Stage: c.String("stage"), GPU: c.String("gpu"), Contains: c.String("select")}
	if c.IsSet("split") {
		if f.Group, f.Groups, err = testlist.ParseSplit(c.String("split")); err != nil {
			return nil, fmt.Errorf("--split: %w", err)
		}
	}
	tests, err := readList(c, c.String("testlist"))
	if err != nil {
		return nil, err
	}
	if p.Tests = testlist.Select(tests, f); len(p.Tests) == 0 {
		return nil, fmt.Errorf("no test of %s is left of %d: check --stage, --gpu, -k, --split", c.String("testlist"),
			len(tests))
	}
	if c.IsSet("waives") {
		if p.Waives, err = readList(c, c.String("waives")); err != nil {
			return nil, err
		}
	}
	return p.Entries(c.Context), nil
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

// planList prints what would be run of a list.
func planList(c *cli.Context) error {
	if c.IsSet("check-nodes") {
		return errors.New("cannot check the nodes of a list (--check-nodes): pass one CASE")
	}
	entries, err := makeList(c, nil, "")
	if err != nil {
		return err
	}
	if c.Bool("json") {
		err = printJSON(c.App.Writer, summaries(entries))
	} else {
		err = dispatch.Plans(c.App.Writer, entries)
	}
	if err != nil {
		return err
	}
	return command.Exit(dispatch.ExitCode(entries, c.Bool("strict")), nil)
}

// listed is a test of a list in JSON: why it is not planned, or what would be run.
type listed struct {
	Test   string          `json:"test"` // as the list has it
	Status dispatch.Status `json:"status"`
	Detail string          `json:"detail,omitempty"`
	Plan   *summary        `json:"plan,omitempty"`
}

func summaries(entries []dispatch.Entry) (list []listed) {
	for _, e := range entries {
		l := listed{Test: e.Test.ID, Status: e.Status, Detail: e.Detail}
		if e.Status == dispatch.Planned {
			s := summarize(e.Job.Plan)
			l.Plan = &s
		}
		list = append(list, l)
	}
	return list
}

// withoutList refuses what only says something about a list.
func withoutList(c *cli.Context, flags ...[]cli.Flag) error {
	for _, f := range slices.Concat(flags...) {
		if name := f.Names()[0]; c.IsSet(name) {
			return fmt.Errorf("cannot use --%s with a case: it is about a list of tests (--testlist)", name)
		}
	}
	return nil
}

// runList runs the tests of a list, and ends with 0 only if all of them have passed.
func runList(c *cli.Context, s scheduler.Scheduler) error {
	folder, err := listFolder(c)
	if err != nil {
		return err
	}
	entries, err := makeList(c, s, folder)
	if err != nil {
		return err
	}
	if c.Bool("dry-run") {
		return planned(c, entries)
	}
	sayLeftOut(c, s.Name())
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("cannot make the list's folder: %w", err)
	}
	ctx, stop := command.UntilSignal(c.Context, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := keepJUnit(c, folder, entries); err != nil {
		return err
	}
	began, soFar := time.Now(), slices.Clone(entries) // the others are written to while tests run
	out := &lines{out: c.App.Writer}
	fmt.Fprintf(c.App.Writer, "%s, in %s\n", dispatch.Counts(entries), command.ShortPath(folder))
	dispatch.Runner{
		Parallel: c.Int("parallel"), StopOnError: c.Bool("stop-on-error"),
		Start: func(ctx context.Context, e *dispatch.Entry) { startOne(ctx, c, s, e, out) },
		Done: func(e dispatch.Entry) {
			out.say("%s: %s %s", dispatch.Name(e.Test), e.Status, e.Detail)
			if err := keepJUnit(c, folder, ended(soFar, e)); err != nil {
				out.say("%v", err)
			}
		},
	}.Run(ctx, entries)
	if err := dispatch.Summary(c.App.Writer, entries); err != nil {
		return err
	}
	err = errors.Join(keepJUnit(c, folder, entries), keepListPage(folder, entries))
	tellList(c, folder, entries, began)
	if err != nil {
		return err
	}
	return command.Exit(dispatch.ExitCode(entries, c.Bool("strict")), context.Cause(ctx))
}

// ended puts a test that has ended into its place.
func ended(entries []dispatch.Entry, e dispatch.Entry) []dispatch.Entry {
	for i := range entries {
		if entries[i].Job.Plan.RunDir == e.Job.Plan.RunDir {
			entries[i] = e
		}
	}
	return entries
}

// listFolder is the folder of a list's run directories.
func listFolder(c *cli.Context) (string, error) {
	dir := c.String("run-dir")
	if dir == "" {
		name := strings.TrimSuffix(filepath.Base(c.String("testlist")), filepath.Ext(c.String("testlist")))
		root, err := launch.Request{Profile: c.String("profile")}.RunRoot()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(root, name+"-"+time.Now().Format("20060102-150405.000"))
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("cannot use run directory %s: %w", dir, err)
	}
	return abs, nil
}

// planned writes what every test would be run with, and submits nothing.
func planned(c *cli.Context, entries []dispatch.Entry) error {
	for _, e := range entries {
		if e.Status == dispatch.Planned {
			if err := e.Job.Prepare(); err != nil {
				return err
			}
		}
	}
	if err := dispatch.Plans(c.App.Writer, entries); err != nil {
		return err
	}
	return command.Exit(dispatch.ExitCode(entries, c.Bool("strict")), nil)
}

// startOne submits one test of the list, and watches its job unless that is not wanted.
func startOne(ctx context.Context, c *cli.Context, s scheduler.Scheduler, e *dispatch.Entry, out *lines) {
	w := newWatcher(c, s, e.Job.Plan, time.Now())
	w.out, w.tools.targets = out.of(dispatch.Name(e.Test)), nil // who is told hears of the whole list
	w.progress.Out = w.out
	err := unfit(c, e.Job)
	if err == nil {
		err = e.Job.Prepare()
	}
	if err != nil {
		e.Detail = strings.ReplaceAll(err.Error(), "\n", "; ")
		return
	}
	if c.Bool("detach") {
		if err := detached(ctx, w, e.Job); err != nil {
			e.Detail = err.Error()
		} else {
			e.Status = dispatch.Submitted
		}
	} else {
		e.Watched(w.tries(ctx, e.Job, c.Int("retry-infra")))
	}
	e.RunDir, e.JobID = w.plan.RunDir, w.job.ID
}

// keepJUnit writes the list's JUnit XML into its folder, and where the command line wants it.
func keepJUnit(c *cli.Context, folder string, entries []dispatch.Entry) error {
	data, err := dispatch.JUnit(filepath.Base(c.String("testlist")), entries)
	if err != nil {
		return err
	}
	files := []string{filepath.Join(folder, "junit.xml")}
	if c.IsSet("junit") {
		files = append(files, c.String("junit"))
	}
	for _, file := range files {
		if err := atomicfile.Write(file, data, 0o644); err != nil {
			return command.Exit(protocol.ExitFailed, fmt.Errorf("cannot write JUnit: %w", err))
		}
	}
	return nil
}
