package hub

import (
	"time"

	"github.com/disagg/disagg/pkg/decide/steps"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report/gather"
	"github.com/disagg/disagg/pkg/rundir"
)

// Orphan is an attempt whose hub cannot give the verdict: it never started, or was killed.
type Orphan struct {
	Plan     plan.Plan
	Attempt  rundir.Attempt
	RunID    string
	JobID    string
	Begun    time.Time // when the batch script began
	Asked    bool      // all of the job was asked to end
	Uploader string    // as in Options
}

// Verdict is the verdict with a cause. What was recorded until then, and the cause that the hub had found before, are
// part of it where the run directory answers; it is asked only if records is true.
func (o Orphan) Verdict(cause protocol.Cause, records bool) protocol.Result {
	now := time.Now().UTC()
	if cause.At.IsZero() {
		cause.At = now
	}
	var secondary []protocol.Cause
	if s, err := rundir.ReadState(o.Attempt); records && err == nil && s.Cause != nil {
		cause, secondary = steps.Knew(*s.Cause, o.Asked), []protocol.Cause{cause}
	}
	r := protocol.Result{
		Schema: 1, RunID: o.RunID, JobID: o.JobID, Case: o.Plan.Case.Name, TestID: o.Plan.Case.TestID,
		StartedAt: o.Begun.UTC(), EndedAt: now, FirstCause: &cause, Secondary: secondary,
		Points: []protocol.Point{},
		Roles:  []protocol.RankOutcome{},
	}
	r.Verdict, r.ExitCode = protocol.Judge(r.FirstCause)
	if records {
		for _, rec := range o.Attempt.RecordStore().All() {
			r.Add(rec.Point)
		}
	}
	return r
}

// Conclude records what the client has left, gives the verdict, and sends what was recorded. An attempt that has a
// verdict keeps it.
func (o Orphan) Conclude(cause protocol.Cause) error {
	if rundir.HasResult(o.Attempt) {
		return nil
	}
	recovered := o.Recover()
	r := o.Verdict(cause, true)
	if recovered != nil {
		r.Lost = "the client's files could not be read: " + recovered.Error()
	}
	if o.Uploader != "" {
		up := drain(o.Uploader, o.Attempt, o.Plan, o.Plan.Timeouts.Upload.Std())
		r.Upload = &up
	}
	return gather.Keep(o.Plan, o.Attempt, r)
}
