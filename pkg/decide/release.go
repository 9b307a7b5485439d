package decide

import (
	"slices"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// releaseBound is how long the hub's host is waited for when it is asked whether the benchmark has let the servers go.
// It mostly answers at once.
const releaseBound = 1500 * time.Millisecond

// release takes in that the benchmark has let the servers go. They are kept if they may be measured again.
func (m *Machine) release(now time.Time) {
	if m.mayMeasureAgain() || m.plan.Policy.Keep != "" {
		return
	}
	m.released = true
	m.letGo()
	m.beginPartition(now) // before they are stopped: should the benchmark have failed, this may be why
}

// held are ends of servers that ended well. The benchmark may have let them go: it tells so through a file, which a
// server may see before the hub does. They are failures if it has not.
type held struct {
	facts []Fact
	ends  time.Time // of the wait for an answer
}

// hold keeps the end of a server that ended well until the hub's host has looked for the release. It counts at once if
// there can be none, or if the hub's agent has ended: it has looked before.
func (m *Machine) hold(f Fact, now time.Time) {
	if m.since[protocol.Measuring].IsZero() || m.plan.Spec(roles.Hub().Role).Release == "" || m.benchmark().gone {
		m.endedEarly(f, now)
		return
	}
	if len(m.held.facts) == 0 {
		m.held.ends = now.Add(releaseBound)
	}
	m.held.facts = append(m.held.facts, f)
	m.send(roles.Hub(), protocol.Command{Kind: protocol.CommandCheck})
}

// accountsFor tells whether it is open for all of these roles whether their servers may have ended: that nobody answers
// there is no news.
func (h *held) accountsFor(list []roles.Role) bool {
	isHeld := func(r roles.Role) bool {
		return slices.ContainsFunc(h.facts, func(f Fact) bool { return f.Task() == roles.Task{Role: r} })
	}
	return len(list) > 0 && !slices.ContainsFunc(list, func(r roles.Role) bool { return !isHeld(r) })
}

// endedEarly judges the end of a server that ended well although it was needed. A rank launcher lets its workers go, in
// good order, when the command of rank 0 has died, and only then ends itself: the workers are reported first.
func (m *Machine) endedEarly(f Fact, now time.Time) {
	if f.LetGo {
		m.ruled(m.attribution.Presume(f, m.leaderLag(f.Role), now), now)
		return
	}
	m.fail(f, now)
}

// letGo takes in that servers are no longer needed.
func (m *Machine) letGo() {
	for _, f := range m.held.facts {
		m.tasks[f.Task()].cause = ""
	}
	m.held = held{}
	m.attribution.Release()
}

// count lets ends that are held count: nobody has let the servers go.
func (m *Machine) count(now time.Time) {
	facts := m.held.facts
	m.held = held{}
	for _, f := range facts {
		m.endedEarly(f, now)
	}
}

// unneeded tells whether servers are no longer needed.
func (m *Machine) unneeded() bool { return m.released || m.attribution.Closed() }
