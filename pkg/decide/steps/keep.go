package steps

import (
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// letBound is how long servers that were kept have to end: as long as Slurm gives them by default.
const letBound = 30 * time.Second

// Kept tells whether servers are kept for another measurement.
func (m *Machine) Kept() bool { return m.kept }

// keep goes on without the hub if the plan says so.
func (m *Machine) keep(now time.Time) {
	passed := m.code == protocol.ExitPassed
	if k := m.policy.Keep; k == "" || k == plan.KeepPassed && !passed || m.asked != "" || !m.left() {
		return
	}
	m.kept = true
	m.use(now)
}

// use lets the time start over after which servers that are kept are let go.
func (m *Machine) use(now time.Time) {
	if d := m.policy.KeepFor.Std(); m.kept && d > 0 {
		m.idle = now.Add(d)
	}
}

// letGo ends the time of servers that are kept.
func (m *Machine) letGo(now time.Time) {
	if !m.kept {
		return
	}
	m.kept, m.let, m.idle, m.over = false, true, time.Time{}, now
	for _, s := range m.steps {
		if s.wanted = false; !s.ended {
			m.do(Stop{Role: s.role})
		}
	}
}

// wanted restarts a step, once nothing is left of the one that runs. The hub's is none that can be.
func (m *Machine) wanted(s *step) {
	switch {
	case s.role == roles.Hub().Role || m.asked != "" || !m.over.IsZero() && !m.kept:
	case s.ended:
		m.restart(s)
	case !s.again.IsZero(): // its next try is the new one
		s.again = m.now
	case !s.wanted:
		s.wanted = true
		m.do(Stop{Role: s.role, Restart: true})
	}
}

// restart starts a step as if it never had been.
func (m *Machine) restart(s *step) {
	*s = step{role: s.role, ranks: map[int][]int{}}
	m.do(Start{Role: s.role})
}
