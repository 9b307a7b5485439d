package decide

import (
	"slices"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// stopServers stops the servers while the benchmark finishes.
func (m *Machine) stopServers() {
	for _, t := range m.order {
		if t != roles.Hub() {
			m.sendStop(m.tasks[t])
		}
	}
}

func (m *Machine) stopAll(now time.Time) {
	m.enter(protocol.Stopping, now)
	m.readBy, m.again.judgeBy = time.Time{}, time.Time{}
	for _, t := range m.order {
		m.sendStop(m.tasks[t])
	}
}

// sendStop tells a rank to stop. The ranks of the role that failed first end with its code: Slurm takes the code of a
// step from whichever of its tasks it likes.
func (m *Machine) sendStop(t *task) {
	if t.stopSent || t.hello == nil {
		return
	}
	t.stopSent = true
	if !t.presence.brokeAt.IsZero() {
		m.awaitReturn(t)
	}
	c := protocol.Command{Kind: protocol.CommandStop, Reason: "the benchmark is done", Finished: true}
	if m.keeps(t) {
		c.Kind, t.kept = protocol.CommandKeep, true
	}
	if f := m.attribution.Verdict(); f != nil {
		c.Reason, c.Finished = f.String(), false
		if t.Role == f.Role {
			c.Code = f.Code
		}
	}
	m.send(t.Task, c)
}

// recode tells the ranks of the first cause's role again, for another cause than the one they were stopped for.
func (m *Machine) recode() {
	for _, name := range m.order {
		if t := m.tasks[name]; name.Role == m.attribution.Verdict().Role && !t.gone {
			t.stopSent = false
			m.sendStop(t)
		}
	}
}

// allGone tells whether nothing is left of any agent that ever arrived.
func (m *Machine) allGone() bool {
	for _, t := range m.tasks {
		if t.hello != nil && !t.gone {
			return false
		}
	}
	return true
}

// AllExited tells whether every agent came and ended in good order, so that no step of the job can be stuck.
func (m *Machine) AllExited() bool {
	return !slices.ContainsFunc(m.order, func(name roles.Task) bool {
		t := m.tasks[name]
		return t.hello == nil || !t.gone || t.lost
	})
}

// HostsAnswer tells whether some agent of every host ended in good order: then an agent that was lost was killed, most
// likely, and not cut off, and its step is about to end.
func (m *Machine) HostsAnswer() bool {
	answers := map[string]bool{}
	for _, t := range m.tasks {
		if t.hello == nil {
			return false
		}
		answers[t.host()] = answers[t.host()] || t.gone && !t.lost
	}
	for _, answered := range answers {
		if !answered {
			return false
		}
	}
	return true
}
