package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/doctor"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/scheduler"
)

// doctorCommand tells whether a cluster, a profile and a case fit.
func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:      "doctor",
		Usage:     "check this cluster, a profile and a case before anybody queues",
		ArgsUsage: "[CASE]",
		Description: `Every line is ok, warn or FAIL, and says what to do. The exit code is 1 if any is FAIL. Command
"run" does the quick part of it, and submits nothing that must fail. With --nodes a small job looks at nodes too; it has
the options, and the container, of the case's own.

  disagg-submit doctor --profile my-cluster.yaml
  disagg-submit doctor --profile my-cluster.yaml --trtllm-dir ~/TensorRT-LLM --nodes 2 CASE`,
		Flags: slices.Concat(caseFlags(), []cli.Flag{
			launcherFlag(), jsonFlag(),
			&cli.IntFlag{Name: "nodes", Usage: "also run checks on `N` nodes, and between them"},
		}),
		Action: examine,
	}
}

func examine(c *cli.Context) error {
	if err := fitNodes(c); err != nil {
		return err
	}
	s, err := launcher(c)
	if err != nil {
		return err
	}
	ctx, stop := command.UntilSignal(c.Context, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	job, found, err := examined(ctx, c, s)
	if err != nil {
		return err
	}
	say := func(list []doctor.Finding) error {
		if c.Bool("json") {
			return nil // all of it comes at the end
		}
		return doctor.Print(c.App.Writer, list)
	}
	if err := say(found); err != nil {
		return err
	}
	if c.IsSet("nodes") {
		more, err := visit(ctx, c, job, len(doctor.Failures(found)) > 0)
		if err := errors.Join(err, say(more)); err != nil {
			return err
		}
		found = append(found, more...)
	}
	if c.Bool("json") {
		err = printJSON(c.App.Writer, doctor.NewReport(found))
	}
	if len(doctor.Failures(found)) > 0 {
		err = command.Exit(protocol.ExitFailed, err)
	}
	return err
}

// fitNodes refuses a number of nodes that makes no sense.
func fitNodes(c *cli.Context) error {
	switch {
	case c.IsSet("nodes") && c.Int("nodes") < 1:
		return errors.New("cannot look at fewer nodes than one: pass a number with --nodes, or leave it out")
	case c.IsSet("nodes") && c.NArg() == 0:
		return errors.New("cannot look at nodes (--nodes) without CASE: it says which GPUs, model and programs they " +
			"must have")
	}
	return nil
}

// visit has nodes look at themselves, unless something is wrong that a job must fail of.
func visit(ctx context.Context, c *cli.Context, job launch.Job, sick bool) ([]doctor.Finding, error) {
	if sick {
		return []doctor.Finding{doctor.Doubt("nodes", "mend first what is wrong", "no node was looked at")}, nil
	}
	found, err := job.Visit(ctx, c.Int("nodes"), func(line string) { fmt.Fprintln(c.App.ErrWriter, line) })
	if err != nil && ctx.Err() != nil {
		err = command.Exit(protocol.ExitCancelled, err)
	}
	return found, err
}

// examined looks from here: at the job of the case, or at what is known without one.
func examined(ctx context.Context, c *cli.Context, s scheduler.Scheduler) (launch.Job, []doctor.Finding, error) {
	r, err := request(c, s)
	if err != nil {
		return launch.Job{}, nil, err
	}
	if c.NArg() == 0 {
		job, found := outlined(ctx, r)
		return job, found, nil
	}
	job, err := makeJob(ctx, c, s)
	if err != nil {
		own := faults("case", err)
		_, found := outlined(ctx, r)
		found = slices.DeleteFunc(found, func(f doctor.Finding) bool { // of the profile, and told already
			return slices.ContainsFunc(own, func(o doctor.Finding) bool { return o.Text == f.Text })
		})
		return job, append(own, found...), nil
	}
	p := job.Plan
	fine := doctor.Good("case", "%s: %s, recipe %s, profile %s", p.Case.TestID, nodesOf(p.Layout), p.Recipe.Name,
		p.Cluster.Name)
	return job, append([]doctor.Finding{fine}, job.Examine(ctx, false)...), nil
}

// outlined looks at what is known without a case.
func outlined(ctx context.Context, r launch.Request) (launch.Job, []doctor.Finding) {
	job, err := r.Outline(ctx)
	if err != nil {
		return job, faults("profile", err)
	}
	return job, job.Examine(ctx, false)
}

// faults are the faults of an input, which may be several, a line each.
func faults(check string, err error) (list []doctor.Finding) {
	for line := range strings.Lines(err.Error()) {
		list = append(list, doctor.Bad(check, "", "%s", strings.TrimSpace(line)))
	}
	return list
}

// unfit is the quick part of doctor, which comes before every job: an error that names, a line each, what the job would
// fail of.
func unfit(c *cli.Context, job launch.Job) error {
	if c.Bool("no-doctor") {
		return nil
	}
	bad := doctor.Failures(job.Examine(c.Context, true))
	if len(bad) == 0 {
		return nil
	}
	var errs []error
	for _, f := range bad {
		errs = append(errs, errors.New(f.String()))
	}
	errs = append(errs, errors.New("nothing was submitted: disagg-submit doctor tells more, --no-doctor submits "+
		"all the same"))
	if doctor.Refused(bad) {
		return command.Exit(protocol.ExitUnavailable, errors.Join(errs...))
	}
	return errors.Join(errs...)
}
