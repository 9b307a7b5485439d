package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/rundir"
)

// verdictBound is how long the lines around a failure may be looked for before the verdict is shown.
const verdictBound = 2 * time.Second

// verdict shows the verdict as soon as it is there: freeing the nodes may take longer.
func (w *watcher) verdict(r protocol.Result, a rundir.Attempt) {
	if w.brief && r.Verdict == protocol.Passed {
		return // the journal has told
	}
	m := report.Build(report.Input{Plan: w.plan, Result: r})
	if a != "" && r.FirstCause != nil {
		m = report.Build(w.left(launch.Outcome{Result: &r}, verdictBound).in)
	}
	screenOf(w.out, w.plan, a).Summary(w.out, m)
	if a == "" {
		fmt.Fprintf(w.out, "run:     %s (does not answer)\n", command.ShortPath(w.plan.RunDir))
		return
	}
	fmt.Fprintf(w.out, "report:  %s\nlogs:    %s\n", command.ShortPath(a.Report()), command.ShortPath(a.Logs()))
	if r.Kept && w.stay(a) {
		w.kept()
	}
	showInCI(w.out, report.CIOf(os.Getenv), w.plan, m, a)
}

// screenOf is how the end of a run is shown, of an attempt whose folder is known ("": it is not).
func screenOf(out io.Writer, p plan.Plan, a rundir.Attempt) report.Screen {
	s := report.Screen{Width: command.Width(out)}
	if a == "" {
		return s
	}
	s.Attempt = command.ShortPath(string(a))
	if !p.Policy.Interactive && p.Series == nil {
		s.Again = "disagg-submit run --again " + command.ShortPath(string(a.Dir()))
	}
	return s
}

// groupLines and groupBytes are how much of the end of each role's log a CI server's job log gets at most.
const (
	groupLines = 60
	groupBytes = 64 << 10
)

// showInCI shows a failure as CI servers want it: as an error beside the job, and the end of each role's log folded.
func showInCI(out io.Writer, ci report.CI, p plan.Plan, m report.Model, a rundir.Attempt) {
	if m.Failure == nil {
		return
	}
	if line := ci.Annotation(m); line != "" {
		fmt.Fprintln(out, line)
	}
	if !ci.Groups() {
		return
	}
	now := time.Now()
	for _, pl := range p.Layout.Placements {
		lines := rundir.LastLines(a.RoleLog(pl.Role), groupLines, groupBytes)
		if len(lines) == 0 {
			continue
		}
		title := fmt.Sprintf("%s: the last %d lines of its log", pl.Role, len(lines))
		for _, l := range ci.Group(strings.ToLower(pl.Role.String()), title, lines, now) {
			fmt.Fprintln(out, l)
		}
	}
}
