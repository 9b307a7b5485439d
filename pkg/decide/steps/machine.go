package steps

import (
	"fmt"
	"slices"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// How long steps that are left are waited for once the hub's own has ended: as long as something arrives from them.
const (
	quietBound = time.Second
	leaveBound = 10 * time.Second
	// Once another step has ended the hub is asked now and then whether it lives. One that has not answered several
	// times in a row hangs.
	askHubEvery = 3 * time.Second
	mostSilent  = 2
	// sayEvery bounds how often the hub is told what the scheduler says about one step.
	sayEvery = time.Second
)

// step is what is known of one role's step.
type step struct {
	role      roles.Role
	tries     int
	again     time.Time // when it is started once more; zero: it is not waiting for that
	ended     bool      // for good
	code      int
	diagnosis protocol.Diagnosis
	ranks     map[int][]int // reported to have ended
	gone      map[int][]int // that have ended, as the scheduler says
	goneAt    time.Time     // when the first of those that are not reported yet was heard of; zero: all are
	said      time.Time     // when the hub was last told
	unsaid    bool          // there is more to tell
	wanted    bool          // it is restarted once it has ended
}

// Machine is the state of a job's steps. It is not safe for concurrent use.
type Machine struct {
	policy  plan.Policy
	launch  time.Duration // a hub may take so long to appear
	steps   []*step
	begun   time.Time           // when this was made
	failed  protocol.StepReport // the first step that ended for good, but for the hub's
	now     time.Time           // of the last input
	asked   string              // why the end is wanted; "": it is not
	endedBy protocol.CauseKind  // on whose account
	intact  bool                // no step had ended before that
	code    int                 // of the hub's step
	over    time.Time           // when that ended; zero before
	heard   time.Time           // when something last arrived from the others
	askHub  time.Time           // when the hub is to be asked whether it lives; zero: not while others are left
	silent  int                 // how often in a row it has not answered
	asking  bool                // it is being asked
	hung    bool                // it hangs
	useless bool                // it had not appeared when the end was wanted and all others had ended
	gone    bool                // it had ended when the end was wanted
	kept    bool                // servers are kept
	idle    time.Time           // when they have been for long enough; zero: never
	let     bool                // they were, and have been asked to stop
	effects []Effect
}

// New begins with the roles whose steps are about to be started. A hub may take as long to appear as agents have to
// arrive.
func New(list []roles.Role, p plan.Policy, launch time.Duration, now time.Time) *Machine {
	m := &Machine{policy: p, launch: launch, begun: now}
	for _, r := range list {
		m.steps = append(m.steps, &step{role: r, ranks: map[int][]int{}})
	}
	return m
}

func (m *Machine) find(r roles.Role) *step {
	i := slices.IndexFunc(m.steps, func(s *step) bool { return s.role == r })
	if i < 0 {
		return nil
	}
	return m.steps[i]
}

// Step takes in what happened and returns what is to be done about it, in order.
func (m *Machine) Step(in Input, now time.Time) []Effect {
	m.effects, m.now = nil, now
	switch in := in.(type) {
	case Said:
		if s := m.find(in.Role); s != nil && !s.ended {
			m.said(s, in, now)
		}
	case Ended:
		if s := m.find(in.Role); s != nil && !s.ended {
			m.ended(s, in, now)
		}
	case Output:
		m.heard = now
	case HubAnswered:
		m.hubAnswered(in)
	case Wanted:
		if s := m.find(in.Role); s != nil {
			m.wanted(s)
		}
	case InUse:
		m.use(now)
	case Asked:
		if hub := m.find(roles.Hub().Role); m.asked == "" && !m.asking && hub != nil && !hub.ended {
			m.ask()
		}
		m.intact = m.asked == "" && !m.failed.Ended || m.intact
		m.asked, m.endedBy = "the job was asked to end: "+in.Why, protocol.EndedBy(in.Ends, now)
		m.giveUp(now)
		m.letGo(now)
	}
	m.watchHub(now)
	m.expire(now)
	return m.effects
}

// watchHub begins to ask the hub whether it lives once another step has ended: those of agents that have lost their
// hub end by themselves, and a hub that hangs would keep all nodes until the job's limit. A step whose host vanished
// may not end for long.
func (m *Machine) watchHub(now time.Time) {
	hub := m.find(roles.Hub().Role)
	ended := hub != nil && !hub.ended && slices.ContainsFunc(m.steps, func(s *step) bool { return s.ended })
	switch {
	case !ended:
		m.askHub = time.Time{}
	case m.askHub.IsZero() && !m.asking && !m.hung:
		m.askHub = now.Add(askHubEvery)
	}
}

func (m *Machine) ask() {
	m.askHub, m.asking = time.Time{}, true
	m.do(AskHub{})
}

func (m *Machine) hubAnswered(in HubAnswered) {
	m.asking = false
	m.gone = m.gone || in.Gone && m.asked != ""
	switch {
	case in.OK:
		m.silent = 0
		return
	case in.Absent && m.now.Sub(m.begun) < m.launch && !m.nobodyElse(): // its container may still be made
		return
	}
	if m.silent++; m.silent < mostSilent || m.hung || !m.over.IsZero() {
		return
	}
	m.hung, m.useless = true, in.Absent && m.nobodyElse() && m.intact
	m.do(KillHub{})
}

// nobodyElse tells whether the end is wanted, and all steps but the hub's have ended: a hub that has not appeared yet
// has nothing left to do.
func (m *Machine) nobodyElse() bool {
	return m.asked != "" && !slices.ContainsFunc(m.steps, func(s *step) bool {
		return s.role != roles.Hub().Role && !s.ended
	})
}

// expire acts on what is due.
func (m *Machine) expire(now time.Time) {
	if !m.askHub.IsZero() && !now.Before(m.askHub) {
		m.ask()
	}
	if !m.idle.IsZero() && !now.Before(m.idle) {
		m.letGo(now)
	}
	for _, s := range m.steps {
		if at := m.reportAt(s); !at.IsZero() && !now.Before(at) {
			m.reportRanks(s, now)
		}
		if s.unsaid && now.Sub(s.said) >= sayEvery {
			m.tell(s, now)
		}
		if !s.again.IsZero() && !now.Before(s.again) {
			s.again = time.Time{}
			m.do(Start{Role: s.role})
		}
	}
}

func (m *Machine) do(e Effect) { m.effects = append(m.effects, e) }

// tell lets the hub know what the scheduler says about a step.
func (m *Machine) tell(s *step, now time.Time) {
	s.said, s.unsaid = now, false
	m.report(protocol.StepReport{Role: s.role, Diagnosis: s.diagnosis})
}

// giveUp starts nothing any more.
func (m *Machine) giveUp(now time.Time) {
	for _, s := range m.steps {
		if s.again.IsZero() {
			continue
		}
		s.again = time.Time{}
		m.seal(s)
		if s.role == roles.Hub().Role {
			m.finish(s, No, now)
		}
	}
}

// seal takes a step for over for good. What was last said of it goes along with the report of its end.
func (m *Machine) seal(s *step) {
	s.ended, s.unsaid = true, false
	m.do(Seal{Role: s.role})
}

func (m *Machine) report(r protocol.StepReport) { m.do(Report{Report: r}) }

func (m *Machine) ended(s *step, in Ended, now time.Time) {
	m.heard = now
	if s.wanted && m.asked == "" && (m.over.IsZero() || m.kept) {
		m.restart(s)
		return
	}
	s.wanted = false
	s.tries++
	s.code, s.again = in.Code, time.Time{}
	transient := s.diagnosis.Meaning == protocol.Transient && in.Code != 0
	pause, again := Pause(s.tries)
	if transient && in.Began == No && again && m.over.IsZero() && m.asked == "" {
		m.retry(s, pause, now)
		return
	}
	if s.role != roles.Hub().Role && !s.goneAt.IsZero() {
		m.reportRanks(s, now)
	}
	m.seal(s)
	if s.role == roles.Hub().Role {
		m.finish(s, in.Began, now)
		m.giveUp(now)
		m.keep(now)
		return
	}
	detail := fmt.Sprintf("the step ended with code %d before its agents reached the hub%s", in.Code, s.tried())
	report := protocol.StepReport{Role: s.role, Ended: true, Code: in.Code, Detail: detail, Diagnosis: s.diagnosis}
	if !m.failed.Ended {
		m.failed = report
	}
	m.report(report)
	if m.policy.Keep == plan.KeepPassed { // nobody is there who could restart it
		m.letGo(now)
	}
}

// tried says how often a step was tried, if that was more than once.
func (s *step) tried() string {
	if s.tries < 2 {
		return ""
	}
	return fmt.Sprintf(" (tried %d times)", s.tries)
}

// retry begins the pause before a step's next try. What was said of this one is told now: the next starts over.
func (m *Machine) retry(s *step, pause time.Duration, now time.Time) {
	if s.unsaid {
		m.tell(s, now)
	}
	s.diagnosis, s.ranks, s.gone, s.goneAt = protocol.Diagnosis{}, map[int][]int{}, nil, time.Time{}
	s.again = now.Add(pause)
	m.do(Retry{Role: s.role, After: pause})
}

// killed is the code of a step whose process was killed.
const killed = 128 + 9

// finish takes the end of the hub's step for the end of the job, and says what it means, should the hub have left no
// verdict.
func (m *Machine) finish(s *step, began Answer, now time.Time) {
	m.code, m.over = s.code, now
	kind, detail := protocol.StepFailed, fmt.Sprintf("the step never began: it ended with code %d%s", s.code, s.tried())
	if began != No {
		kind, detail = protocol.HubLost, fmt.Sprintf("it ended without a verdict, with code %d", s.code)
	}
	if line := s.diagnosis.Line; line != "" {
		detail += ": " + line
	}
	role, subject := s.role, ""
	switch {
	case m.useless:
		kind, detail, subject = m.endedBy, m.asked, protocol.WholeJob
	case m.hung && began == No && m.failed.Ended: // it never heard of that
		role, kind, detail = m.failed.Role, protocol.StepFailed, m.failed.Detail
		if line := m.failed.Diagnosis.Line; line != "" {
			detail += ": " + line
		}
	case m.hung && began != No:
		detail = "it hung: it no longer answered after other roles had ended"
	case s.diagnosis.Meaning == protocol.OutOfTime:
		kind, subject = protocol.TimeLimit, protocol.WholeJob
	case m.asked != "" && !m.gone && !(m.asking && s.code == killed): // a hub that lives would have answered first
		kind, detail, subject = m.endedBy, m.asked, protocol.WholeJob
	}
	m.do(Conclude{Asked: m.asked != "", Cause: protocol.Cause{
		Role: role, Subject: subject, Kind: kind, Detail: detail, At: now.UTC(),
	}})
}

// Knew is the cause that a hub had found before it was lost. If it had heard that a step was asked to end, it may have
// been lost before it heard that all of the job was.
func Knew(found protocol.Cause, asked bool) protocol.Cause {
	if asked && found.Kind == protocol.CauseCancelled && found.Subject == "" {
		found.Subject = protocol.WholeJob
	}
	return found
}

// Leave tells whether it is time to leave, and with which code: the hub's step has ended, and so have all others, or
// nothing arrives from them any more.
func (m *Machine) Leave(now time.Time) (code int, leave bool) {
	if m.find(roles.Hub().Role) == nil { // roles that are started by hand
		return m.steps[0].code, !m.left()
	}
	if m.over.IsZero() {
		return 0, false
	}
	return m.code, !m.left() || !m.kept && m.quiet(now)
}

// left tells whether any step is not over for good.
func (m *Machine) left() bool {
	return slices.ContainsFunc(m.steps, func(s *step) bool { return !s.ended })
}

// quiet tells whether what is left need not be waited for any longer.
func (m *Machine) quiet(now time.Time) bool {
	if m.let {
		return now.Sub(m.over) >= letBound
	}
	return now.Sub(m.heard) >= quietBound || now.Sub(m.over) >= leaveBound
}

// Deadline is when the machine must be given a Tick at the latest, zero if it has no need of one.
func (m *Machine) Deadline() (first time.Time) {
	sooner := func(at time.Time, holds bool) {
		if holds && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	waits := !m.over.IsZero() && m.left() && !m.kept && !m.quiet(m.now)
	sooner(m.heard.Add(quietBound), waits && !m.let)
	sooner(m.over.Add(letBound), waits && m.let)
	sooner(m.idle, !m.idle.IsZero())
	sooner(m.askHub, !m.askHub.IsZero())
	sooner(m.over.Add(leaveBound), waits && !m.let)
	for _, s := range m.steps {
		sooner(s.said.Add(sayEvery), s.unsaid)
		sooner(m.reportAt(s), !m.reportAt(s).IsZero())
		sooner(s.again, !s.again.IsZero())
	}
	return first
}
