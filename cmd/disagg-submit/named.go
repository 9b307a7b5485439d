package main

import (
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/runs/catalog"
	"github.com/disagg/disagg/pkg/upload"
)

// whatRun tells what a command's RUN is, and aboutRun that of one that can do without.
const (
	whatRun = "RUN is a run directory or one attempt's folder in it, the id of a job, the id of a run or its " +
		"beginning, or a part of a run's name."
	aboutRun = whatRun + " Without RUN the newest run is meant."
)

// known is where this user's runs are looked for.
func known() (c catalog.Catalog, err error) {
	folder, err := os.Getwd()
	if err != nil {
		return c, fmt.Errorf("cannot look for runs: %w", err)
	}
	data, err := upload.DataDir()
	if err != nil {
		return c, fmt.Errorf("cannot look for runs: %w", err)
	}
	return catalog.Here(rundir.IndexIn(data), folder), nil
}

// knownRuns are this user's runs, the newest first.
func knownRuns() ([]protocol.KnownRun, error) {
	cat, err := known()
	if err != nil {
		return nil, err
	}
	return cat.Runs()
}

// runNamed is the folder of the run that a name means.
func runNamed(name string) (dir string, err error) {
	c, err := known()
	if err != nil {
		return "", err
	}
	dir, err = c.Find(name)
	return command.Relative(dir), err
}

// oneRun is the folder of the run that a command's only argument means.
func oneRun(c *cli.Context) (dir string, err error) {
	if c.NArg() > 1 {
		return "", fmt.Errorf("want one RUN, have %d: see %s --help", c.NArg(), c.Command.HelpName)
	}
	return runNamed(c.Args().First())
}

// reader reads what is known of runs.
func reader() catalog.Reader { return catalog.Reader{Scheduler: launch.SchedulerNamed} }
