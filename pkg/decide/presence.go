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
	fresh    bool      // it was let in, and nothing was heard of it since
}

// heard takes a sign of life, which was sent at a moment by the agent's clock; zero: at an unknown one. What is read at
// the end of a pause of the hub can have come at its begin.
func (m *Machine) heard(t *task, sent, now time.Time) {
	t.hears(sent, now)
	given := now
	if begin := m.pause.end.Add(-m.pause.length); now.Sub(m.pause.end) <= backlog {
		given = begin
	}
	if !sent.IsZero() {
		given = t.when(sent, now, m.plan.Timeouts.Lost.Std()+m.heldUp(now))
	}
	t.presence.heard(given, now)
}

func (p *presence) heard(given, now time.Time) {
	p.silence.Heard(now)
	p.brokeAt, p.returnBy, p.pause, p.fresh = time.Time{}, time.Time{}, pause{}, false
	if given.After(p.seen) {
		p.seen = given
	}
}

// backlog is how long it may take the hub, after a pause, to read what has come meanwhile.
const backlog = 100 * time.Millisecond

// missed takes in a pause of the hub. All of it counts as heard: the agent may have stood still as well, and needs time
// for its next sign of life.
func (p *presence) missed(last pause) {
	p.silence.Missed(last.length)
	if !p.brokeAt.IsZero() {
		p.returnBy = p.returnBy.Add(last.length + p.grace) // it may be back already, which could not be heard
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
// was told to stop has most likely been ended together with its step, and is waited for less; one of which nothing was
// heard since it was let in may not know that it was, and is waited for as long as a silent one. One that sent an
// invalid message is not let in again: it is at fault itself, and nothing more will be heard of it.
func (m *Machine) broke(t *task, in Broke, now time.Time) {
	t.presence.brokeAt = now
	if now.Sub(m.pause.end) < m.plan.Timeouts.Heartbeat.Std()/2 { // what an agent did meanwhile is known at once
		t.presence.pause = m.pause
	}
	switch {
	case in.GaveUp && m.stoodStill(now): // also of one that has stopped: it did so because of that
		t.gaveUp()
		m.failHub(t, m.pause, now)
	case t.gone || in.Fault == "" && !in.GaveUp:
		m.awaitReturn(t)
	case in.GaveUp:
		t.gaveUp()
		m.failGaveUp(t, now)
	default:
		detail := "its agent sent an invalid message: " + in.Fault
		t.gone, t.lost, t.cause = true, true, protocol.AgentError
		m.do(Drop{Task: t.Task, Why: detail})
		m.fail(m.fact(t, protocol.AgentError, detail, now), now)
	}
}

// gaveUp notes that an agent has lost patience with the hub.
func (t *task) gaveUp() {
	if !t.gone {
		t.gone, t.lost, t.cause = true, true, protocol.AgentLost
	}
}

// failGaveUp fails the job because what the hub says does not reach an agent.
func (m *Machine) failGaveUp(t *task, now time.Time) {
	limit := m.plan.Timeouts.Lost.Std()
	detail := fmt.Sprintf("%sit has heard nothing from the hub for %v", agentIsLost, limit)
	f := m.fact(t, protocol.AgentLost, detail, now)
	f.Since, f.Seen = now.Add(-limit), now
	m.failLost(t, f, now)
}

// stoodStill tells whether the hub did not run for so long, and so lately, that this is why an agent gave it up.
func (m *Machine) stoodStill(now time.Time) bool {
	return m.isLong(m.pause) && now.Sub(m.pause.end) < gaveUpLag*m.plan.Timeouts.Heartbeat.Std()
}

// isLong tells whether agents may have given the hub up in a pause.
func (m *Machine) isLong(p pause) bool { return p.length > m.plan.Timeouts.Lost.Std()/2 }

// gaveUpLag is how many heartbeats after a pause of the hub it is known that an agent gave the hub up meanwhile: its
// connection, or the end of its step, tells. Later the agent has had time to come back.
const gaveUpLag = 3

// failHub fails the job because the hub stood still for so long that an agent gave it up.
func (m *Machine) failHub(t *task, p pause, now time.Time) {
	stood := p.length.Round(100 * time.Millisecond)
	detail := fmt.Sprintf("it did not run for %v, and %s gave it up", stood, t.Task)
	f := m.fact(m.benchmark(), protocol.HubLost, detail, now)
	f.Since, f.PauseEnds = p.end.Add(-p.length), p.end
	m.fail(f, now)
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
	switch {
	case t.presence.pause.length > 0 && t.stopSent:
		return 2 * grace
	case t.presence.pause.length > 0 && !t.stepEnded:
		// Its connection may have ended because it stood still as well, and it may again.
		return m.plan.Timeouts.Lost.Std()
	case t.presence.fresh && !t.stepEnded:
		// It may not have heard that it was let in, and connects once more.
		return m.plan.Timeouts.Lost.Std()
	case t.stopSent:
		return grace / 8
	}
	return grace
}

// mostLate is how often in a row the look for lost agents is put off because it comes late.
const mostLate = 5

// lose looks for agents that are lost now, in the order of the plan: those of one host vanish together. A hub that
// looks late, because the machine let it wait, reads what has come meanwhile first.
func (m *Machine) lose(now time.Time) {
	if m.look.IsZero() || now.Before(m.look) {
		return
	}
	if now.Sub(m.look) > backlog && m.late < mostLate {
		m.late++
		m.look = now.Add(backlog)
		return
	}
	m.look, m.late = time.Time{}, 0
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

func (m *Machine) lost(t *task, why string, now time.Time) {
	t.gone, t.lost, t.silent = true, true, t.presence.brokeAt.IsZero()
	if t.diagnosis.Meaning == protocol.HubSilent { // it gave the hub up while it was let in
		switch p := t.presence.pause; {
		case m.isLong(p):
			m.failHub(t, p, now)
			return
		case m.stoodStill(now):
			m.failHub(t, m.pause, now)
			return
		}
	}
	kind, detail := m.explainLoss(t, why, now)
	f := m.fact(t, kind, detail, now)
	f.Since, f.Seen = t.presence.since(m.suspectAfter()), t.presence.seen
	if t.withHost {
		f.Since = m.hostSeen(t.host())
		f.Seen = f.Since
	}
	m.weighStepEnd(&f, t)
	m.failLost(t, f, now)
}

// failLost fails the job because of a lost agent, unless it vanished while it was stopped. Of an agent that vanished
// while the hub stood still for too long it is not known whether it was there first: the hub is the cause then.
func (m *Machine) failLost(t *task, f Fact, now time.Time) {
	f.Weak, f.Loss, f.Silent, f.PauseEnds = true, true, t.silent, t.presence.pause.end
	stopped := m.phase == protocol.Stopping && f.Since.After(m.failedSince())
	if (stopped || m.hubWasLost()) && !m.attribution.Precedes(f) || stopped && m.hubWasLost() {
		if !f.Silent && f.Since.Before(m.since[protocol.Stopping]) { // it may be why something else fails
			m.attribution.Note(f)
		}
		return
	}
	t.cause = f.Kind
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
		return kind, ranOut(d)
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
