package decide

import (
	"fmt"
	"slices"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// fact is a fact about a task that is learned now.
func (m *Machine) fact(t *task, kind protocol.CauseKind, detail string, now time.Time) Fact {
	return Fact{
		Cause: protocol.Cause{Role: t.Role, Rank: t.Rank, Host: t.host(), Kind: kind, Detail: detail, At: now.UTC()},
		Since: now,
	}
}

// fail takes in a fact and acts on what it changes. If it cannot be why the benchmark failed, what has been answered
// until now tells why.
func (m *Machine) fail(f Fact, now time.Time) {
	if m.partition.asked() && !m.unneeded() && m.attribution.Outlives(f) {
		m.concludeBenchmark(now)
	}
	m.ruled(m.attribution.Observe(f), now)
}

func (m *Machine) ruled(r Ruling, now time.Time) {
	switch r {
	case Decided:
		if m.phase != protocol.Stopping {
			m.stopAll(now)
		}
	case Replaced:
		m.recode()
	}
}

// cancel ends the job because somebody asked for it, or the scheduler did when its time was over. While it is stopped
// already that may be why it failed.
func (m *Machine) cancel(detail string, now time.Time) {
	f := m.fact(m.benchmark(), protocol.EndedBy(m.opts.JobEnds, now), detail, now)
	f.Whole = m.allAsked
	if m.phase != protocol.Over && (m.phase != protocol.Stopping || m.attribution.Precedes(f)) {
		m.fail(f, now)
	}
}

// blameBenchmark takes the benchmark's failure for what it mostly is, a consequence: before it counts, every leader
// says whom it cannot reach, and whoever died is heard.
func (m *Machine) blameBenchmark(f Fact, now time.Time) {
	if !m.released {
		m.beginPartition(now)
	}
	m.ruled(m.attribution.Presume(f, partitionBound, now), now)
	if !m.partition.asked() {
		m.concludeBenchmark(now)
	}
}

// blameUnready takes a role that is not ready in time for what it may be, a consequence: a service that it needs may
// have been ready, and hang since.
func (m *Machine) blameUnready(now time.Time) {
	t := m.firstUnready()
	detail := fmt.Sprintf("not ready within %v", m.plan.Timeouts.Ready)
	if t.unready != "" {
		detail += ": " + t.unready
	}
	f := m.fact(t, protocol.ReadyTimeout, detail, now)
	if m.disk.Stuck {
		m.failLate(f, now)
		return
	}
	m.beginPartition(now)
	m.ruled(m.attribution.Presume(f, partitionBound, now), now)
}

// concludeBenchmark lets the benchmark's failure count, or what it is a consequence of.
func (m *Machine) concludeBenchmark(now time.Time) {
	presumed, unreached := m.attribution.Provisional(), m.unreached()
	switch {
	case presumed == nil:
	case unreached != nil:
		m.ruled(m.attribution.Observe(*unreached), now)
	case presumed.Role != roles.Hub().Role && presumed.Kind != protocol.ReadyTimeout:
		// It was there first, and has a deadline of its own.
	default:
		m.ruled(m.attribution.Expire(), now)
	}
}

// dependsOn tells whether a role needs another, or needs one that does.
func (m *Machine) dependsOn(r, other roles.Role) bool {
	seen := map[roles.Role]bool{}
	var depends func(roles.Role) bool
	leads := func(n roles.Role) bool { return n == other || depends(n) }
	depends = func(r roles.Role) bool {
		if seen[r] {
			return false
		}
		seen[r] = true
		return slices.ContainsFunc(m.needs[r].address, leads) || slices.ContainsFunc(m.needs[r].ready, leads)
	}
	return depends(r)
}
