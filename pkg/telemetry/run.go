package telemetry

import (
	"time"

	"github.com/disagg/disagg/pkg/report"
)

// Run is a run as tools for traces and metrics see it.
type Run struct {
	Title   string // the test, and the settings that make a variant of it
	Verdict string // passed, failed, cancelled, error; none
	Tool    string // version of disagg
	End     time.Time
	Trace   [16]byte // its id
	Spans   []Span   // parents before their children, the run's own first; none: it has not begun
	Gauges  []Gauge  // each name once
}

// Build makes it from what a run has left behind. Submitted is when its job was submitted; zero: that is not known.
func Build(in report.Input, submitted time.Time) Run {
	t := tracer{in: in, m: report.Build(in), submitted: submitted}
	r := Run{
		Title: t.m.Run.Title(), Verdict: t.m.Run.Word(), Tool: in.Plan.Tool,
		End: t.m.Timeline.End, Trace: traceID(t.m.Run.RunID),
	}
	r.Spans = t.spans(r.Verdict)
	r.Gauges = gauges(t.m, r.Verdict)
	return r
}
