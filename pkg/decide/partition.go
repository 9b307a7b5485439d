package decide

import (
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// partitionBound is how long a failed benchmark waits for its peers to say whom they cannot reach. Most answer at once.
const partitionBound = 1500 * time.Millisecond

// partition is the question to every leader whom it cannot reach.
type partition struct {
	open map[roles.Task]bool // who has not answered yet; nil while nobody is asked
	ends time.Time
	cut  *Fact // what somebody cannot reach
	ill  *Fact // whose service does not answer its own agent
}

// found is what the question has brought, nil if nothing: what an agent says of its own service counts more.
func (p *partition) found() *Fact {
	if p.ill != nil {
		return p.ill
	}
	return p.cut
}

func (p *partition) asked() bool { return p.open != nil }

func (p *partition) deadline() time.Time {
	if p.open == nil {
		return time.Time{}
	}
	return p.ends
}

// beginPartition asks every leader whom it cannot reach.
func (m *Machine) beginPartition(now time.Time) {
	m.partition.open, m.partition.ends = map[roles.Task]bool{}, now.Add(partitionBound)
	for _, name := range m.order {
		if t := m.tasks[name]; name.Leader() && t.hello != nil && !t.gone {
			m.partition.open[name] = true
			m.send(name, protocol.Command{Kind: protocol.CommandCheck})
		}
	}
}

// checked takes in whom a leader cannot reach, and whether its own service answers. What comes late about its own
// service still counts.
func (m *Machine) checked(t *task, e protocol.Event, now time.Time) {
	p := &m.partition
	switch {
	case p.asked():
	case e.Unwell != "":
		m.wasUnwell(t, e.Unwell, p.ends.Add(-partitionBound), now)
		return
	default:
		return
	}
	if e.Detail != "" && p.cut == nil {
		f := m.cannotReach(t, e, now)
		p.cut = &f
	}
	if e.Unwell != "" && (p.ill == nil || m.dependsOn(p.ill.Role, t.Role)) { // a service may only speak for another
		f := m.fact(t, protocol.HealthLost, "its service no longer answers: "+e.Unwell, now)
		t.cause, p.ill = f.Kind, &f
	}
	delete(p.open, t.Task)
}

// allAnswered tells whether everybody who was asked has answered, or cannot any more.
func (m *Machine) allAnswered() bool {
	for name := range m.partition.open {
		if !m.tasks[name].gone {
			return false
		}
	}
	return true
}

// endPartition goes on with what waited for everybody's answer.
func (m *Machine) endPartition(now time.Time) {
	m.partition.open = nil
	m.concludeBenchmark(now)
	if m.released && m.attribution.Verdict() == nil {
		m.stopServers()
	}
}
