package decide

import (
	"time"

	"github.com/disagg/disagg/pkg/decide/liveness"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// Options is what a machine must know besides the plan.
type Options struct {
	// JobEnds is when the scheduler will end the job; zero if unknown.
	JobEnds time.Time
}

// Machine is the state of one attempt and the decisions on it. It is not safe for concurrent use.
type Machine struct {
	plan  plan.Plan
	opts  Options
	tasks map[roles.Task]*task
	order []roles.Task // of the plan
	needs map[roles.Role]needs

	phase  protocol.Phase
	since  map[protocol.Phase]time.Time
	extra  time.Duration // that the hub missed in this phase
	origin time.Time     // of all moments: by a clock that nobody sets
	clock  liveness.Clock
	pause  pause // of the hub, the last one
	// missedAll is how long the hub did not run, in all.
	missedAll time.Duration

	attribution Attribution
	preflight   preflight
	partition   partition
	clocks      map[string][]*hostClock // by host
	inquiries   map[string]*inquiry     // about hosts, by name
	released    bool                    // the servers are no longer needed
	held        held
	// allAsked says that all of the job is to end: whoever started the steps was asked, or has ended.
	allAsked    bool
	benchFailed bool // the benchmark ended by itself, and not well
	benchEnd    time.Time
	readBy      time.Time        // when its results must have been read; zero if nobody waits for them
	points      []protocol.Point // of the first measurement
	again       again
	regression  *protocol.RegressionVerdict // nil: there was no comparison
	regressed   *protocol.Cause             // what follows from it; nil: nothing
	canceller   protocol.CancelRequest      // who asked for the end of the job; nobody is known without a name
	disk        Disk                        // how the run directory answers the hub
	look        time.Time                   // when an agent may count as lost; zero: not before something happens
	late        int                         // how often in a row that look was put off

	effects []Effect // of the present step
}

// needs is what a role needs, by the plan: the addresses of some roles, and others to serve.
type needs struct{ address, ready []roles.Role }

// task is what is known of one rank.
type task struct {
	roles.Task
	hello               *protocol.Hello
	firstSeen           time.Time
	presence            presence
	clock               *hostClock // of its host
	startSent, stopSent bool
	started             bool
	ready               bool
	address             string
	version             string // of the engine, as its service says it
	unready             string // why its service does not answer
	progress            *protocol.Progress
	exited              bool
	gone                bool // stopped, lost, or said goodbye
	lost                bool // gone without a word
	silent              bool // lost, and its connection never ended: the host may have vanished
	withHost            bool // lost, and its host has vanished
	asked               bool // it was told to end, by a person or the scheduler
	kept                bool // it was told to keep its child, and to leave
	outcome             *protocol.Outcome
	fellAt              time.Time // when its child ended unasked, by the hub's clock
	askedAt             time.Time // when it was told to end, by a person or the scheduler
	killed              bool      // it was, by somebody else as it seems
	cause               protocol.CauseKind
	diagnosis           protocol.Diagnosis // what the scheduler says about its step
	stepEnded           bool               // since it came: it will not come back
}

func (t *task) host() string {
	if t.hello == nil {
		return ""
	}
	return t.hello.Node
}

// New begins an attempt.
func New(p plan.Plan, o Options, now time.Time) *Machine {
	m := &Machine{
		plan: p, opts: o, tasks: map[roles.Task]*task{}, phase: protocol.Launching,
		since:     map[protocol.Phase]time.Time{protocol.Launching: now},
		inquiries: map[string]*inquiry{}, clocks: map[string][]*hostClock{},
		clock: liveness.Clock{Beat: p.Timeouts.Heartbeat.Std()}, needs: map[roles.Role]needs{},
		again: newAgain(p.Policy.Measurements),
	}
	m.attribution.DependsOn = m.dependsOn
	m.preflight = newPreflight(p)
	for _, pl := range p.Layout.Placements {
		address, ready := p.Needed(pl.Role)
		m.needs[pl.Role] = needs{address, ready}
		for _, t := range pl.Tasks() {
			m.tasks[t] = &task{Task: t, presence: presence{silence: liveness.Silence{Limit: p.Timeouts.Lost.Std()}}}
			m.order = append(m.order, t)
		}
	}
	m.clock.Tick(now) // from now on a pause of the hub is noticed
	m.origin = now
	return m
}

// Step takes in what happened and returns what is to be done about it, in order. Inputs about tasks that the plan does
// not have are ignored.
func (m *Machine) Step(in Input, now time.Time) []Effect {
	m.effects = nil
	now = m.origin.Add(now.Sub(m.origin)) // also if the hub's own clock was set meanwhile
	if missed := m.clock.Tick(now); missed > 0 {
		m.pause = pause{missed + m.clock.Beat, now}
		m.missedAll += missed
		m.missed(missed)
	}
	m.take(in, now)
	m.expire(now)
	if _, routine := in.(Alive); !routine || len(m.effects) > 0 {
		m.advance(now)
	}
	return m.effects
}

func (m *Machine) take(in Input, now time.Time) {
	switch in := in.(type) {
	case Attached:
		m.with(in.Task, func(t *task) { m.attach(t, in.Hello, now) })
	case Alive:
		m.with(in.Task, func(t *task) { m.heard(t, in.Sent, now) })
	case Back:
		m.with(in.Task, func(t *task) { m.heard(t, time.Time{}, now) })
	case Broke:
		m.with(in.Task, func(t *task) { m.broke(t, in, now) })
	case Bye:
		m.with(in.Task, func(t *task) { m.heard(t, time.Time{}, now); t.gone = true; m.left(t, now) })
	case Reported:
		m.with(in.Task, func(t *task) { m.heard(t, in.Event.At, now); m.event(t, in.Event, now) })
	case Step:
		m.with(roles.Task{Role: in.Report.Role}, func(*task) { m.step(in.Report, now) })
	case Measured:
		m.measured(in.Points, now)
	case Judged:
		m.judged(in, now)
	case Visible:
		m.with(in.Task, func(t *task) { m.visible(t, in.OK, now) })
	case Disk:
		m.disk = in
	case Cancel:
		m.benchmark().asked = true
		m.allAsked = m.allAsked || in.All
		m.cancel(in.Detail, now)
	}
}

func (m *Machine) with(t roles.Task, do func(*task)) {
	if known := m.tasks[t]; known != nil {
		do(known)
	}
}

func (m *Machine) do(e Effect) { m.effects = append(m.effects, e) }

func (m *Machine) send(t roles.Task, c protocol.Command) { m.do(Send{Task: t, Command: c}) }

func (m *Machine) leader(r roles.Role) *task { return m.tasks[roles.Task{Role: r}] }

func (m *Machine) benchmark() *task { return m.tasks[roles.Hub()] }

// Phase is what the job is waiting for.
func (m *Machine) Phase() protocol.Phase { return m.phase }

// Over tells whether the job is over and nothing is left of any agent.
func (m *Machine) Over() bool { return m.phase == protocol.Over }

// missed moves every deadline on by a pause of the hub.
func (m *Machine) missed(d time.Duration) {
	m.extra += d
	m.attribution.Missed(d)
	m.partition.ends = m.partition.ends.Add(d)
	m.held.ends = m.held.ends.Add(d)
	if !m.readBy.IsZero() {
		m.readBy = m.readBy.Add(d)
	}
	if !m.again.judgeBy.IsZero() {
		m.again.judgeBy = m.again.judgeBy.Add(d)
	}
	for _, t := range m.tasks {
		t.presence.missed(m.pause)
	}
	if !m.look.IsZero() {
		m.look = m.look.Add(d)
	}
}

// Deadline is when the machine must be given a Tick at the latest, if nothing happens before.
func (m *Machine) Deadline(now time.Time) time.Time {
	var asked, held time.Time
	if m.phase == protocol.Stopping {
		asked = m.askedBy()
	}
	if len(m.held.facts) > 0 {
		held = m.held.ends
	}
	first := earliest(m.phaseEnds(), m.attribution.Deadline(), m.partition.deadline(), m.readBy, m.again.judgeBy,
		m.look, asked, held)
	if first.IsZero() {
		return first
	}
	return earliest(first, now.Add(m.clock.Beat)) // while it waits, its clock must notice a pause
}

// earliest is the first of some times, of which zero is none.
func earliest(times ...time.Time) (first time.Time) {
	for _, at := range times {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}
