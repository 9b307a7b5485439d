package decide

import (
	"slices"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// keeps tells whether a rank keeps its child when the others stop, for another measurement: as the plan says, unless
// all of the job is to end, or something is wrong with the rank's role.
func (m *Machine) keeps(t *task) bool {
	f := m.attribution.Verdict()
	switch {
	case m.plan.Policy.Keep == "" || t.Role == roles.Hub().Role || m.allAsked:
		return false
	case f == nil:
	case m.plan.Policy.Keep != plan.KeepAlways || f.Kind == protocol.TimeLimit || f.Role == t.Role:
		return false
	}
	pl, _ := m.plan.Layout.Find(t.Role) // it is the plan's
	return !slices.ContainsFunc(pl.Tasks(), func(other roles.Task) bool {
		o := m.tasks[other]
		return o.exited || o.asked || o.lost || o.hello == nil
	})
}

// served tells whether a server is here that was kept.
func (m *Machine) served() bool {
	return slices.ContainsFunc(m.order, func(t roles.Task) bool {
		h := m.tasks[t].hello
		return h != nil && h.Served
	})
}

// someAreKept tells whether a server left with its child.
func (m *Machine) someAreKept() bool {
	return slices.ContainsFunc(m.order, func(t roles.Task) bool { return m.tasks[t].kept && !m.tasks[t].lost })
}
