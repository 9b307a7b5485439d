package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/pkg/scheduler/slurm"
	"github.com/disagg/disagg/pkg/version"
)

// runCommand runs a case to its verdict.
func runCommand() *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "run cases, or a list of tests, and end with the verdict's exit code",
		ArgsUsage: "CASE… | --testlist LIST | --again RUN",
		Description: `The job goes on when this is left with Ctrl-C: disagg-submit watch comes back to it. Several
cases, the tests of a list, and variants of a case (--vary) are a job each, in run directories below one folder, with
one summary, one junit.xml and one page with a curve of the variants.

  disagg-submit run --profile my-cluster.yaml --trtllm-dir ~/TensorRT-LLM --time 02:00:00 CASE.yaml
  disagg-submit run --again 4459 --detach
  disagg-submit run --profile my-cluster.yaml a.yaml b.yaml --parallel 2
  disagg-submit run --profile my-cluster.yaml a.yaml --vary gen.max_batch_size=64,128 --vary concurrency_list=1,8`,
		Flags: slices.Concat(caseFlags(), listFlags(), severalFlags(), keepFlags(), toolFlags(), []cli.Flag{
			launcherFlag(),
			&cli.StringFlag{Name: "again", Usage: "run what was planned for an earlier `RUN` once more"},
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
	return &cli.StringFlag{
		Name: "launcher", DefaultText: "this shell's, else slurm",
		Usage: "`WHERE` the job runs: " + strings.Join(launch.SchedulerNames(), ", "),
	}
}

// launcher is the scheduler that the command line chooses.
func launcher(c *cli.Context) (scheduler.Scheduler, error) {
	name, err := launcherOf(c)
	if err != nil {
		return nil, err
	}
	return launch.SchedulerNamed(name)
}

func run(c *cli.Context) error {
	if err := errors.Join(fitTools(c), atLeast(c, "parallel", 1), atLeast(c, "retry-infra", 0)); err != nil {
		return err
	}
	s, err := launcher(c)
	if err != nil {
		return err
	}
	if tied, ok := s.(scheduler.Tied); ok && c.Bool("detach") {
		s = tied.Detached()
	}
	if several(c) {
		return runSeveral(c, s)
	}
	if err := withoutList(c); err != nil {
		return err
	}
	job, err := chosenJob(c, s)
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

// launcherOf is the scheduler's name: as it is asked for, else that of the run which is to be run again.
func launcherOf(c *cli.Context) (string, error) {
	switch {
	case c.IsSet("launcher"):
		return c.String("launcher"), nil
	case c.IsSet("again"):
		dir, err := runNamed(c.String("again"))
		if err != nil {
			return "", err
		}
		p, err := rundir.ReadPlan(rundir.Dir(dir).Plan())
		return p.Launcher, err
	}
	return launch.RunScheduler(), nil
}

// chosenJob is the case of the command line, or an earlier run once more.
func chosenJob(c *cli.Context, s scheduler.Scheduler) (launch.Job, error) {
	if !c.IsSet("again") {
		return makeJob(c.Context, c, s)
	}
	if c.NArg() > 0 {
		return launch.Job{}, fmt.Errorf("cannot run %s and an earlier run (--again): choose one", c.Args().First())
	}
	for _, name := range c.LocalFlagNames() {
		if !slices.Contains(withAgain(), name) && !ofEnvironment(c, name) {
			const advice = "cannot use --%s with --again, which runs what was planned: run the case"
			return launch.Job{}, fmt.Errorf(advice, name)
		}
	}
	dir, err := runNamed(c.String("again"))
	if err != nil {
		return launch.Job{}, err
	}
	return launch.Rerun(rundir.Dir(dir), c.String("run-dir"), version.Text(), s)
}

// ofEnvironment tells whether a flag has its value from the environment, which is for every command.
func ofEnvironment(c *cli.Context, name string) bool {
	for _, f := range c.Command.Flags {
		if d, ok := f.(cli.DocGenerationFlag); ok && slices.Contains(f.Names(), name) {
			return slices.ContainsFunc(d.GetEnvVars(), func(v string) bool {
				return os.Getenv(v) != "" && os.Getenv(v) == c.String(name)
			})
		}
	}
	return false
}

// atLeast refuses a number below the least that means something.
func atLeast(c *cli.Context, name string, least int) error {
	if n := c.Int(name); n < least {
		return fmt.Errorf("cannot use --%s %d: want %d or more", name, n, least)
	}
	return nil
}

// withAgain are the flags that say nothing of what is planned.
func withAgain() []string {
	return []string{
		"again", "run-dir", "launcher", "dry-run", "detach", "no-doctor", "notify", "otlp", "prometheus",
	}
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
	w := newWatcher(c, s, job.Plan, time.Now()).onTerminal()
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
	w.progress.Say("to come back to it, or end it: %s", w.wayBack())
	return nil
}
