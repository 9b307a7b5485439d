package report

import (
	"slices"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// Timeline is what happened when, by the hub's clock.
type Timeline struct {
	Begin  time.Time   `json:"begin,omitzero"`
	End    time.Time   `json:"end,omitzero"`
	Phases []PhaseSpan `json:"phases,omitempty"`
	Roles  []RoleSpan  `json:"roles,omitempty"`  // in the order of the plan
	Points []PointSpan `json:"points,omitempty"` // in the order in which they were measured
}

// PhaseSpan is a part of a job.
type PhaseSpan struct {
	Phase protocol.Phase `json:"phase"`
	Begin time.Time      `json:"begin"`
}

// RoleSpan is the life of a role. A time that was not reached is absent.
type RoleSpan struct {
	Role    roles.Role `json:"role"`
	Arrived time.Time  `json:"arrived,omitzero"` // its first agent
	Started time.Time  `json:"started,omitzero"` // its first process
	Ready   time.Time  `json:"ready,omitzero"`   // its server
	Ended   time.Time  `json:"ended,omitzero"`   // its last process
}

// PointSpan is when a point was measured. The client is not asked when it begins: that is the end of the point before.
type PointSpan struct {
	Index       int       `json:"index"`
	Measurement int       `json:"measurement,omitempty"` // 0: the first
	Concurrency int       `json:"concurrency"`
	Begin       time.Time `json:"begin"`
	End         time.Time `json:"end"`
	Invalid     bool      `json:"invalid,omitempty"`
}

// newTimeline reads a journal.
func newTimeline(in Input) Timeline {
	t := Timeline{Begin: in.Result.StartedAt, End: in.Result.EndedAt}
	for _, pl := range in.Plan.Layout.Placements {
		t.Roles = append(t.Roles, RoleSpan{Role: pl.Role})
	}
	for _, e := range in.Entries {
		if t.Begin.IsZero() || e.At.Before(t.Begin) && !e.At.IsZero() {
			t.Begin = e.At
		}
		if in.Result.EndedAt.IsZero() && e.At.After(t.End) {
			t.End = e.At
		}
		switch {
		case e.Kind == protocol.EntryPhase:
			t.Phases = append(t.Phases, PhaseSpan{e.Phase, e.At})
		case e.Kind == protocol.EntryPoint && e.Point != nil:
			t.point(*e.Point, e.At)
		case e.Role != nil:
			t.role(e)
		}
	}
	t.begins()
	return t
}

func (t *Timeline) point(pt protocol.Point, at time.Time) {
	s := PointSpan{
		Index: pt.Index, Measurement: pt.Measurement, Concurrency: pt.Concurrency, End: at, Invalid: pt.Invalid != "",
	}
	same := func(p PointSpan) bool { return p.Index == pt.Index && p.Measurement == pt.Measurement }
	if i := slices.IndexFunc(t.Points, same); i >= 0 {
		t.Points[i].Invalid = s.Invalid // the same point, of which more is known
		return
	}
	t.Points = append(t.Points, s)
}

func (t *Timeline) role(e protocol.Entry) {
	i := slices.IndexFunc(t.Roles, func(r RoleSpan) bool { return r.Role == *e.Role })
	if i < 0 {
		t.Roles, i = append(t.Roles, RoleSpan{Role: *e.Role}), len(t.Roles)
	}
	r := &t.Roles[i]
	first := func(at *time.Time) {
		if at.IsZero() {
			*at = e.At
		}
	}
	switch e.Kind {
	case protocol.EntryAttached:
		first(&r.Arrived)
	case protocol.EntryKind(protocol.EventStarted):
		first(&r.Started)
	case protocol.EntryKind(protocol.EventReady):
		first(&r.Ready)
	case protocol.EntryKind(protocol.EventExited), protocol.EntryLost:
		r.Ended = e.At
	}
}

// begins finds out when each point began.
func (t *Timeline) begins() {
	at := t.Begin
	for _, p := range t.Phases {
		if p.Phase == protocol.Measuring {
			at = p.Begin
		}
	}
	for i := range t.Points {
		t.Points[i].Begin = at
		at = t.Points[i].End
	}
}

// seconds is when something was, after the begin.
func (t Timeline) seconds(at time.Time) float64 {
	if at.IsZero() || t.Begin.IsZero() {
		return 0
	}
	return at.Sub(t.Begin).Seconds()
}

// phaseAt is the phase at a time.
func (t Timeline) phaseAt(at time.Time) (phase protocol.Phase) {
	for _, p := range t.Phases {
		// What ends a phase is found before the next one begins.
		if p.Begin.Before(at) && p.Phase != protocol.Over {
			phase = p.Phase
		}
	}
	return phase
}

// took is how long a point was measured, 0 if that is not known.
func (t Timeline) took(index int) time.Duration {
	for _, p := range t.Points {
		if p.Index == index {
			return p.End.Sub(p.Begin)
		}
	}
	return 0
}

// during is what a job was doing in a phase, in words.
func during(p protocol.Phase) string {
	switch p {
	case protocol.Launching:
		return "while the ranks were arriving"
	case protocol.Checking:
		return "while the hosts were checked"
	case protocol.Readying:
		return "while the servers were loading"
	case protocol.Measuring:
		return "while the benchmark was running"
	case protocol.Stopping:
		return "while the roles were stopped"
	}
	return strings.TrimSpace("during " + string(p))
}
