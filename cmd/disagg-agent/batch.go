package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/batch"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
)

// batchCommand is what the batch script runs.
func batchCommand() *cli.Command {
	return &cli.Command{
		Name:  "batch",
		Usage: "start one step per role, keep their logs, and end with the code of BENCHMARK",
		Description: `The batch script does this, inside of the job.

  disagg-agent batch --plan runs/RUN/plan.json
  DISAGG_PLAN=runs/RUN/plan.json disagg-agent batch`,
		Flags:  []cli.Flag{planFlag()},
		Action: runBatch,
	}
}

func planFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "plan", EnvVars: []string{protocol.EnvPlan}, Usage: "plan.json of the run, a `FILE`; it must be given",
	}
}

func runBatch(c *cli.Context) error {
	begun := time.Now()
	if at := moment(protocol.EnvBatchStart); !at.IsZero() {
		begun = at
	}
	file, err := command.Value(c, "plan")
	if err != nil {
		return err
	}
	p, err := rundir.ReadOwnPlan(file)
	if err != nil {
		return err
	}
	if p.Policy.Interactive {
		return fmt.Errorf("cannot run a batch job: %s is the plan of roles that are started by hand", file)
	}
	s, err := launch.SchedulerNamed(p.Launcher)
	if err != nil {
		return err
	}
	jobID, attempt, err := s.Job()
	if err != nil {
		return err
	}
	_, submit, err := programs()
	if err != nil {
		return command.Exit(protocol.ExitInternal, err)
	}
	ctx, stop := command.UntilSignal(c.Context, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer stop()
	surviveReaders()
	say, endSaying := sayOnStderr()
	code := runSeries(ctx, batch.Options{
		Plan: p, Attempt: attempt, JobID: jobID, Starter: s, Begun: begun, Uploader: submit, Say: say,
	}, batch.Run)
	endSaying()
	return command.Exit(code, nil)
}

// runSeries runs the plan, and what the job goes on with as long as each run passes. What has passed in an
// attempt before, of a job that was requeued, is not run again.
func runSeries(
	ctx context.Context, o batch.Options, run func(context.Context, batch.Options) (int, error),
) (code int) {
	var more []string
	if o.Plan.Series != nil {
		more = o.Plan.Series.Runs
	}
	for again := len(more) > 0; ; {
		if !again || !passed(o.Plan) { // a job that is started again does what has not passed
			var err error
			if code, err = run(ctx, o); err != nil {
				o.Say(err.Error())
				code = max(code, protocol.ExitFailed)
			}
		}
		if code != protocol.ExitPassed || len(more) == 0 || ctx.Err() != nil {
			return code
		}
		next, err := rundir.ReadOwnPlan(rundir.Dir(more[0]).Plan())
		if err != nil {
			o.Say(err.Error())
			return protocol.ExitFailed
		}
		o.Plan, o.Begun, more = next, time.Now(), more[1:]
	}
}

// passed tells whether a run has a verdict, and it passed.
func passed(p plan.Plan) bool {
	r, err := rundir.ReadResult(rundir.Current(rundir.Dir(p.RunDir)))
	return err == nil && r.Verdict == protocol.Passed
}
