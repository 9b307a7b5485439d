package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/upload"
)

// gateFlags are about the comparison with earlier runs.
func gateFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{
			Name: "gate", Value: string(plan.GateReport),
			Usage: "`WHAT` to do if it is worse than earlier runs: off, report, fail (exit with 3), strict (also " +
				"if it cannot be told)",
		},
		&cli.StringFlag{
			Name: "detector", Value: plan.DetectorInterval, Usage: "`NAME` of the method: interval, upstream-p95",
		},
		&cli.BoolFlag{
			Name: "confirm", DefaultText: "with --gate fail and strict",
			Usage: "measure a second time, on the same servers, what is suspicious the first time",
		},
		historyFlag(), pinFlag(),
	}, labelFlags()...)
}

// labelFlags are what a user says of results.
func labelFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{
			Name: "tag", Usage: "`TAG` that the results are found by; may be repeated, or several with commas",
		},
		&cli.StringFlag{Name: "note", Usage: "`TEXT` that is kept with the results"},
	}
}

func historyFlag() cli.Flag {
	return &cli.StringSliceFlag{
		Name: "history",
		Usage: "compare only with earlier runs of which `KEY=VALUE` holds: branch, commit, user, engine, image, tag " +
			"or run; may be repeated",
	}
}

func pinFlag() cli.Flag {
	return &cli.StringSliceFlag{
		Name: "pin",
		Usage: "measure slow drift against the earlier runs of which `KEY=VALUE` holds, such as tag=release; may be " +
			"repeated",
	}
}

// gate is what the command line says of the comparison.
func gate(c *cli.Context) plan.Gate {
	return plan.Gate{
		Mode: plan.GateMode(c.String("gate")), Detector: c.String("detector"), History: c.StringSlice("history"),
		Pinned: c.StringSlice("pin"),
	}
}

// historyQuery asks for the earlier runs that a run is compared with.
func historyQuery(p plan.Plan) upload.Query { return launch.Job{Plan: p}.HistoryQuery() }

// takeHistory keeps what is known of earlier runs with a run that is prepared. Without it the comparison says that
// nothing can be told; the run goes on.
func takeHistory(ctx context.Context, p plan.Plan, say func(string, ...any)) {
	if p.Gate.Mode == plan.GateOff {
		return
	}
	var urls []string
	for _, s := range p.Upload.Sinks {
		urls = append(urls, s.URL)
	}
	asked := make(chan results.History, 1)
	go func() { asked <- sinks().History(ctx, urls, historyQuery(p)) }()
	var h results.History
	select {
	case h = <-asked:
	case <-ctx.Done(): // a database that does not answer need not end with it
		return
	}
	if h.Error != "" {
		say("%s", fmt.Sprintf("earlier runs cannot be asked for, so there will be no comparison: %s", h.Error))
	}
	if err := rundir.WriteHistory(rundir.Dir(p.RunDir), h); err != nil {
		say("%v", err)
	}
}
