package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/logs"
	"github.com/disagg/disagg/pkg/logs/source"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/rundir"
)

// logPoll is how often logs are looked at for more: they may lie on a file system that gives no notice.
const logPoll = 300 * time.Millisecond

// follow prints what ranks print until the run is over, and ends with its verdict's exit code.
func (w wantedLogs) follow(c *cli.Context) error {
	run, err := watcherOf(c, w.dir)
	if err != nil {
		return err
	}
	ctx, stop := command.UntilSignal(c.Context, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	type end struct {
		out launch.Outcome
		err error
	}
	over := make(chan end, 1)
	go func() {
		out, err := run.untilVerdict(ctx)
		over <- end{out, err}
	}()
	f := logFollower{wanted: w, c: c, run: run}
	tick := time.NewTicker(logPoll)
	defer tick.Stop()
	for {
		select {
		case e := <-over:
			if err := f.end(); err != nil {
				return err
			}
			if r := e.out.Result; r != nil {
				fmt.Fprintln(c.App.ErrWriter, verdictLine(*r))
			}
			return run.exit(e.out, e.err)
		case <-tick.C:
			if err := f.print(); err != nil {
				return err
			}
		}
	}
}

// untilVerdict watches the run without a word, until its verdict or the end of its job.
func (w *watcher) untilVerdict(ctx context.Context) (launch.Outcome, error) {
	watch := w.onJob()
	watch.GoesOn, watch.Say, watch.OnEntry = true, func(string) {}, func(protocol.Entry) {}
	watch.OnVerdict = func(protocol.Result, rundir.Attempt) {}
	return watch.Run(ctx)
}

// verdictLine is the verdict in one line.
func verdictLine(r protocol.Result) string {
	text := string(r.Verdict)
	if r.FirstCause != nil {
		text += ": " + r.FirstCause.String()
	}
	return report.Printable(text)
}

// logFollower prints logs as they grow, those of an attempt after those of the one before.
type logFollower struct {
	wanted  wantedLogs
	c       *cli.Context
	run     *watcher
	attempt rundir.Attempt // "": none yet
	merger  logs.Merger
	out     printer
	over    bool // nothing more is written to the logs of the attempt
}

// print prints what is new.
func (f *logFollower) print() error {
	if now := rundir.Current(rundir.Dir(f.run.plan.RunDir)); now != f.attempt {
		if err := errors.Join(f.end(), f.begin(now)); err != nil {
			return err
		}
	}
	return f.out.all(&f.merger)
}

// end prints what is left of the attempt.
func (f *logFollower) end() error {
	f.over = true
	return f.out.all(&f.merger)
}

// begin turns to another attempt.
func (f *logFollower) begin(a rundir.Attempt) error {
	list, err := f.wanted.of(f.run.plan, a)
	if err != nil {
		return err
	}
	f.attempt, f.merger, f.over = a, logs.Merger{}, false
	f.out = f.wanted.printer(f.c, a, list)
	for _, l := range list {
		if l.Name == source.Job && l.File == "" {
			continue // nothing has been printed by then
		}
		f.merger.Add(l.Name, l.Open(func() bool { return f.over }))
	}
	return nil
}
