package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/runs"
)

// cancelCommand ends a run's job.
func cancelCommand() *cli.Command {
	return &cli.Command{
		Name:      "cancel",
		Usage:     "end a run's job; its verdict says who did",
		ArgsUsage: "RUN",
		Description: `The job stops every role in order, keeps what was measured, and leaves the verdict "cancelled".
A run that is over is left alone. Servers that were kept after a verdict are ended with their job; the verdict stays.

` + whatRun + `

  disagg-submit cancel 4459
  disagg-submit cancel a3f91b && disagg-submit watch a3f91b`,
		Action: func(c *cli.Context) error {
			name, err := command.One(c, "RUN")
			if err != nil {
				return err
			}
			dir, err := runNamed(name)
			if err != nil {
				return err
			}
			f, err := reader().Read(c.Context, dir)
			if err != nil {
				return err
			}
			return cancel(c, f)
		},
	}
}

func cancel(c *cli.Context, f runs.Facts) error {
	s := runs.Summarize(f)
	switch {
	case s.State.IsOver():
		fmt.Fprintf(c.App.Writer, "run %s is over (%s): nothing to cancel\n", s.ID, s.Text)
		return nil
	case f.Submission == nil:
		return fmt.Errorf("cannot cancel run %s: it has no job: roles that were started by hand end with Ctrl-C in "+
			"their terminals, or with disagg-submit stop %s", s.ID, command.ShortPath(s.Dir))
	}
	sched, err := launch.SchedulerNamed(f.Plan.Launcher)
	if err != nil {
		return err
	}
	err = launch.Cancel(c.Context, sched, launch.JobOf(*f.Submission), rundir.Dir(f.Dir), "by disagg-submit cancel")
	if err != nil {
		return command.Exit(protocol.ExitUnavailable, err)
	}
	if s.State == runs.Kept {
		fmt.Fprintf(c.App.Writer, "job %s of run %s is asked to end; its verdict stays: %s\n", s.Job, s.ID, s.Verdict)
		return nil
	}
	fmt.Fprintf(c.App.Writer, "job %s of run %s is asked to end: disagg-submit watch %s shows how it does\n", s.Job,
		s.ID, s.ID)
	if f.Plan.Followed {
		fmt.Fprintln(c.App.Writer, "the runs that were to follow in the same job are not run")
	}
	return nil
}

// shortName is what a run is called on a command line: by its job if that has a short id and no other run, else by its
// own id.
func shortName(p plan.Plan, job string) string {
	if job == "" || len(job) > longestJob || p.Series != nil || p.Followed {
		return plan.ShortID(p.ID)
	}
	return job
}

// longestJob is how long the id of a job may be to be typed.
const longestJob = 10
