package decide

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

func (m *Machine) enter(p protocol.Phase, now time.Time) {
	late := m.attribution.Provisional()
	if p == protocol.Measuring && late != nil && late.Kind == protocol.ReadyTimeout {
		m.attribution.Withdraw() // it was ready before anybody was blamed
	}
	m.phase, m.extra = p, 0
	m.since[p] = now
}

func (m *Machine) attach(t *task, h protocol.Hello, now time.Time) {
	fresh := task{
		Task: t.Task, hello: &h, firstSeen: now, presence: t.presence, diagnosis: t.diagnosis,
		clock: m.clockOf(h.Node, h.Booted),
	}
	*t = fresh
	m.heard(t, h.At, now)
	t.presence.fresh = true
	if t.Task != roles.Hub() { // the hub cannot be lost to itself
		m.lookBy(t.presence.deadline())
		m.watchOver(t, now)
	}
	switch m.phase {
	case protocol.Stopping:
		m.sendStop(t)
	case protocol.Launching:
		m.checkHost(t)
	}
}

// advance starts what can be started, and moves to the next phase when a phase is complete.
func (m *Machine) advance(now time.Time) {
	switch m.phase {
	case protocol.Over:
		return
	case protocol.Stopping:
		if m.allGone() && !now.Before(m.askedBy()) {
			m.count(now)
			m.enter(protocol.Over, now)
		}
		return
	case protocol.Launching:
		if !slices.ContainsFunc(m.order, func(t roles.Task) bool { return m.tasks[t].hello == nil }) {
			if m.plan.Policy.Interactive || m.served() {
				m.enter(protocol.Readying, now)
			} else {
				m.beginPreflight(now)
			}
		}
	}
	if m.phase == protocol.Checking || m.phase == protocol.Launching && !m.plan.Policy.Interactive {
		return // no model is loaded before every host was checked
	}
	for _, pl := range m.plan.Layout.Placements {
		m.startRole(pl)
	}
	if m.phase == protocol.Readying && m.benchmark().startSent {
		m.enter(protocol.Measuring, now)
		m.watchPeers()
	}
}

// startRole starts every rank of a role at once, when all of them are attached and what the role needs is there, unless
// it waits for that by itself: ranks of an MPI job wait for each other, with a limit.
func (m *Machine) startRole(pl roles.Placement) {
	if m.leader(pl.Role).startSent {
		return
	}
	tasks := pl.Tasks()
	if slices.ContainsFunc(tasks, func(t roles.Task) bool { return m.tasks[t].hello == nil }) {
		return
	}
	peers, ok := m.needed(pl.Role)
	if !ok && !m.plan.Spec(pl.Role).Needs.Early {
		return
	}
	for _, t := range tasks {
		m.tasks[t].startSent = true
		m.send(t, protocol.Command{Kind: protocol.CommandStart, Peers: peers})
	}
}

// watchPeers tells every leader whom it must be able to reach while the benchmark runs.
func (m *Machine) watchPeers() {
	for _, pl := range m.plan.Layout.Placements {
		m.watchPeersOf(pl.Role)
	}
}

func (m *Machine) watchPeersOf(of roles.Role) {
	peers := map[string]string{}
	for _, r := range m.plan.Peers(of) {
		if address := m.leader(r).address; address != "" {
			peers[r.String()] = address
		}
	}
	m.send(roles.Task{Role: of}, protocol.Command{Kind: protocol.CommandWatch, Peers: peers})
}

// needed are the addresses of what a role needs; ok tells whether all of it is there.
func (m *Machine) needed(r roles.Role) (peers map[string]string, ok bool) {
	needs := m.needs[r]
	if slices.ContainsFunc(needs.address, func(n roles.Role) bool { return m.leader(n).address == "" }) ||
		slices.ContainsFunc(needs.ready, func(n roles.Role) bool { return !m.serves(m.leader(n)) }) {
		return nil, false
	}
	peers = map[string]string{}
	for _, n := range slices.Concat(needs.address, needs.ready) {
		peers[n.String()] = m.leader(n).address
	}
	return peers, true
}

// serves tells whether a role can be used: its service has answered, or nothing is known of it but that it runs.
func (m *Machine) serves(t *task) bool {
	return t.ready || t.started && m.plan.Spec(t.Role).Ready == nil
}

// measured takes in all points of a measurement, once the benchmark has ended well.
func (m *Machine) measured(points []protocol.Point, now time.Time) {
	m.readBy = time.Time{}
	m.Points(points)
	if m.phase != protocol.Measuring || m.benchEnd.IsZero() || m.benchFailed {
		return
	}
	if fault := pointsFault(m.plan.Case.Load.Points(), points); fault != "" {
		m.blameBenchmark(m.fact(m.benchmark(), protocol.ResultsInvalid, m.ofMeasurement(fault), now), now)
		return
	}
	m.next(now)
}

