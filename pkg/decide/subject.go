package decide

import (
	"fmt"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// verdict is the first cause as the verdict names it, nil if there is none: what is known of all ranks can show that no
// single one is meant.
func (m *Machine) verdict() *protocol.Cause {
	first := m.Cause()
	if first == nil {
		return m.regressed
	}
	c := *first
	if m.attribution.Verdict().Weak {
		m.nameMemory(&c)
	}
	switch c.Kind {
	case protocol.AgentLost, protocol.HostLost:
		m.nameHost(&c)
	case protocol.CauseCancelled, protocol.TimeLimit:
		m.nameJob(&c)
	}
	return &c
}

// nameMemory names the want of memory for which the scheduler has killed a step. Of the processes of a step that it
// kills, an agent may see the end of its child before its own; and the scheduler's words may come later than both.
func (m *Machine) nameMemory(c *protocol.Cause) {
	t := m.tasks[c.Task()]
	if t == nil || c.Kind == protocol.OOM || t.diagnosis.Meaning != protocol.OutOfMemory {
		return
	}
	c.Kind, c.Detail = protocol.OOM, ranOut(t.diagnosis)
}

func ranOut(d protocol.Diagnosis) string { return "ran out of memory: " + d.Line }

// nameHost names the host when it, and not an agent of it, is lost: all of its agents fell silent, and none of them
// ended its connection, as the kernel does for a process that was killed; or the scheduler says so.
func (m *Machine) nameHost(c *protocol.Cause) {
	if c.Host == "" {
		return
	}
	agents := 0
	for _, t := range m.tasks {
		if t.hello == nil || t.host() != c.Host {
			continue
		}
		if !t.silent && c.Kind != protocol.HostLost {
			return
		}
		agents++
	}
	if c.Kind == protocol.AgentLost {
		why := strings.TrimPrefix(c.Detail, agentIsLost)
		c.Kind, c.Detail = protocol.HostLost, fmt.Sprintf("all of its agents (%d) fell silent: %s", agents, why)
	}
	c.Subject = "host " + c.Host
}

// CancelledBy takes who asked for the end of the job, once everything else is over. Without a name nobody is known.
func (m *Machine) CancelledBy(r protocol.CancelRequest) { m.canceller = r }

// nameJob names who cancelled the job, if that is known; else the job when all of it was asked to end, and not one rank
// or step: whoever started the steps was asked too, or more than one step was.
func (m *Machine) nameJob(c *protocol.Cause) {
	if m.canceller.By != "" && c.Kind == protocol.CauseCancelled && m.atStop(m.canceller.At) {
		c.Subject, c.Detail = m.canceller.By, m.canceller.How
		return
	}
	if c.Kind == protocol.TimeLimit || m.wasAsked() {
		c.Subject = protocol.WholeJob
	}
}

// cancelLag is how long before the stop somebody can have asked for it at most, and how far off the clock of whoever
// did may be. An older request had no effect, such as one that never reached the scheduler.
const cancelLag = 10 * time.Minute

func (m *Machine) atStop(t time.Time) bool {
	return m.since[protocol.Stopping].Sub(t).Abs() < cancelLag
}

// wasAsked tells whether the whole job was asked to end, as far as is known.
func (m *Machine) wasAsked() bool {
	asked := map[roles.Role]bool{}
	for name, t := range m.tasks {
		if t.asked {
			asked[name.Role] = true
		}
	}
	return m.allAsked || len(asked) > 1
}

// askedLag is how much later than the first step the scheduler may ask the others, or the batch script: it asks every
// host by itself, and on machines that are busy that takes most of a second.
const askedLag = 2 * settle

// askedBy is until when the hub of a job that one step's request ended stays, although nothing else is left, to be
// asked too: no agent that it has stopped can tell any more that the scheduler wanted the whole job to end. Zero if it
// need not stay.
func (m *Machine) askedBy() time.Time {
	if f := m.attribution.Verdict(); f == nil || f.Kind != protocol.CauseCancelled || m.wasAsked() || !m.allGone() {
		return time.Time{}
	}
	lag := askedLag + m.extra
	if m.extra > 0 { // the pause may have been longer by a beat
		lag += m.clock.Beat
	}
	return m.since[protocol.Stopping].Add(lag)
}
