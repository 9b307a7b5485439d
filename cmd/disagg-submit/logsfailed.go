package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/logs"
	"github.com/disagg/disagg/pkg/logs/source"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/report/gather"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/runs/catalog"
)

// How many lines are shown before the one that says why a rank failed, and of the log's end if that line is not found.
const (
	linesBefore = 12
	linesOfEnd  = 50
)

// around is how much before and after a failure is shown.
const around = time.Second

// failed prints the log of the rank that failed first, from shortly before the line that says why.
func (w wantedLogs) failed(c *cli.Context) error {
	in, a, err := gather.Run(w.dir)
	if err != nil {
		return err
	}
	cause, err := firstCause(a)
	if err != nil {
		return err
	}
	fmt.Fprintln(c.App.ErrWriter, report.Printable(cause.String()))
	if cause.Subject != "" {
		return errors.New("cannot show its log: no rank failed by itself: --around shows what all of them printed then")
	}
	list := source.Named(source.Of(in.Plan, a), cause.Task().String())
	if len(list) != 1 || !list[0].Exists() {
		return fmt.Errorf("cannot show its log: there is none of %s: it never ran, or its log was pruned", cause.Task())
	}
	if err := list[0].Check(); err != nil {
		return fmt.Errorf("cannot show its log: %w", err)
	}
	number := markedLine(in)
	if number == 0 {
		fmt.Fprintf(c.App.ErrWriter, "%s (the line that says why is not found: its end)\n",
			command.ShortPath(list[0].File))
		return w.end(c, list[0])
	}
	fmt.Fprintf(c.App.ErrWriter, "%s:%d\n", command.ShortPath(list[0].File), number)
	return w.from(c, list[0], number-linesBefore)
}

// firstCause is the first cause of an attempt's failure, which may not be over yet.
func firstCause(a rundir.Attempt) (*protocol.Cause, error) {
	r, err := rundir.ReadResult(a)
	if err == nil && r.FirstCause != nil {
		return r.FirstCause, nil
	}
	if s, serr := rundir.ReadState(a); err != nil && serr == nil && s.Cause != nil {
		return s.Cause, nil
	}
	if err == nil {
		return nil, errors.New("cannot show what failed: nothing did")
	}
	return nil, errors.New("cannot show what failed: there is no verdict yet, and nothing is known to have failed")
}

// markedLine is the number of the line that says why a rank failed; 0: it is not known.
func markedLine(in report.Input) int {
	if f := report.Build(in).Failure; f != nil {
		for _, l := range f.Excerpt {
			if l.Marked {
				return l.Number
			}
		}
	}
	return 0
}

// from prints a log from a line on, the first of which has the number 1.
func (w wantedLogs) from(c *cli.Context, l source.Log, number int) error {
	p, lines := printer{out: c.App.Writer, grep: w.grep}, l.Whole()
	for at := 1; ; at++ {
		line, ok := lines.Next()
		if !ok {
			return nil
		}
		if at < number {
			continue
		}
		if err := p.line(l.Name, line.Text); err != nil {
			return fmt.Errorf("cannot print: %w", err)
		}
	}
}

// end prints the last lines of a log.
func (w wantedLogs) end(c *cli.Context, l source.Log) error {
	n := 0
	for lines := l.Whole(); ; n++ {
		if _, ok := lines.Next(); !ok {
			return w.from(c, l, n+1-linesOfEnd)
		}
	}
}

// around prints what every rank printed around the first failure.
func (w wantedLogs) around(c *cli.Context, out printer, list []source.Log) error {
	cause, err := firstCause(catalog.AttemptOf(w.dir))
	if err != nil {
		return err
	}
	fmt.Fprintf(c.App.ErrWriter, "around %s: %s\n", cause.At.Local().Format("2006-01-02 15:04:05.000"),
		report.Printable(cause.String()))
	var m logs.Merger
	for _, l := range list {
		if l.Name != source.Job && l.Name != source.Install {
			m.Add(l.Name, logs.NewAround(l.Whole(), cause.At.Add(-around), cause.At.Add(around), l.Modified()))
		}
	}
	return out.all(&m)
}
