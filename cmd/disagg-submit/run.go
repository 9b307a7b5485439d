package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/pkg/hub"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/slurm"
)

// runCommand runs a case to its verdict.
func runCommand(code *int) *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "run a case and end with its verdict's exit code",
		ArgsUsage: "CASE",
		Flags: append(caseFlags(),
			&cli.StringFlag{Name: "launcher", Usage: "slurm or local (default: slurm where there is one)"},
			&cli.BoolFlag{Name: "dry-run", Usage: "write plan.json and job.sbatch, and submit nothing"},
			&cli.BoolFlag{Name: "detach", Usage: "submit and do not wait"}),
		Action: func(c *cli.Context) error {
			launcher := c.String("launcher")
			if launcher == "" {
				launcher = defaultLauncher()
			}
			if launcher != launch.Slurm && launcher != launch.Local {
				return fmt.Errorf("unknown launcher %q: want slurm or local", launcher)
			}
			job, err := makeJob(c.Context, c, launcher)
			if err != nil {
				return err
			}
			if c.Bool("dry-run") {
				return render(c, &job)
			}
			if err := job.Prepare(); err != nil {
				return err
			}
			r := runner{job: job, detach: c.Bool("detach"), progress: launch.Progress{Out: c.App.Writer, Plan: job.Plan, Begun: time.Now()}}
			*code, err = r.run(c.Context)
			return err
		},
	}
}

// runner sees one job through.
type runner struct {
	job      launch.Job
	detach   bool
	mu       sync.Mutex
	progress launch.Progress
}

func (r *runner) say(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.progress.Say(format, args...)
}

func (r *runner) run(ctx context.Context) (int, error) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	d := r.job.Plan.RunDir
	r.say("run directory %s", d)
	wait, err := r.start(ctx)
	if err != nil || wait == nil {
		return 0, err
	}
	following, endFollowing := context.WithCancel(context.WithoutCancel(ctx))
	var follow sync.WaitGroup
	follow.Go(func() {
		launch.Follow(following, d, func(e hub.Entry) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.progress.Tell(e)
		})
	})
	end, err := wait()
	endFollowing()
	follow.Wait()
	if err != nil {
		return 0, err
	}
	result, ok, err := launch.Result(d)
	if err != nil || !ok {
		return end.ExitCode(), errors.Join(noVerdict(d, end), err)
	}
	launch.Summary(r.progress.Out, d, result)
	return result.ExitCode, nil
}

// noVerdict says that a job ended without a verdict, how Slurm says that it ended, and where to look.
func noVerdict(d roles.RunDir, end slurm.JobState) error {
	logs := launch.CurrentAttempt(d).Logs()
	if _, err := os.Stat(logs); err != nil { // it never began
		logs = string(d)
	}
	if end.State == "" {
		return fmt.Errorf("the job ended without a verdict: see %s", logs)
	}
	return fmt.Errorf("the job ended without a verdict, %s: see %s", end.State, logs)
}

// start starts the job and returns what waits for its end; nil if nobody is to wait.
func (r *runner) start(ctx context.Context) (wait func() (slurm.JobState, error), err error) {
	if r.job.Plan.Launcher == launch.Local {
		return func() (slurm.JobState, error) {
			_, err := r.job.RunLocal(ctx)
			return slurm.JobState{}, err
		}, nil
	}
	id, err := r.job.Submit(ctx)
	if err != nil {
		return nil, err
	}
	r.say("job %s is submitted", id)
	if r.detach {
		return nil, nil
	}
	hasResult := func() bool { _, ok, _ := launch.Result(r.job.Plan.RunDir); return ok }
	return func() (slurm.JobState, error) {
		end, err := launch.WaitSlurm(ctx, id, hasResult, func(s slurm.JobState) { r.say("job %s: %s %s", id, s.State, s.Reason) })
		if ctx.Err() != nil {
			return end, fmt.Errorf("no longer watching; job %s goes on: to end it, scancel %s (%w)", id, id, err)
		}
		return end, err
	}, nil
}
