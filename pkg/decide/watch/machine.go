package watch

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
)

// Waits. The queue is asked often at first, then gently: the controller of a large cluster is busy, and the run
// directory tells everything but the job's own end.
const (
	askFirst     = 500 * time.Millisecond
	askMost      = 10 * time.Second
	confirmAfter = time.Second      // between two looks at the end of a job
	historyEvery = 5 * time.Second  // while the end of the job is looked into
	disputeBound = 10 * time.Minute // of accounting's word that a job is alive of which the queue knows nothing
	verdictBound = 60 * time.Second // for the verdict, after the job's end
	hardlyBound  = 3 * time.Second  // for one that is hardly to be expected
	neverBound   = time.Second      // of a job whose first process could not be started
	freeBound    = 60 * time.Second // for the end of the job, after the verdict
	freeSaid     = 3 * time.Second  // before that is said
	quietSaid    = 30 * time.Second // without an answer, before that is said
	quietAgain   = 5 * time.Minute  // and again
)

type stage int

const (
	watching stage = iota
	confirming
	awaiting // the verdict
	freeing  // the verdict is there; the nodes are being freed
	over
)

// Machine is the state of one watch. It is not safe for concurrent use.
type Machine struct {
	job  string // for people
	rng  *rand.Rand
	now  time.Time
	out  []Effect
	last string            // that was said of its state
	end  protocol.JobState // that is believed

	stage   stage
	ran     bool // it was seen to run
	verdict bool
	damaged bool // the verdict's file is there, and cannot be read
	queued  bool // the queue said once, after the verdict, that the job waits in it

	asking, recalling bool      // a question is open
	askAt, recallAt   time.Time // when the next is due; zero: never
	pause             time.Duration
	until             time.Time // the end of the present stage; zero: none
	sayFree           time.Time // when the wait for the nodes is said; zero: not again
	quietSince        time.Time // since when there is no answer; zero: there was one
	sayQuiet          time.Time
	disputed          time.Time // since when accounting alone says that the job is alive; zero: it does not
	saidDispute       bool
}

// New begins to watch a job, called job in what is said. The seed spreads the questions of many watchers.
func New(job string, seed uint64, now time.Time) *Machine {
	rng := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // no secret
	return &Machine{job: job, rng: rng, askAt: now.Add(askFirst), pause: askFirst}
}

// Over tells whether there is nothing to wait for any more, and how the job ended as far as its scheduler says. It
// may be over with a verdict or without one.
func (m *Machine) Over() (end protocol.JobState, isOver bool) { return m.end, m.stage == over }

// Ended tells whether the end of the job is believed while its verdict is waited for.
func (m *Machine) Ended() bool { return m.stage == awaiting }

// Deadline is when the machine must be given a Tick at the latest; zero if it has no need of one.
func (m *Machine) Deadline() (first time.Time) {
	if m.stage == over {
		return time.Time{}
	}
	sooner := func(at time.Time, holds bool) {
		if holds && !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	sooner(m.askAt, !m.asking)
	sooner(m.recallAt, !m.recalling)
	sooner(m.until, true)
	sooner(m.sayFree, true)
	sooner(m.sayQuiet, true)
	return first
}

// Step takes in what happened and returns what is to be done about it, in order.
func (m *Machine) Step(in Input, now time.Time) []Effect {
	m.out, m.now = nil, now
	if m.stage == over {
		return nil
	}
	switch in := in.(type) {
	case Queue:
		m.asking = false
		m.queue(in)
	case History:
		m.recalling = false
		m.history(in)
	case Output:
		if in.NoAgent && m.stage == awaiting {
			m.stage = over
		}
	case Began:
		m.ran = true
	case Verdict:
		m.seeVerdict()
	case Unreadable:
		if m.damaged = true; m.stage == awaiting {
			m.hardly()
		}
	case NewAttempt:
		if m.damaged = false; m.verdict {
			m.again("has begun another attempt")
		}
	}
	m.expire()
	return m.out
}

func (m *Machine) say(format string, args ...any) {
	m.out = append(m.out, Say{Text: fmt.Sprintf(format, args...)})
}

// watch goes back to watching a job that is alive. What was known of its end is not true of the one to come.
func (m *Machine) watch() {
	m.stage, m.until, m.recallAt, m.sayFree = watching, time.Time{}, time.Time{}, time.Time{}
	m.end = protocol.JobState{}
	m.askAgain()
}

// again watches another attempt of a job that had its verdict.
func (m *Machine) again(how string) {
	m.verdict = false
	m.watch()
	m.say("%s %s", m.job, how)
}

// askAgain asks later and later.
func (m *Machine) askAgain() {
	jitter := 0.75 + m.rng.Float64()/2
	m.askAt = m.now.Add(time.Duration(float64(m.pause) * jitter))
	m.pause = min(m.pause*3/2, askMost)
}

// expire acts on what is due.
func (m *Machine) expire() {
	due := func(at time.Time) bool { return !at.IsZero() && !m.now.Before(at) }
	if due(m.until) {
		m.stage = over
	}
	if m.stage == over {
		return
	}
	if due(m.sayFree) {
		m.sayFree = time.Time{}
		m.say("waiting for the nodes of %s to be freed; leaving is safe", m.job)
	}
	if due(m.sayQuiet) {
		m.sayQuiet = m.now.Add(quietAgain)
		silence := m.now.Sub(m.quietSince).Round(time.Second)
		m.say("the scheduler has not answered for %v: still waiting for %s", silence, m.job)
	}
	if due(m.askAt) && !m.asking {
		m.asking, m.askAt = true, time.Time{}
		if m.quietSince.IsZero() {
			m.quietSince, m.sayQuiet = m.now, m.now.Add(quietSaid)
		}
		m.out = append(m.out, AskQueue{})
	}
	if due(m.recallAt) && !m.recalling {
		m.recalling, m.recallAt = true, time.Time{}
		m.out = append(m.out, AskHistory{})
		if m.stage == awaiting {
			m.out = append(m.out, AskOutput{})
		}
	}
}
