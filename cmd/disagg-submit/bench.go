package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/dispatch"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/version"
)

// benchCommand measures again on servers that were kept.
func benchCommand() *cli.Command {
	return &cli.Command{
		Name:      "bench",
		Usage:     "measure again on servers that were kept, and end with the verdict's exit code",
		ArgsUsage: "[RUN]",
		Description: aboutRun + ` The measurement is another attempt of the run, on the same servers: its
records say that they were warm. Ctrl-C ends the measurement, and leaves the servers.

With --vary each value is measured, as a run of its own; what needs other servers is refused. The exit code is the
highest of all.

  disagg-submit bench 4459
  disagg-submit bench --vary concurrency_list=1,8,64`,
		Flags: append(toolFlags(),
			&cli.StringSliceFlag{
				Name: "vary",
				Usage: "measure with each value of `KEY=A,B`, a key that no server depends on, such as " +
					"concurrency_list or input_length; may be repeated: with each combination",
			},
			&cli.StringFlag{
				Name: "run-dir", DefaultText: "a new one beside RUN", Usage: "with --vary: folder `DIR` of the runs",
			},
		),
		Action: bench,
	}
}

func bench(c *cli.Context) error {
	if c.NArg() > 1 {
		return fmt.Errorf("want one RUN, have %d: see disagg-submit bench --help", c.NArg())
	}
	if err := fitTools(c); err != nil {
		return err
	}
	p, err := planNamed(c.Args().First())
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find this program: %w", err)
	}
	ctx, stop := command.UntilSignal(c.Context, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	b := launch.Bench{Plan: p, Uploader: self}
	if c.IsSet("vary") {
		return benchVaried(ctx, c, b)
	}
	if c.IsSet("run-dir") {
		return errors.New("cannot use --run-dir without --vary: the measurement is another attempt of the run")
	}
	w := newWatcher(c, nil, p, time.Now())
	r, err := w.measured(b, func(b launch.Bench) (rundir.Attempt, int, error) { return b.Run(ctx) })
	if err != nil {
		return err
	}
	out := launch.Outcome{Result: &r}
	w.tell(out, nil, true)
	return w.exit(out, nil)
}

// measured shows a measurement on kept servers, and its verdict.
func (w *watcher) measured(b launch.Bench, run func(launch.Bench) (rundir.Attempt, int, error),
) (r protocol.Result, err error) {
	b.Say, b.OnEntry = func(text string) { w.progress.Say("%s", text) }, w.progress.Show
	a, code, err := run(b)
	if err != nil {
		return r, command.Exit(code, err)
	}
	if r, err = rundir.ReadResult(a); err != nil {
		return r, command.Exit(max(code, protocol.ExitFailed), err)
	}
	w.verdict(r, a)
	w.undelivered = w.deliver()
	return r, nil
}

// benchVaried measures variants of a run on its servers, one after the other.
func benchVaried(ctx context.Context, c *cli.Context, b launch.Bench) error {
	variants, err := dispatch.Variants(c.StringSlice("vary"))
	if err != nil {
		return err
	}
	m := many{c: c, name: plan.Plain(b.Plan.Case.Name), folder: c.String("run-dir")}
	if m.folder == "" {
		m.folder = b.Plan.RunDir + "-vary-" + time.Now().Format("20060102-150405.000")
	}
	if m.folder, err = absolute(m.folder); err != nil {
		return err
	}
	m.entries = dispatch.OnServers(b, variants, m.folder, version.Text())
	if err := dispatch.Refusals(m.entries); err != nil {
		return err
	}
	start := func(ctx context.Context, e *dispatch.Entry, out *lines) { benchOne(ctx, c, b, e, out) }
	return m.run(ctx, dispatch.Runner{}, start, func() int { return dispatch.Worst(m.entries) })
}

// benchOne measures one variant.
func benchOne(ctx context.Context, c *cli.Context, b launch.Bench, e *dispatch.Entry, out *lines) {
	w := watcherOfOne(c, nil, e, out)
	r, err := w.measured(b, func(b launch.Bench) (rundir.Attempt, int, error) { return b.RunVariant(ctx, e.Job) })
	if err != nil {
		e.Watched(launch.Outcome{}, err)
		return
	}
	w.remember()
	e.RunDir, e.JobID = e.Job.Plan.RunDir, r.JobID
	e.Watched(launch.Outcome{Result: &r}, nil)
	w.tell(launch.Outcome{Result: &r}, nil, true)
}
