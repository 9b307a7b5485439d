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
	at   time.Time           // when they were asked
	ends time.Time
	cuts []Fact // what somebody cannot reach
	ills []Fact // whose service does not answer its own agent
	// late says that everybody has answered, and a server may have left of which its agent is about to tell.
	late bool
}

func (p *partition) asked() bool { return p.open != nil }

func (p *partition) deadline() time.Time {
	if p.open == nil {
		return time.Time{}
	}
	return p.ends
}

// unreached is what the question has brought, nil if nothing: what an agent says of its own service counts more, and a
// service may only speak for another. A server that has left in good order answers nobody.
func (m *Machine) unreached() (found *Fact) {
	for _, f := range m.partition.cuts {
		if found == nil && !m.hasLeft(f.Role) {
			found = &f
		}
	}
	ill := false
	for _, f := range m.partition.ills {
		if !m.hasLeft(f.Role) && (!ill || m.dependsOn(found.Role, f.Role)) {
			found, ill = &f, true
		}
	}
	return found
}

// hasLeft tells whether a server has ended well, as it may once it is no longer needed.
func (m *Machine) hasLeft(r roles.Role) bool {
	t := m.leader(r)
	return m.unneeded() && t.outcome != nil && t.outcome.Clean()
}

// beginPartition asks every leader whom it cannot reach.
func (m *Machine) beginPartition(now time.Time) {
	m.partition.open, m.partition.late = map[roles.Task]bool{}, false
	m.partition.at, m.partition.ends = now, now.Add(partitionBound)
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
	if t.Task == roles.Hub() { // it has looked for the release before
		m.count(now)
	}
	switch {
	case p.asked():
	case e.Unwell != "":
		m.wasUnwell(t, e.Unwell, p.at, now)
		return
	default:
		return
	}
	if e.Detail != "" {
		p.cuts = append(p.cuts, m.cannotReach(t, e, now))
	}
	if e.Unwell != "" {
		f := m.fact(t, protocol.HealthLost, "its service no longer answers: "+e.Unwell, now)
		t.cause = f.Kind
		p.ills = append(p.ills, f)
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
	if f := m.unreached(); f != nil && m.unneeded() && !m.partition.late {
		m.partition.late, m.partition.ends = true, now.Add(lossLag)
		m.partition.open = map[roles.Task]bool{m.leader(f.Role).Task: true}
		return
	}
	m.partition.open = nil
	m.concludeBenchmark(now)
	if m.released && m.attribution.Verdict() == nil {
		m.stopServers()
	}
}
