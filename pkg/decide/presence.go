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
	seen     time.Time // when it was last there for sure
	pause    pause     // of the hub, in which its connection ended; none: it ended while the hub ran
}

// heard takes a sign of life. What is heard at the end of a pause of the hub can have come at its begin.
func (p *presence) heard(now time.Time, last pause) {
	p.silence.Heard(now)
	p.brokeAt, p.returnBy, p.pause = time.Time{}, time.Time{}, pause{}
	if begin := last.end.Add(-last.length); now.Sub(last.end) > backlog {
		p.seen = now
	} else if begin.After(p.seen) {
		p.seen = begin
	}
}

// backlog is how long it may take the hub, after a pause, to read what has come meanwhile.
const backlog = 100 * time.Millisecond

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

// since is when it was last there for sure: a connection that ended while the hub did not run, or after a silence of
// more than a heartbeat, can have done so at any moment of that time.
func (p *presence) since(quiet time.Duration) time.Time {
	if p.brokeAt.IsZero() || p.pause.length > 0 || p.brokeAt.Sub(p.seen) > quiet {
		return p.seen
	}
	return p.brokeAt
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
	if now.Sub(m.pause.end) < m.plan.Timeouts.Heartbeat.Std()/2 { // what an agent did meanwhile is known at once
		t.presence.pause = m.pause
	}
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
			continue
		}
		m.lookBy(t.presence.deadline())
		m.watchOver(t, now)
	}
}

// pause is a time in which the hub did not run.
type pause struct {
	length time.Duration
	end    time.Time
}

// heldUp is how long a message that is read now may have waited because the hub did not run.
func (m *Machine) heldUp(now time.Time) time.Duration {
	if now.Sub(m.pause.end) > m.plan.Timeouts.Heartbeat.Std() {
		return 0
	}
	return m.pause.length
}

// gaveUp tells whether an agent whose connection ended had lost patience with the hub, which did not run for so long
// that it counted as lost. If the pause was long enough for all, agents of half of the roles must have done so, and of
// more than one: of a role whose agent was killed Slurm kills the others, so roles are counted.
func (m *Machine) gaveUp(p *presence) bool {
	lost, beat := m.plan.Timeouts.Lost.Std(), m.plan.Timeouts.Heartbeat.Std()
	if p.pause.length < lost+2*beat { // it is known to two heartbeats
		return p.pause.length >= lost-beat
	}
	broke, all := map[roles.Role]bool{}, map[roles.Role]bool{}
	begin := p.pause.end.Add(-p.pause.length)
	for name, t := range m.tasks {
		if t.hello == nil || name == roles.Hub() || t.firstSeen.After(begin) {
			continue // who came since has waited for less long
		}
		all[name.Role] = true
		if t.presence.pause.length >= lost-beat {
			broke[name.Role] = true
		}
	}
	return len(broke) == len(all) || len(broke) > 1 && 2*len(broke) >= len(all)
}

func (m *Machine) lost(t *task, why string, now time.Time) {
	t.gone, t.lost, t.silent = true, true, t.presence.brokeAt.IsZero()
	if m.gaveUp(&t.presence) {
		t.cause = protocol.AgentLost
		stood := t.presence.pause.length.Round(100 * time.Millisecond)
		detail := fmt.Sprintf("it did not run for %v, and %s gave it up", stood, t.Task)
		f := m.fact(m.benchmark(), protocol.HubLost, detail, now)
		f.Since = t.presence.pause.end.Add(-t.presence.pause.length)
		m.fail(f, now)
		return
	}
	kind, detail := m.explainLoss(t, why, now)
	f := m.fact(t, kind, detail, now)
	f.Weak, f.Loss, f.Since, f.Seen = true, true, t.presence.since(m.suspectAfter()), t.presence.seen
	if m.phase == protocol.Stopping && f.Since.After(m.failedSince()) &&
		(m.hubWasLost() || !m.attribution.Precedes(f)) {
		return // it vanished while it was stopped, or has given the hub up like others
	}
	t.cause = kind
	m.fail(f, now)
}

// hubWasLost tells whether the job failed because the hub stood still for too long.
func (m *Machine) hubWasLost() bool {
	f := m.attribution.Verdict()
	return f != nil && f.Kind == protocol.HubLost
}

// failedSince is when the first cause began; zero if nothing failed.
func (m *Machine) failedSince() time.Time {
	if f := m.attribution.Verdict(); f != nil {
		return f.Since
	}
	return time.Time{}
}

const agentIsLost = "its agent is lost: "

// means is the cause that the scheduler's own words stand for; false if they stand for none.
func (m *Machine) means(meaning protocol.Meaning, now time.Time) (protocol.CauseKind, bool) {
	switch meaning {
	case protocol.OutOfMemory:
		return protocol.OOM, true
	case protocol.OutOfTime:
		return protocol.TimeLimit, true
	case protocol.Preempted:
		return protocol.CauseCancelled, true
	case protocol.Asked:
		return protocol.EndedBy(m.opts.JobEnds, now), true
	case protocol.NodeFailed:
		return protocol.HostLost, true
	}
	return "", false
}

// explainLoss tells why an agent is lost, in the scheduler's own words if it has any: it may have ended the whole step.
func (m *Machine) explainLoss(t *task, why string, now time.Time) (protocol.CauseKind, string) {
	d := t.diagnosis
	kind, ok := m.means(d.Meaning, now)
	switch {
	case ok && kind == protocol.OOM:
		return kind, "ran out of memory: " + d.Line
	case ok && kind != protocol.HostLost:
		return kind, d.Line
	case d.Line != "":
		why += ": " + d.Line
	}
	if ok {
		return kind, why
	}
	return protocol.AgentLost, agentIsLost + why
}
