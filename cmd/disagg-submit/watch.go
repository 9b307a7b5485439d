package main

import (
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
)

// watchCommand watches a job that was submitted before.
func watchCommand() *cli.Command {
	return &cli.Command{
		Name:      "watch",
		Usage:     "watch a job that was submitted before, and end with its verdict's exit code",
		ArgsUsage: "RUN-DIR",
		Flags:     toolFlags(),
		Action: func(c *cli.Context) error {
			dir, err := command.One(c, "RUN-DIR")
			if err != nil {
				return err
			}
			p, err := rundir.ReadPlan(rundir.Dir(dir).Plan())
			if err != nil {
				return err
			}
			s, err := launch.SchedulerNamed(p.Launcher)
			if err != nil {
				return err
			}
			sub, err := rundir.ReadSubmission(rundir.Dir(p.RunDir))
			if err != nil {
				return err
			}
			ctx, stop := command.UntilSignal(c.Context, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
			defer stop()
			w := newWatcher(c, s, p, sub.At).onTerminal()
			w.job = scheduler.Job{ID: sub.JobID, Cluster: sub.Cluster, Name: sub.Name}
			return w.watch(ctx)
		},
	}
}
