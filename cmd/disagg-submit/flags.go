package main

import (
	"context"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/caseflags"
	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/scheduler"
)

// caseFlags are what every command that makes a plan understands.
func caseFlags() []cli.Flag {
	return slices.Concat(caseflags.Flags(), []cli.Flag{
		&cli.StringFlag{Name: "partition", Usage: "the job's partition `NAME`; wins over partition in the profile"},
		&cli.StringFlag{
			Name: "account", Usage: "account `NAME` that the job is charged to; wins over account in the profile",
		},
	}, gateFlags())
}

// makeJob makes and checks the plan of the command line's case. Without a scheduler nothing will be started.
func makeJob(ctx context.Context, c *cli.Context, s scheduler.Scheduler) (launch.Job, error) {
	name, err := command.One(c, "CASE")
	if err != nil {
		return launch.Job{}, err
	}
	r, err := request(c, s)
	if err != nil {
		return launch.Job{}, err
	}
	r.Case = name
	has, err := r.Fit(ctx)
	if err != nil {
		return launch.Job{}, err
	}
	job, err := r.Make(ctx)
	if has != "" {
		job.Plan.Case.Notes = append(job.Plan.Case.Notes, has)
	}
	return job, err
}

// request is what the command line asks for, but for the case.
func request(c *cli.Context, s scheduler.Scheduler) (r launch.Request, err error) {
	if r, err = caseflags.Request(c); err != nil {
		return r, err
	}
	r.Scheduler, r.Sinks, r.Gate = s, sinks(), gate(c)
	r.Partition, r.Account, r.Tags, r.Note = c.String("partition"), c.String("account"), command.List(c, "tag"),
		c.String("note")
	if c.IsSet("confirm") {
		confirm := c.Bool("confirm")
		r.Confirm = &confirm
	}
	r.Keep, r.KeepFor, err = keep(c)
	return r, err
}
