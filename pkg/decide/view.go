package decide

import (
	"slices"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// Cause is the first cause, nil if there is none.
func (m *Machine) Cause() *protocol.Cause {
	if f := m.attribution.Verdict(); f != nil {
		return &f.Cause
	}
	return nil
}

// Compared takes what a comparison with earlier runs says, once everything else is over. It fails a run in which
// nothing else failed, if the plan wants that.
func (m *Machine) Compared(v protocol.RegressionVerdict, now time.Time) {
	m.regression = &v
	mode := m.plan.Gate.Mode
	worse := v.Status == protocol.RegressionFailed && (mode == plan.GateFail || mode == plan.GateStrict)
	unclear := v.Status != protocol.RegressionPassed && mode == plan.GateStrict
	if worse || unclear {
		m.regressed = &protocol.Cause{
			Role: roles.Hub().Role, Subject: "the results", Kind: protocol.Regression, Detail: v.Reason, At: now.UTC(),
		}
	}
}

// View is state.json.
func (m *Machine) View(now time.Time) protocol.State {
	s := protocol.State{
		Schema: 1, At: now.UTC(), Phase: m.phase, Cause: m.Cause(), Points: append([]protocol.Point{}, m.points...),
	}
	for _, points := range m.again.points {
		s.Points = append(s.Points, points...)
	}
	for _, pl := range m.plan.Layout.Placements {
		lead := m.leader(pl.Role)
		rs := protocol.RoleState{
			Role: pl.Role, Ranks: pl.Ranks, Ready: lead.ready, Address: lead.address, Unready: lead.unready,
		}
		if !lead.ready && !lead.exited {
			rs.Progress = lead.progress
		}
		for _, name := range pl.Tasks() {
			t := m.tasks[name]
			rs.Attached += count(t.hello != nil)
			rs.Started += count(t.started)
			rs.Exited += count(t.exited)
			rs.Gone += count(t.gone)
		}
		s.Roles = append(s.Roles, rs)
	}
	return s
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// Times are what the phases are measured by, besides what the machine knows. All may be zero.
type Times struct {
	Submitted  time.Time
	BatchStart time.Time
	Installed  time.Time // when preparing the nodes was over
}

// Result puts the verdict together; who and where the job is, the caller adds.
func (m *Machine) Result(times Times, now time.Time) protocol.Result {
	r := protocol.Result{
		Schema: 1, Case: m.plan.Case.Name, TestID: m.plan.Case.TestID,
		StartedAt: m.since[protocol.Launching].UTC(), EndedAt: now.UTC(),
		FirstCause: m.verdict(), Secondary: m.attribution.Secondary(), Phases: m.phases(times, now),
		Points: append([]protocol.Point{}, m.points...), Roles: []protocol.RankOutcome{}, Regression: m.regression,
		Again: slices.Clone(m.again.points), Kept: m.someAreKept(),
	}
	r.Verdict, r.ExitCode = protocol.Judge(r.FirstCause)
	processes := mostProcesses
	for _, name := range m.order {
		t := m.tasks[name]
		r.Roles = append(r.Roles, protocol.RankOutcome{
			Role: name.Role, Rank: name.Rank, Host: t.host(), Cause: t.cause,
			FirstSeen: t.firstSeen, LastSeen: t.presence.silence.Last(), Outcome: cut(t.outcome, &processes),
		})
	}
	return r
}

// mostProcesses is how many processes that outlived their parents, or could not be ended, a verdict names, of all ranks
// together.
const mostProcesses = 256

// cut cuts an outcome's lists of processes to what is left of a number.
func cut(o *protocol.Outcome, left *int) *protocol.Outcome {
	if o == nil {
		return nil
	}
	short := *o
	short.Survivors = short.Survivors[:min(len(short.Survivors), *left)]
	*left -= len(short.Survivors)
	short.Orphans = short.Orphans[:min(len(short.Orphans), *left)]
	*left -= len(short.Orphans)
	return &short
}

// seconds is a duration in seconds, to the millisecond.
func seconds(d time.Duration) float64 { return max(d, 0).Round(time.Millisecond).Seconds() }

func (m *Machine) phases(times Times, now time.Time) protocol.PhaseTimes {
	between := func(from, to time.Time) float64 {
		if from.IsZero() || to.IsZero() {
			return 0
		}
		return seconds(to.Sub(from))
	}
	begun := times.BatchStart
	if begun.IsZero() {
		begun = m.since[protocol.Launching]
	}
	installed := times.Installed
	if installed.IsZero() {
		installed = begun
	}
	launched := m.since[protocol.Checking]
	if launched.IsZero() {
		launched = m.since[protocol.Readying]
	}
	p := protocol.PhaseTimes{
		Queue: between(times.Submitted, begun), Install: between(begun, installed),
		Launch:    between(installed, launched),
		Preflight: between(launched, m.since[protocol.Readying]),
		Ready:     between(m.since[protocol.Readying], m.since[protocol.Measuring]),
		Benchmark: between(m.since[protocol.Measuring], m.benchEnd), Stop: between(m.since[protocol.Stopping], now),
	}
	return p
}

// Host is where a task runs, "" while that is not known.
func (m *Machine) Host(t roles.Task) string {
	if known := m.tasks[t]; known != nil {
		return known.host()
	}
	return ""
}
