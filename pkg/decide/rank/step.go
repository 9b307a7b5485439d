package rank

import (
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

const (
	// readPatience is how much longer the benchmark's agent waits for a word: the hub, which is in the same process,
	// reads the results first.
	readPatience = time.Minute
	// signalLag is how much later than its child the agent may notice a signal that Slurm sent to both.
	signalLag = 50 * time.Millisecond
	// endMargin is how long the end of a child may take beyond the time for stopping it: the kill of what is left of
	// its tree, and the end of its log.
	endMargin = 5 * time.Second
)

// Step takes in what happened and returns what is to be done about it, in order. Once the rank is over nothing is.
func (m *Machine) Step(in Input, now time.Time) []Effect {
	m.effects = nil
	if m.over {
		return nil
	}
	switch in := in.(type) {
	case Begin:
		if !m.spec.needs {
			m.do(Prepare{})
			if m.plan.Policy.Interactive {
				m.start(protocol.Command{}, now)
			}
		}
	case Told:
		m.told(in.Command, now)
	case Asked:
		m.askedToStop(in.Name, now)
	case Warned: // the hub decides; this rank goes on until it is told
		m.tell(protocol.Event{
			Kind:   protocol.EventWarned,
			Detail: "the scheduler warns that the job's time is nearly over (" + in.Name + ")",
		}, now)
	case HubLost:
		m.hubLost(in.Why, now)
	case Started:
		m.started(in.PID, now)
	case Ended:
		m.ended(in.Outcome, now)
	case Outlived:
		if m.stage == running && m.stopped == "" && m.replace == nil {
			m.stage, m.outcome = ended, in.Outcome
			m.reportEnd(now)
			m.stop("what it runs has ended", false, now)
		}
	case DiskSilent:
		if m.Stopping() {
			m.do(Kill{Reason: m.stopped})
		}
	case Done:
		m.done(in.Outcome, now)
	}
	m.expire(now)
	m.leave(now)
	return m.effects
}

func (m *Machine) do(e Effect) { m.effects = append(m.effects, e) }

func (m *Machine) tell(e protocol.Event, now time.Time) {
	e.At = now
	m.do(Tell{Event: e})
}

func (m *Machine) told(c protocol.Command, now time.Time) {
	m.free = false
	switch c.Kind {
	case protocol.CommandPreflight:
		m.do(Preflight{Peers: c.Peers, Host: c.Host})
	case protocol.CommandStart:
		m.start(c, now)
	case protocol.CommandWatch:
		switch m.stage {
		case starting: // the benchmark itself: it is told at the same time
			m.watch = &c
		case running:
			m.do(Watch{Peers: c.Peers})
		}
	case protocol.CommandReach:
		m.do(Reach{Peers: c.Peers})
	case protocol.CommandCheck:
		m.do(Check{})
	case protocol.CommandKeep:
		if m.canKeep() {
			m.part(c.Reason)
			return
		}
		m.toldToStop(c, now)
	case protocol.CommandStop:
		m.toldToStop(c, now)
	}
}

func (m *Machine) toldToStop(c protocol.Command, now time.Time) {
	m.do(EndProbes{}) // what is told to end may stop answering
	m.code = c.Code
	m.stop(c.Reason, c.Finished, now)
}

// start starts the child, or, when nothing is left of it, the next one: the servers are measured again.
func (m *Machine) start(c protocol.Command, now time.Time) {
	switch {
	case m.stage == waiting: // and not stopped: it would be over
	case m.news && m.canKeep():
		m.serveAgain(c, now)
		return
	case m.stopped != "" || m.stage < ended || c.Measurement <= m.measurement:
		return
	case m.stage == ended:
		m.next = &c
		return
	}
	m.begin(c)
}

// begin starts a child: nothing is left of another.
func (m *Machine) begin(c protocol.Command) {
	m.stage, m.measurement, m.next, m.replace = starting, c.Measurement, nil, nil
	m.late, m.outcome, m.peers = time.Time{}, protocol.Outcome{}, c.Peers
	m.news, m.served = m.free, false
	m.do(Start{Peers: c.Peers, Measurement: c.Measurement})
}

func (m *Machine) started(pid int, now time.Time) {
	if m.stage != starting {
		return
	}
	m.stage, m.pid = running, pid
	if m.replace != nil {
		m.do(EndProbes{})
		m.do(Stop{Reason: otherPeers})
		return
	}
	m.tell(protocol.Event{Kind: protocol.EventStarted, PID: pid}, now)
	if m.watch != nil {
		m.do(Watch{Peers: m.watch.Peers})
		m.watch = nil
	}
	if m.stopped != "" { // while it was being started
		m.endChild(now)
	}
}

// askedToStop stops because of a signal, and lets the hub know: even if that has told it to stop before, it may want to
// know that this rank is not the only one which somebody wants to end.
func (m *Machine) askedToStop(name string, now time.Time) {
	if !m.asked {
		m.asked = true
		m.tell(protocol.Event{Kind: protocol.EventLeaving, Detail: "stopped by " + name}, now)
	}
	m.stop("signal "+name, false, now)
	if !m.judgeAt.IsZero() {
		m.reportEnd(now)
	}
}

func (m *Machine) stop(reason string, finished bool, now time.Time) {
	if m.stopped == "" {
		m.stopped, m.finished, m.replace = reason, finished, nil
	}
	switch m.stage {
	case starting:
		m.do(Abandon{Reason: reason})
	case running, ended:
		m.do(Stop{Reason: reason, Finished: finished, Patience: m.patience(finished)})
	}
	if m.stage != waiting && m.stage != done && m.leaveBy.IsZero() {
		m.leaveBy = now.Add(m.plan.Timeouts.Stop.Std() + m.patience(finished) + endMargin)
	}
}

// endChild stops a child that was started although the rank was to stop.
func (m *Machine) endChild(now time.Time) {
	m.do(Stop{Reason: m.stopped, Finished: m.finished, Patience: m.patience(m.finished)})
	m.leaveBy = now.Add(m.plan.Timeouts.Stop.Std() + m.patience(m.finished) + endMargin)
}

// patience is how long this rank may end by itself.
func (m *Machine) patience(finished bool) time.Duration {
	if !finished {
		return 0
	}
	return m.spec.follow
}

// ended takes in the end of the child's leader. Where Slurm tracks processes one by one it signals the child too, and
// the child may be the faster: a child that could have ended so is not judged before the agent had the time to see its
// own signal.
func (m *Machine) ended(o protocol.Outcome, now time.Time) {
	if m.stage == starting {
		m.stage = running
	}
	if m.stage != running {
		return
	}
	m.stage, m.outcome = ended, o
	if m.replace != nil {
		return
	}
	if m.stopped == "" && mayBeSignalled(o) {
		m.judgeAt = now.Add(signalLag)
		return
	}
	m.reportEnd(now)
}

// mayBeSignalled tells whether a child ended as one does that a signal asked to stop.
func mayBeSignalled(o protocol.Outcome) bool {
	switch o.Signal {
	case "SIGTERM", "SIGINT", "SIGUSR1":
		return true
	}
	const sigint, sigterm = 128 + 2, 128 + 15 // as a shell tells of them
	return o.Clean() || o.Code == sigint || o.Code == sigterm
}

// reportEnd reports at once how the child's leader ended, before what it left behind is gone.
func (m *Machine) reportEnd(now time.Time) {
	m.judgeAt = time.Time{}
	m.do(EndProbes{})
	o := m.outcome
	m.tell(protocol.Event{Kind: protocol.EventExited, Outcome: &o, Code: protocol.ChildCode(o)}, now)
}

func (m *Machine) done(o protocol.Outcome, now time.Time) {
	if m.stage < ended {
		m.ended(o, now)
	}
	m.stage, m.outcome = done, o
	if m.replace != nil {
		m.begin(*m.replace)
		return
	}
	m.late = now.Add(m.plan.Timeouts.Lost.Std())
	if m.task == roles.Hub() {
		m.late = m.late.Add(readPatience)
	}
	if m.next != nil {
		m.start(*m.next, now)
	}
}

// expire acts on deadlines that have passed.
func (m *Machine) expire(now time.Time) {
	past := func(at time.Time) bool { return !at.IsZero() && !now.Before(at) }
	if past(m.judgeAt) {
		m.reportEnd(now)
	}
	if past(m.late) && m.stopped == "" {
		m.stopped = "the hub says nothing of the end of this rank's child"
	}
	if past(m.leaveBy) && m.stage != done {
		m.outcome.StopReason = m.stopped
		m.outcome.Error = "it could not be ended in time"
		m.stage = done
	}
}

// leave ends the rank when nothing is left to do: there is no child, or nothing is left of it and its end was judged.
func (m *Machine) leave(now time.Time) {
	if !m.judgeAt.IsZero() {
		return
	}
	switch m.stage {
	case waiting:
		if m.stopped == "" {
			return
		}
		m.outcome = protocol.Outcome{StopReason: m.stopped, EndedAt: now}
	case done:
		if m.stopped == "" && !m.spec.alone && !m.free {
			return
		}
	default:
		return
	}
	m.over = true
	o := m.outcome
	m.tell(protocol.Event{Kind: protocol.EventStopped, Outcome: &o}, now)
}
