// Package live shows a job while it runs: what a person sees who watches it.
//
// Rules:
//   - It is pure: the plan, the journal's entries, state.json, the scheduler's answers and the time go in, lines come
//     out. Who watches a job that has run for an hour sees the same as who has watched it from its start.
//   - What is drawn fits the terminal, whatever its size: columns are left out, and roles put together.
//   - A colour is never the only sign of anything.
//   - The clocks of hosts are taken to agree. Where the hub's is ahead, no time is negative.
//
// Terms: the block is the lines that are drawn again and again; a row of it is about a role, or about several of a kind
// that are equally far. What a job waits for is said in lines of their own where nothing can be drawn again.
package live

import (
	"slices"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/roles"
)

// View is what is known of a job. It is not safe for concurrent use.
type View struct {
	plan plan.Plan
	job  string // the scheduler's id of it
	// Hint is what the last line says: which keys there are.
	Hint string

	queue  protocol.JobState
	queued time.Time // when the scheduler said so first

	newest   time.Time // that the hub's clock has told
	phase    protocol.Phase
	launched time.Time // when this attempt began
	since    time.Time // when the phase began
	roles    []*role
	measured []protocol.Point // of the present measurement
	points   []report.PointInfo
	cause    *protocol.Cause
}

// New is the view of a job of which nothing is known but its plan and the scheduler's id of it.
func New(p plan.Plan, job string) *View {
	v := &View{plan: p, job: job}
	v.begin()
	return v
}

// begin forgets what an earlier attempt has left.
func (v *View) begin() {
	v.phase, v.cause, v.measured, v.points, v.roles = "", nil, nil, nil, nil
	for _, kind := range []roles.Kind{roles.Ctx, roles.Gen, roles.Coordinator, roles.Benchmark} {
		for _, pl := range v.plan.Layout.OfKind(kind) {
			v.roles = append(v.roles, newRole(pl))
		}
	}
}

func (v *View) find(r *roles.Role) *role {
	i := slices.IndexFunc(v.roles, func(known *role) bool { return r != nil && known.Role == *r })
	if i < 0 {
		return nil
	}
	return v.roles[i]
}

// Queue takes what the scheduler says about the job.
func (v *View) Queue(s protocol.JobState, now time.Time) {
	if s.Phase == protocol.JobUnknown {
		return
	}
	if s.Phase != v.queue.Phase {
		v.queued = now
	}
	v.queue = s
}

// Entry takes the next entry of the journal.
func (v *View) Entry(e protocol.Entry) {
	v.see(e.At)
	if e.Seq == 1 { // agents may arrive before the first phase is told
		v.begin()
		v.launched = e.At
	}
	switch e.Kind {
	case protocol.EntryPhase:
		v.phase, v.since = e.Phase, e.At
		for _, r := range v.roles {
			r.stopping = e.Phase == protocol.Stopping || e.Phase == protocol.Over
		}
	case protocol.EntryPoint:
		if e.Point != nil {
			v.point(*e.Point)
		}
	case protocol.EntryAgain:
		v.measured, v.points = nil, nil
	}
	if r := v.find(e.Role); r != nil && e.Rank >= 0 && e.Rank < r.Ranks {
		r.entry(e)
	}
}

// State takes the hub's view, as state.json has it.
func (v *View) State(s protocol.State) {
	v.see(s.At)
	v.cause = s.Cause
	for _, rs := range s.Roles {
		if r := v.find(&rs.Role); r != nil && rs.Progress != nil {
			r.progress = *rs.Progress
		}
	}
}

func (v *View) see(at time.Time) {
	if at.After(v.newest) {
		v.newest = at
	}
}

// by is the time by the hub's clock.
func (v *View) by(now time.Time) time.Time {
	if v.newest.After(now) {
		return v.newest
	}
	return now
}

// point takes a point. One that was measured again takes the place of the one before.
func (v *View) point(pt protocol.Point) {
	v.measured = slices.DeleteFunc(v.measured, func(p protocol.Point) bool { return p.Index == pt.Index })
	v.measured = append(v.measured, pt)
	v.points = slices.DeleteFunc(
		report.Build(report.Input{Plan: v.plan, Result: protocol.Result{Points: v.measured}}).Points,
		func(p report.PointInfo) bool { return p.State == report.NotRun })
}
