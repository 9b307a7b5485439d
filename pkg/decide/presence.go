package decide

import (
	"fmt"
	"time"

	"github.com/disagg/disagg/pkg/decide/liveness"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// presence is whether an agent is there.
type presence struct {
	silence  liveness.Silence
	brokeAt  time.Time     // when its connection ended; zero while it has one
	grace    time.Duration // in which it must be back then
	returnBy time.Time
}

func (p *presence) heard(now time.Time) {
	p.silence.Heard(now)
	p.brokeAt, p.returnBy = time.Time{}, time.Time{}
}

func (p *presence) missed(d time.Duration) {
	p.silence.Missed(d)
	if !p.brokeAt.IsZero() {
		p.returnBy = p.returnBy.Add(d + p.grace) // it may be back already, which could not be heard
	}
}

func (p *presence) deadline() time.Time {
	if !p.brokeAt.IsZero() && p.returnBy.Before(p.silence.Ends()) {
		return p.returnBy
	}
	return p.silence.Ends().Add(1)
}

// since is when it was last there for sure.
func (p *presence) since() time.Time {
	if !p.brokeAt.IsZero() {
		return p.brokeAt
	}
	return p.silence.Last()
}

// gone tells why the agent counts as lost, "" if it does not.
func (p *presence) gone(now time.Time) string {
	switch {
	case !p.brokeAt.IsZero() && !now.Before(p.returnBy):
		return fmt.Sprintf("its connection broke and was not back within %v", p.grace)
	case p.silence.Lost(now):
		return fmt.Sprintf("no sign of life for %v", p.silence.Limit)
	}
	return ""
}

// broke notes the end of an agent's connection. Most likely it was killed: it must be back within a heartbeat. One that
// was told to stop has most likely been ended together with its step, and is waited for less. One that sent an invalid
// message is not let in again: it is at fault itself, and nothing more will be heard of it.
func (m *Machine) broke(t *task, fault string, now time.Time) {
	t.presence.brokeAt = now
	if fault == "" || t.gone {
		m.awaitReturn(t)
		return
	}
	detail := "its agent sent an invalid message: " + fault
	t.gone, t.lost, t.cause = true, true, protocol.AgentError
	m.do(Drop{Task: t.Task, Why: detail})
	m.fail(m.fact(t, protocol.AgentError, detail, now), now)
}

func (m *Machine) awaitReturn(t *task) {
	t.presence.grace = m.returnGrace(t)
	t.presence.returnBy = t.presence.brokeAt.Add(t.presence.grace)
	m.lookBy(t.presence.returnBy)
}

// lookBy makes sure that lost agents are looked for at a moment.
func (m *Machine) lookBy(at time.Time) {
	if m.look.IsZero() || at.Before(m.look) {
		m.look = at
	}
}

func (m *Machine) returnGrace(t *task) time.Duration {
	grace := m.plan.Timeouts.Heartbeat.Std()
	if t.stopSent {
		grace /= 8
	}
	return grace
}

// lose looks for agents that are lost now, in the order of the plan: those of one host vanish together.
func (m *Machine) lose(now time.Time) {
	if m.look.IsZero() || now.Before(m.look) {
		return
	}
	m.look = time.Time{}
	for _, name := range m.order {
		t := m.tasks[name]
		if t.hello == nil || t.gone || name == roles.Hub() {
			continue
		}
		if why := t.presence.gone(now); why != "" {
			m.do(Drop{Task: name, Why: why})
			m.lost(t, why, now)
		} else {
			m.lookBy(t.presence.deadline())
		}
	}
}

func (m *Machine) lost(t *task, why string, now time.Time) {
	t.gone, t.lost = true, true
	kind, detail := explainLoss(t, why)
	if m.phase == protocol.Stopping && t.presence.since().After(m.failedSince()) {
		return // it vanished while it was stopped
	}
	t.cause = kind
	f := m.fact(t, kind, detail, now)
	f.Weak, f.Loss, f.Since = true, true, t.presence.since()
	m.fail(f, now)
}

// failedSince is when the first cause began; zero if nothing failed.
func (m *Machine) failedSince() time.Time {
	if f := m.attribution.Verdict(); f != nil {
		return f.Since
	}
	return time.Time{}
}

// explainLoss tells why an agent is lost, in the scheduler's own words if it has any: it may have ended the whole step.
func explainLoss(t *task, why string) (protocol.CauseKind, string) {
	d := t.diagnosis
	if d.Line != "" {
		why += ": " + d.Line
	}
	switch d.Meaning {
	case protocol.OutOfMemory:
		return protocol.OOM, "ran out of memory: " + d.Line
	case protocol.OutOfTime:
		return protocol.TimeLimit, d.Line
	case protocol.Preempted:
		return protocol.CauseCancelled, d.Line
	}
	return protocol.AgentLost, "its agent is lost: " + why
}
