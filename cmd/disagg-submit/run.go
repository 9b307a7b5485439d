package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/pkg/scheduler/slurm"
)

// runCommand runs a case to its verdict.
func runCommand() *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "run a case, or a list of tests, and end with the verdict's exit code",
		ArgsUsage: "CASE | --testlist LIST",
		Flags: slices.Concat(caseFlags(), listFlags(), runListFlags(), toolFlags(), []cli.Flag{
			launcherFlag(),
			&cli.BoolFlag{Name: "dry-run", Usage: "write plan.json and job.sbatch, and submit nothing"},
			&cli.BoolFlag{Name: "detach", Usage: "submit and do not wait"},
			&cli.BoolFlag{Name: "no-doctor", Usage: "submit although doctor would say that the job must fail"},
			&cli.IntFlag{
				Name:  "retry-infra",
				Usage: "run again, up to `N` times, without the node that failed, if a machine ended the job",
			},
		}),
		Action: run,
	}
}

func launcherFlag() cli.Flag {
	return &cli.StringFlag{Name: "launcher", Usage: "slurm or local (default: slurm where there is one)"}
}

// launcher is the scheduler that the command line chooses.
func launcher(c *cli.Context) (scheduler.Scheduler, error) {
	name := c.String("launcher")
	if name == "" {
		name = launch.DefaultScheduler()
	}
	return launch.SchedulerNamed(name)
}

func run(c *cli.Context) error {
	if err := fitTools(c); err != nil {
		return err
	}
	s, err := launcher(c)
	if err != nil {
		return err
	}
	if tied, ok := s.(scheduler.Tied); ok && c.Bool("detach") {
		s = tied.Detached()
	}
	if c.IsSet("testlist") {
		return runList(c, s)
	}
	if err := withoutList(c, listFlags(), runListFlags()); err != nil {
		return err
	}
	job, err := makeJob(c.Context, c, s)
	if err != nil {
		return err
	}
	if c.Bool("dry-run") {
		return render(c, job)
	}
	if err := unfit(c, job); err != nil {
		return err
	}
	sayLeftOut(c, s.Name())
	if err := job.Prepare(); err != nil {
		return err
	}
	return submit(c, s, job)
}

// sayLeftOut names variables of this shell that would be options of sbatch, and have no effect.
func sayLeftOut(c *cli.Context, launcher string) {
	if left := slurm.LeftOut(os.Environ()); len(left) > 0 && launcher == slurm.Name {
		fmt.Fprintf(c.App.ErrWriter, "disagg-submit: %s of this shell %s: say it in the profile (sbatch_args)\n",
			strings.Join(left, ", "), plural(len(left), "has no effect", "have no effect"))
	}
}

func plural(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

// submit submits the prepared job, and watches it if it is to be watched. Signals end the watch, never the submission.
func submit(c *cli.Context, s scheduler.Scheduler, job launch.Job) error {
	ctx, stop := command.UntilSignal(c.Context, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	w := newWatcher(c, s, job.Plan, time.Now())
	for _, note := range job.Plan.Case.Notes {
		w.progress.Say("note: %s", note)
	}
	if c.Bool("detach") {
		return detached(ctx, w, job)
	}
	out, err := w.tries(ctx, job, c.Int("retry-infra"))
	return w.exit(out, err)
}

// detached submits the job, and says how to come back to it.
func detached(ctx context.Context, w *watcher, job launch.Job) error {
	if err := w.submit(ctx, job); err != nil {
		return w.exit(launch.Outcome{}, err)
	}
	look, cancel := w.scheduler.Hints(w.job)
	w.progress.Say("to watch it: %s; to look: %s; to end it: %s", w.comeBack(), look, cancel)
	return nil
}
