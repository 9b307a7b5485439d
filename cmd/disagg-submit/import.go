package main

import (
	"errors"
	"fmt"
	"os/user"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/imported"
	"github.com/disagg/disagg/pkg/version"
)

// namingFlags name results that have no plan.
var namingFlags = []string{"case", "test-id", "run"}

// importCommand records what was measured and not recorded.
func importCommand() *cli.Command {
	return &cli.Command{
		Name:      "import",
		Usage:     "make records of old logs and of InferenceX's result files, and send them",
		ArgsUsage: "PATH...",
		Description: "PATH is a run directory, one attempt's folder in it, a client's log, a result file of " +
			"InferenceX (.json), or a folder with such. Of a run directory the points are recorded that have no " +
			"record; of a folder, what is called " + strings.Join(importNames, ", ") + ". What was imported before " +
			"is not imported again, and a sink that has a point already keeps its own record of it.\n\nExit codes: " +
			"0 something is imported, or was before; 1 a sink will not take something; 64 there is nothing to " +
			"import; 75 something is still to be sent.\n\n" +
			"  disagg-submit upload import runs/tiny-20261127-100000-a3f91b\n" +
			"  disagg-submit upload import --upload sqlite://$PWD/results.db --dry-run old-runs/",
		Flags: append([]cli.Flag{
			&cli.StringSliceFlag{
				Name: "upload", DefaultText: "as the run's plan says",
				Usage: "`URL` of the sink; may be repeated. What has no plan needs one",
			},
			&cli.BoolFlag{Name: "dry-run", Usage: "say what would be imported, and keep and send nothing"},
			&cli.StringFlag{
				Name: "case", DefaultText: "as the result says, or its folder",
				Usage: "`NAME` of the case, of what has no plan",
			},
			&cli.StringFlag{
				Name: "test-id", DefaultText: "the folder's name, else the case's",
				Usage: "test `ID`, of what has no plan",
			},
			&cli.StringFlag{
				Name: "run", DefaultText: "one is made", Usage: "`NAME` of the run, of what has no plan",
			},
		}, labelFlags()...),
		Action: importPaths,
	}
}

// importPaths looks for everything first: who has mistyped a path or forgotten a flag has imported nothing.
func importPaths(c *cli.Context) error {
	if c.NArg() == 0 {
		return errors.New("want a PATH, have none: see disagg-submit upload import --help")
	}
	var found []importable
	for _, path := range c.Args().Slice() {
		list, err := findImportable(path)
		if err != nil {
			return fmt.Errorf("cannot import %s: %w", path, err)
		}
		found = append(found, list...)
	}
	if err := checkImport(c, found); err != nil {
		return err
	}
	i, err := newImporter(c, labels(c))
	if err != nil {
		return err
	}
	for _, f := range found {
		if err := i.one(f); err != nil {
			return err
		}
	}
	return i.finish(c.Context)
}

// checkImport tells which flag is missing, or has no effect.
func checkImport(c *cli.Context, found []importable) error {
	var withoutPlan *importable
	for i := range found {
		if found[i].run == "" {
			withoutPlan = &found[i]
			break
		}
	}
	if withoutPlan != nil && len(c.StringSlice("upload")) == 0 {
		return fmt.Errorf("cannot import %s: it has no plan, which would say where records go: pass --upload URL",
			withoutPlan.path)
	}
	for _, name := range namingFlags {
		if withoutPlan == nil && c.IsSet(name) {
			return fmt.Errorf("cannot use --%s: a run directory has a plan, which says it", name)
		}
	}
	return checkSinks(c.StringSlice("upload"))
}

func labels(c *cli.Context) imported.Labels {
	l := imported.Labels{
		Case: c.String("case"), TestID: c.String("test-id"), Run: c.String("run"), Tool: version.Text(),
		Tags: command.List(c, "tag"), Note: c.String("note"),
	}
	if u, err := user.Current(); err == nil {
		l.User = u.Username
	}
	return l
}
