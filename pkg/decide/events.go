package decide

import (
	"fmt"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

func (m *Machine) event(t *task, e protocol.Event, now time.Time) {
	switch e.Kind {
	case protocol.EventStarted:
		t.started = true
	case protocol.EventAddress:
		t.address = e.Address
	case protocol.EventVersion:
		t.version = e.Detail
	case protocol.EventReady:
		t.ready, t.unready = true, ""
	case protocol.EventUnready:
		t.unready = e.Detail
	case protocol.EventProgress:
		t.progress = e.Progress
	case protocol.EventRelease:
		m.release(now)
	case protocol.EventUnhealthy, protocol.EventStalled:
		if m.phase == protocol.Stopping {
			m.wasUnwell(t, e.Detail, t.when(e.Since, now, m.plan.Timeouts.Benchmark.Std()), now)
		} else {
			m.unwell(t, e, now)
		}
	case protocol.EventUnreachable:
		if m.serving() && !m.held.accountsFor(e.Peers) {
			m.fail(m.cannotReach(t, e, now), now)
		}
	case protocol.EventReached:
		m.reached(t, e, now)
	case protocol.EventChecked:
		m.checked(t, e, now)
	case protocol.EventPreflight:
		m.found(t, e, now)
	case protocol.EventLeaving:
		m.asked(t, e, now)
	case protocol.EventWarned:
		if m.phase != protocol.Stopping {
			m.fail(m.fact(m.benchmark(), protocol.TimeLimit, e.Detail, now), now)
		}
	case protocol.EventExited:
		t.exited = true
		m.exited(t, e, now)
		m.keep(t, *e.Outcome)
	case protocol.EventStopped:
		t.gone, t.exited = true, true
		m.left(t, now)
		m.explain(t, *e.Outcome)
		m.keep(t, *e.Outcome)
	}
	if t.Task == roles.Hub() {
		switch e.Kind {
		case protocol.EventStarted:
			m.do(Follow{Measurement: m.again.number})
		case protocol.EventExited:
			m.do(EndFollow{})
		}
	}
}

// keep keeps an outcome without what makes the verdict large when a thousand ranks fail: the log lines of the first
// cause are with the cause, and every cause says what its rank's headline says.
func (m *Machine) keep(t *task, o protocol.Outcome) {
	brief := o.Brief()
	brief.Headline = ""
	t.outcome = &brief
}

// asked takes in that an agent was told to end, by a person or by the scheduler.
func (m *Machine) asked(t *task, e protocol.Event, now time.Time) {
	t.asked = true
	f := m.fact(t, protocol.EndedBy(m.opts.JobEnds, now), e.Detail, now)
	f.Whole = m.wasAsked()
	t.date(&f, e.At, now, m.plan.Timeouts.Lost.Std()+m.heldUp(now))
	t.askedAt = f.Since
	if first := m.attribution.Verdict(); first == nil || first.Kind != f.Kind { // else it is the same request
		m.fail(f, now)
	}
}

// serving tells whether services have to answer.
func (m *Machine) serving() bool {
	return (m.phase == protocol.Readying || m.phase == protocol.Measuring) && !m.released
}

// cannotReach is what a leader says of roles that its host cannot reach. Not the one who noticed is the subject, but
// the first of those: its own agent, if it is there, may know more.
func (m *Machine) cannotReach(t *task, e protocol.Event, now time.Time) Fact {
	for _, r := range e.Peers {
		if peer := m.leader(r); peer != nil && peer != t {
			f := m.fact(peer, protocol.HealthLost, e.Detail, now)
			f.Symptom, peer.cause = true, protocol.HealthLost
			return f
		}
	}
	t.cause = protocol.HealthLost
	return m.fact(t, protocol.HealthLost, e.Detail, now)
}

// wasUnwell takes in that the service of a rank did not answer before the rank was told to stop: if it is what failed
// is about, or needed, that is why.
func (m *Machine) wasUnwell(t *task, why string, since, now time.Time) {
	first := m.attribution.Verdict()
	if first == nil || !(t.Role == first.Role && first.Symptom || m.dependsOn(first.Role, t.Role)) {
		return
	}
	f := m.fact(t, protocol.HealthLost, "its service no longer answers: "+why, now)
	f.Since, t.cause = since, f.Kind
	m.fail(f, now)
}

// unwell judges what an agent says of its own service. One that was kept, and has not been taken over yet, may be about
// to be replaced.
func (m *Machine) unwell(t *task, e protocol.Event, now time.Time) {
	if !m.serving() || !t.started && t.hello.Served {
		return
	}
	kind, detail := protocol.HealthLost, e.Detail
	switch e.Kind {
	case protocol.EventUnhealthy:
		detail = "its service no longer answers: " + e.Detail
	case protocol.EventStalled:
		kind, detail = protocol.Stalled, "it makes no progress: "+e.Detail
	}
	t.unready, t.cause = e.Detail, kind
	m.fail(m.fact(t, kind, detail, now), now)
}

// step takes in what the starter of a role's step reports.
func (m *Machine) step(r protocol.StepReport, now time.Time) {
	pl, _ := m.plan.Layout.Find(r.Role) // the tasks are those of the plan
	if !r.JobEnds.IsZero() {
		m.opts.JobEnds = r.JobEnds
	}
	if r.Cancel != "" {
		m.allAsked = true
		m.cancel(r.Cancel, now)
	}
	for _, name := range pl.Tasks() {
		t := m.tasks[name]
		if r.Diagnosis.Line != "" {
			t.diagnosis = r.Diagnosis
		}
		if r.Ended {
			m.stepEnded(t)
		}
	}
	absent := m.absent(pl, r)
	if absent == nil || m.phase == protocol.Stopping {
		return // its agents know better
	}
	detail := r.Detail
	if line := r.Diagnosis.Line; line != "" {
		detail += ": " + line
	}
	kind := protocol.StepFailed
	if k, ok := m.means(r.Diagnosis.Meaning, now); ok {
		kind = k
	}
	absent.asked = r.Diagnosis.Meaning == protocol.Asked
	absent.cause = kind
	m.do(NeverCame{Task: absent.Task, Detail: detail})
	if r.Diagnosis.Meaning == protocol.HubSilent && m.stoodStill(now) {
		m.failHub(absent, m.pause, now)
		return
	}
	m.fail(m.fact(absent, kind, detail, now), now)
}

// stepEnded notes that an agent's step has ended: whoever has lost its connection is not waited for as long as one that
// stood still.
func (m *Machine) stepEnded(t *task) {
	t.stepEnded = true
	if !t.gone && !t.presence.brokeAt.IsZero() {
		m.awaitReturn(t)
	}
}

// absent is the first task that a report says has ended although its agent never arrived.
func (m *Machine) absent(pl roles.Placement, r protocol.StepReport) *task {
	ended := map[int]bool{}
	for _, rank := range r.Ranks {
		ended[rank] = true
	}
	early := r.Diagnosis.Meaning == protocol.Asked || r.Diagnosis.Meaning == protocol.HubSilent // it says so itself
	for _, name := range pl.Tasks() {
		if t := m.tasks[name]; t.hello == nil && (r.Ended || ended[name.Rank] || early) {
			return t
		}
	}
	return nil
}

// exited judges the end of a child.
func (m *Machine) exited(t *task, e protocol.Event, now time.Time) {
	if t.Task == roles.Hub() {
		m.benchEnd = now
	}
	o := *e.Outcome
	switch {
	case o.StopReason != "":
		return // it was asked to
	case t.Task == roles.Hub() && o.Clean():
		m.readBy = now.Add(readBound)
		return // judged with its points
	case m.unneeded() && o.Clean():
		return // servers may end once they are no longer needed
	case t.Leader() && o.Clean() && m.plan.Spec(t.Role).Measures && m.serving():
		m.measuredItself(now)
		return
	}
	kind, detail := Describe(t.Task, o)
	f := m.fact(t, kind, detail, now)
	t.date(&f, o.EndedAt, now, m.plan.Timeouts.Lost.Std()+m.heldUp(now))
	if !o.EndedBy.IsZero() {
		f.By = t.when(o.EndedBy, now, m.plan.Timeouts.Lost.Std()+m.heldUp(now))
	}
	f.Code, f.Weak = e.Code, mayBeScheduler(o)
	t.fellAt, t.killed = f.Since, f.Weak
	f.Quote(o)
	t.cause = kind
	switch {
	case t.Task == roles.Hub() && m.phase == protocol.Measuring:
		m.benchFailed = true
		m.blameBenchmark(f, now)
	case o.Clean():
		f.LetGo = !t.Leader()
		m.hold(f, now)
	default:
		m.fail(f, now)
	}
}

// leaderLag is how long the end of the leader is waited for when another rank has ended well. One that measures itself
// may still have its results to judge.
func (m *Machine) leaderLag(r roles.Role) time.Duration {
	if m.plan.Spec(r).Measures {
		return readBound
	}
	return settle
}

// measuredItself takes in that a worker which measures itself is done: its points are read, and judged then. Its other
// ranks end because it did, whoever of them is heard first.
func (m *Machine) measuredItself(now time.Time) {
	m.attribution.Withdraw()
	m.released, m.benchEnd, m.readBy = true, now, now.Add(readBound)
	if m.phase == protocol.Readying { // it was done before anybody saw that it had begun
		m.enter(protocol.Measuring, now)
		m.do(Follow{})
	}
	m.do(EndFollow{})
}

// mayBeScheduler tells whether a child was ended in a way in which Slurm ends the rest of a step.
func mayBeScheduler(o protocol.Outcome) bool {
	name := o.Signal
	if name == "" {
		name = signalName(o.Code)
	}
	return name == "SIGKILL" || name == "SIGTERM"
}

// signalName is the signal that a shell's exit code (128+n) stands for, "" if it is none that ends processes.
func signalName(code int) string {
	return map[int]string{
		1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL",
		10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM", 24: "SIGXCPU",
		25: "SIGXFSZ", 31: "SIGSYS",
	}[code-128]
}

// Describe tells what the end of a task's child means.
func Describe(t roles.Task, o protocol.Outcome) (protocol.CauseKind, string) {
	because := ""
	if o.Headline != "" {
		because = ": " + o.Headline
	}
	switch {
	case !o.Started:
		return protocol.NeverStarted, o.Error
	case o.OOM && o.MemoryLimit > 0:
		return protocol.OOM, fmt.Sprintf("ran out of memory: the limit is %d MiB", o.MemoryLimit>>20)
	case o.OOM:
		return protocol.OOM, "ran out of memory"
	case o.Signal != "":
		return protocol.ChildSignal, "killed by " + o.Signal + because
	case o.Outlived:
		return protocol.ChildExit, "ended, and its launcher went on without it" + because
	case t == roles.Hub():
		return protocol.BenchmarkFailed, fmt.Sprintf("the benchmark exited with code %d%s", o.Code, because)
	case o.Code == 0:
		return protocol.ChildExit, "exited with code 0 before the benchmark was done"
	}
	if name := signalName(o.Code); name != "" {
		because = fmt.Sprintf(" (what it ran was ended by %s)%s", name, because)
	}
	return protocol.ChildExit, fmt.Sprintf("exited with code %d%s", o.Code, because)
}

// explain completes the first cause with what is only known once the child's output is complete.
func (m *Machine) explain(t *task, o protocol.Outcome) {
	f := m.attribution.Verdict()
	switch {
	case f == nil, f.Task() != t.Task, f.Loss:
	case o.StopReason == "" && f.Kind == t.cause:
		f.Kind, f.Detail = Describe(t.Task, o)
		t.cause = f.Kind
		if len(o.Tail) > 0 {
			f.Quote(o)
		}
	case len(o.Excerpt) > 0 && isStandstill(f.Kind):
		f.Quote(o)
	}
}

// isStandstill tells whether a child did not end by itself, and what it printed last may say why it was stopped.
func isStandstill(k protocol.CauseKind) bool {
	return k == protocol.ReadyTimeout || k == protocol.HealthLost || k == protocol.Stalled
}
