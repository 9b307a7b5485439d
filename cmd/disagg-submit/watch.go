package main

import (
	"fmt"
	"path/filepath"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/runs/catalog"
)

// watchCommand watches a job that was submitted before.
func watchCommand() *cli.Command {
	return &cli.Command{
		Name:      "watch",
		Usage:     "watch a run that was left, and end with its verdict's exit code",
		ArgsUsage: "[RUN]",
		Description: `Ctrl-C leaves it once more: the job goes on. Of a run that is over the verdict is shown at once.

` + aboutRun + `

  disagg-submit watch
  disagg-submit watch 4459`,
		Flags: toolFlags(),
		Action: func(c *cli.Context) error {
			dir, err := oneRun(c)
			if err != nil {
				return err
			}
			ctx, stop := command.UntilSignal(c.Context, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
			defer stop()
			w, err := watcherOf(c, dir)
			if err != nil {
				return err
			}
			w.progress.Say("run %s: %s", plan.ShortID(w.plan.ID), w.plan.Case.TestID)
			return w.onTerminal().watch(ctx)
		},
	}
}

// watcherOf is a watcher of a run that was submitted before, or whose roles are started by hand: of that no scheduler
// is asked.
func watcherOf(c *cli.Context, dir string) (*watcher, error) {
	run := catalog.AttemptOf(dir).Dir()
	p, err := rundir.ReadPlan(run.Plan())
	if err != nil {
		return nil, err
	}
	if p.RunDir, err = filepath.Abs(string(run)); err != nil { // it may have been moved since
		return nil, fmt.Errorf("cannot watch %s: %w", dir, err)
	}
	if p.Policy.Interactive {
		w := newWatcher(c, nil, p, p.CreatedAt)
		w.goesOn = true // nothing follows the verdict that could be watched
		return w, nil
	}
	sub, err := rundir.ReadSubmission(run)
	if err != nil {
		return nil, fmt.Errorf("cannot watch %s: it was not submitted: %w", dir, err)
	}
	s, err := launch.SchedulerNamed(p.Launcher)
	if err != nil {
		return nil, err
	}
	w := newWatcher(c, s, p, sub.At)
	w.job, w.goesOn, w.listed = launch.JobOf(sub), p.Followed, true
	return w, nil
}