// pointsFault tells why the points are not what the case asked for.
func pointsFault(want []int, got []protocol.Point) string {
	for i, c := range want {
		at := slices.IndexFunc(got, func(p protocol.Point) bool { return p.Index == i })
		if at < 0 {
			return fmt.Sprintf("the benchmark ended well but left no result for concurrency %d", c)
		}
		if got[at].Invalid != "" {
			return fmt.Sprintf("the result for concurrency %d does not count: %s", c, got[at].Invalid)
		}
	}
	return ""
}

// phaseEnds is the deadline of the present phase, zero if it has none.
func (m *Machine) phaseEnds() time.Time {
	t := m.plan.Timeouts
	var limit roles.Duration
	switch m.phase {
	case protocol.Launching:
		if m.plan.Policy.Interactive {
			return time.Time{} // people start roles when they like
		}
		limit = t.Launch
	case protocol.Checking:
		limit = t.Preflight
	case protocol.Readying:
		if m.attribution.Provisional() != nil {
			return time.Time{} // something has failed, and what counts is found out
		}
		limit = t.Ready
	case protocol.Measuring:
		limit = t.Benchmark
	case protocol.Stopping:
		limit = t.Stop + t.Settle
	default:
		return time.Time{}
	}
	return m.since[m.phase].Add(limit.Std() + m.extra)
}

// expire acts on every deadline that has passed.
func (m *Machine) expire(now time.Time) {
	m.lose(now)
	past := func(at time.Time) bool { return !at.IsZero() && !now.Before(at) }
	if past(m.partition.deadline()) || m.partition.asked() && m.allAnswered() {
		m.endPartition(now)
	}
	if past(m.attribution.Deadline()) {
		m.ruled(m.attribution.Expire(), now)
	}
	if len(m.held.facts) > 0 && past(m.held.ends) {
		m.count(now)
	}
	if past(m.readBy) {
		m.readBy = time.Time{}
		detail := fmt.Sprintf("the benchmark ended well but its results could not be read within %v", readBound)
		m.failLate(m.fact(m.benchmark(), protocol.ResultsInvalid, detail, now), now)
	}
	if past(m.again.judgeBy) {
		m.finish(now)
	}
	if past(m.phaseEnds()) {
		m.endPhase(now)
	}
}

// readBound is how long reading the benchmark's results may take once it has ended.
const readBound = 30 * time.Second

// endPhase acts on a phase that took too long.
func (m *Machine) endPhase(now time.Time) {
	limits := m.plan.Timeouts
	switch m.phase {
	case protocol.Launching:
		t, names := m.missing()
		detail := fmt.Sprintf("no agent arrived within %v: %s", limits.Launch, names)
		if line := t.diagnosis.Line; line != "" {
			detail += ": " + line
		}
		m.failLate(m.fact(t, protocol.NeverStarted, detail, now), now)
	case protocol.Checking:
		m.endPreflight(now)
	case protocol.Readying:
		m.blameUnready(now)
	case protocol.Measuring:
		detail := m.ofMeasurement(fmt.Sprintf("the benchmark ran for more than %v", limits.Benchmark))
		m.failLate(m.fact(m.benchmark(), protocol.Deadline, detail, now), now)
	case protocol.Stopping:
		for _, name := range m.order {
			if t := m.tasks[name]; t.hello != nil && !t.gone {
				t.gone, t.lost, t.cause = true, true, protocol.AgentLost
			}
		}
	}
}

// failLate fails the job because something took too long. While the run directory does not answer, that is why.
func (m *Machine) failLate(f Fact, now time.Time) {
	if m.disk.Stuck {
		f.Kind = protocol.DiskStuck
		f.Detail = fmt.Sprintf("the run directory does not answer (%s); meanwhile: %s", m.disk.What, f.Detail)
	}
	m.fail(f, now)
}

// missing names the agents that have not arrived, and returns the first of them, or the first about whose step the
// scheduler says something.
func (m *Machine) missing() (first *task, names string) {
	var list []string
	for _, name := range m.order {
		t := m.tasks[name]
		if t.hello != nil {
			continue
		}
		if first == nil || first.diagnosis.Line == "" && t.diagnosis.Line != "" {
			first = t
		}
		list = append(list, name.String())
	}
	const most = 8
	if len(list) > most {
		list = append(list[:most], fmt.Sprintf("and %d more", len(list)-most))
	}
	return first, strings.Join(list, ", ")
}

// firstUnready is the first role, in the order of the plan, that holds the others up.
func (m *Machine) firstUnready() *task {
	for _, name := range m.order {
		if t := m.tasks[name]; name.Leader() && t.startSent && !m.serves(t) {
			return t
		}
	}
	return m.benchmark()
}
