package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/regression"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/rundir"
)

// judgeCommand compares a run with those before it. A job's hub calls it at the end; people do to judge again.
func judgeCommand() *cli.Command {
	return &cli.Command{
		Name:      "judge",
		Usage:     "compare a run's results with those of earlier runs; exit with 3 if they are worse",
		ArgsUsage: "[RUN]",
		Description: aboutRun + " The earlier runs are those that were known when the run was planned, " +
			"unless --again asks the sinks.\n\n" +
			"  disagg-submit judge\n  disagg-submit judge 4459 --again --history branch=main",
		Flags: []cli.Flag{
			uploadFlag(), jsonFlag(),
			&cli.BoolFlag{Name: "again", Usage: "ask the sinks for the earlier runs"},
			&cli.StringFlag{
				Name: "detector", DefaultText: "as the run's plan says",
				Usage: "`NAME` of the method: interval, upstream-p95",
			},
			historyFlag(), pinFlag(),
		},
		Action: func(c *cli.Context) error {
			v, err := judge(c)
			if err != nil {
				return err
			}
			code := protocol.ExitPassed
			if v.Status == protocol.RegressionFailed {
				code = protocol.ExitRegression
			}
			if c.Bool("json") {
				return errors.Join(printJSON(c.App.Writer, v), command.Exit(code, nil))
			}
			report.Comparison(c.App.Writer, v)
			return command.Exit(code, nil)
		},
	}
}

func judge(c *cli.Context) (v regression.Verdict, err error) {
	o, err := outboxesOf(c)
	if err != nil {
		return v, err
	}
	p, err := rundir.ReadPlan(o.dir.Plan())
	if err != nil {
		return v, err
	}
	if len(o.attempts) == 0 {
		return v, fmt.Errorf("cannot compare %s with earlier runs: it has not begun", o.dir)
	}
	run := regression.Run{Detector: p.Gate.Detector, Conditions: p.Gate.History, Pinned: p.Gate.Pinned}
	if c.IsSet("detector") {
		run.Detector = c.String("detector")
	}
	if c.IsSet("history") {
		run.Conditions = c.StringSlice("history")
	}
	if c.IsSet("pin") {
		run.Pinned = c.StringSlice("pin")
	}
	if err := launch.CheckComparison(run.Detector, slices.Concat(run.Conditions, run.Pinned)); err != nil {
		return v, err
	}
	if run.Records, err = o.attempts[len(o.attempts)-1].RecordStore().ReadAll(); err != nil {
		return v, fmt.Errorf("cannot compare with earlier runs: %w", err) // the rest could pass without it
	}
	run.History, err = rundir.ReadHistory(o.dir)
	if c.Bool("again") || errors.Is(err, fs.ErrNotExist) {
		run.History, err = sinks().History(c.Context, o.urls, historyQuery(p)), nil
	}
	if err != nil {
		return v, fmt.Errorf("cannot compare with earlier runs: %w", err)
	}
	return regression.Default().JudgeRun(run, time.Now()), nil
}
