package watch

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
)

const (
	runs   = "job 7: RUNNING"
	left   = "job 7 has left the queue: waiting for its verdict, at most 1m0s"
	frees  = "waiting for the nodes of job 7 to be freed; leaving is safe"
	minute = time.Minute
)

// The end of a job that was seen once, with whatever else the scheduler says, is not believed: a busy controller
// answers so of jobs that run.
func TestOneEmptyAnswer(t *testing.T) {
	for name, accounting := range map[string]answer{
		"accounting knows nothing":  {},
		"accounting is away":        {err: errAway},
		"accounting never answers":  {after: never},
		"accounting says it is not": {state: running},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			s := watched(t, func(time.Duration) answer {
				if n++; n == 5 {
					return answer{state: gone}
				}
				return answer{state: running}
			})
			s.history = always(accounting)
			s.goesOn(time.Hour)
			s.heard(runs)
		})
	}
}

// No number of missing and odd answers is taken for the end of a job.
func TestUnknownIsNoAnswer(t *testing.T) {
	for name, a := range map[string]answer{
		"unknown": {state: unknown}, "silence": {after: never},
		"errors": {err: errAway}, "errors with a state": {state: gone, err: errAway},
	} {
		t.Run(name, func(t *testing.T) {
			s := watched(t, always(a))
			s.goesOn(24 * time.Hour)
		})
	}
}

// An end that was seen twice is believed, and so is one that accounting confirms. The verdict is waited for then,
// with a bound, which is said.
func TestEndIsBelieved(t *testing.T) {
	queue := changes(states{0: running, minute: gone})
	t.Run("seen twice", func(t *testing.T) {
		s := watched(t, queue)
		s.goesOn(minute + verdictBound)
		end := s.isOver(askMost*3/2 + confirmAfter)
		s.heard(runs, left)
		if end != gone {
			t.Errorf("%+v", end)
		}
	})
	t.Run("confirmed", func(t *testing.T) {
		s := watched(t, queue)
		s.history = always(answer{state: completed})
		s.goesOn(minute + verdictBound)
		end := s.isOver(askMost * 3 / 2)
		s.heard(runs, "job 7 has left the queue (COMPLETED): waiting for its verdict, at most 1m0s")
		if end != completed {
			t.Errorf("%+v", end)
		}
	})
	t.Run("confirmed at last", func(t *testing.T) { // the queue answers once, then no more
		s := watched(t, queue)
		n := 0
		s.queue = func(at time.Duration) answer {
			if a := queue(at); a.state != gone || n == 0 {
				if a.state == gone {
					n++
				}
				return a
			}
			return answer{err: errAway}
		}
		s.history = changes(states{3 * minute: completed})
		s.goesOn(3*minute + verdictBound)
		s.isOver(2 * historyEvery)
	})
}

// A word that the job is alive sets the watch back, from the queue as from accounting, also while the verdict is
// awaited. What was known of the end is forgotten.
func TestAliveAfterAll(t *testing.T) {
	failed := protocol.JobState{Phase: protocol.JobEnded, Word: "NODE_FAIL"}
	s := watched(t, changes(states{
		0: running, minute: failed, minute + 30*time.Second: pending, 3 * minute: running, 10 * minute: gone,
	}))
	s.goesOn(10 * minute)
	const failure = "job 7 has left the queue (NODE_FAIL): waiting for its verdict, at most 1m0s"
	s.heard(runs, failure, "job 7: PENDING (Resources)", runs)
	if end := s.isOver(verdictBound + 30*time.Second); end != gone {
		t.Errorf("%+v", end)
	}

	s = watched(t, changes(states{0: running, minute: gone}))
	s.history = changes(states{0: running, 5 * minute: unknown})
	s.goesOn(5 * minute)
	s.isOver(verdictBound + 30*time.Second)
}

// Accounting alone cannot keep a watch going for ever: of some jobs it never learns that they have ended. That the two
// disagree is said.
func TestAccountingMissedTheEnd(t *testing.T) {
	s := watched(t, changes(states{0: running, minute: gone}))
	s.history = always(answer{state: running})
	s.goesOn(minute + disputeBound)
	s.isOver(verdictBound + minute)
	s.heard(runs, "the queue does not know job 7, accounting says RUNNING: watching on, at most 10m0s", left)
}

// The queue's word that a job is alive ends a disagreement: the next one is another.
func TestDisagreementEnds(t *testing.T) {
	s := watched(t, changes(states{0: gone, 8 * minute: running, 9 * minute: gone}))
	s.history = always(answer{state: running})
	s.goesOn(18 * minute)
}

// A verdict in hand ends every wait but the one for the nodes to be freed, which is said and has a bound.
func TestVerdictEndsTheWait(t *testing.T) {
	over := always(answer{state: gone})
	tests := map[string]struct {
		queue  func(time.Duration) answer
		at     time.Duration // of the verdict
		within time.Duration
		said   []string
	}{
		"the job ends at once": {
			queue: changes(states{0: running, minute: gone}), at: minute, within: time.Second, said: []string{runs},
		},
		"the job ends a little later": {
			queue: changes(states{0: running, minute + 10*time.Second: gone}), at: minute, within: 12 * time.Second,
			said: []string{runs, "1m3s: " + frees},
		},
		"the job does not end": {
			queue: always(answer{state: running}), at: minute, within: freeBound, said: []string{runs, frees},
		},
		"the controller is away": {
			queue: changes(states{0: running, minute: unknown}), at: minute + time.Second, within: time.Second,
			said: []string{runs},
		},
		"the controller never answers": {
			queue: always(answer{after: never}), at: 10 * time.Second, within: freeBound,
			said: []string{frees, "30s: the scheduler has not answered for 30s: still waiting for job 7"},
		},
		"the end was seen once":  {queue: over, at: 600 * time.Millisecond, within: confirmAfter},
		"the verdict is awaited": {queue: over, at: 30 * time.Second, said: []string{left}},
		"it is nearly too late":  {queue: over, at: 59 * time.Second, said: []string{left}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := watched(t, tt.queue)
			s.events[tt.at] = Verdict{}
			s.goesOn(tt.at - 1)
			s.isOver(tt.within + 1)
			s.heard(tt.said...)
		})
	}
}

// A verdict that is seen again is no other.
func TestVerdictTwice(t *testing.T) {
	s := watched(t, always(answer{state: running}))
	s.events[minute], s.events[minute+freeBound/2] = Verdict{}, Verdict{}
	s.goesOn(minute)
	s.isOver(freeBound)
}

// A scheduler's silence is said after 30 s, and then every five minutes; an answer ends it.
func TestSilenceIsSaid(t *testing.T) {
	s := watched(t, func(at time.Duration) answer {
		if at < 11*minute {
			return answer{err: errAway, after: 20 * time.Second}
		}
		return answer{state: running}
	})
	s.goesOn(time.Hour)
	s.heard(
		"30s: the scheduler has not answered for 30s: still waiting for job 7",
		"5m30s: the scheduler has not answered for 5m30s: still waiting for job 7",
		"10m30s: the scheduler has not answered for 10m30s: still waiting for job 7",
		runs,
	)
}

// The queue is asked soon, then later and later, up to about ten seconds, and by no two watchers at the same times.
func TestQuestionsAreSpread(t *testing.T) {
	s := watched(t, always(answer{state: running}))
	s.goesOn(5 * minute)
	if s.asked[0] != askFirst {
		t.Errorf("first asked after %v", s.asked[0])
	}
	for i, pause := 1, askFirst; i < len(s.asked); i++ {
		took := s.asked[i] - s.asked[i-1]
		if took < pause*3/4 || took > pause*5/4+time.Millisecond {
			t.Errorf("question %d came after %v: want about %v", i, took, pause)
		}
		pause = min(pause*3/2, askMost)
	}
	if n := len(s.asked); n > 45 {
		t.Errorf("%d questions in five minutes", n)
	}
	other := watched(t, always(answer{state: running}))
	other.m = New("job 8", 2, zero)
	other.goesOn(5 * minute)
	if cmp.Equal(s.asked, other.asked) {
		t.Error("two watchers ask at the same times")
	}
}

// A job that has ended, and has been watched to its end, asks for nothing more.
func TestOver(t *testing.T) {
	s := watched(t, always(answer{state: gone}))
	s.isOver(verdictBound + 2*confirmAfter)
	for _, in := range []Input{Tick{}, Verdict{}, Queue{State: running}, History{State: running}, NewAttempt{}} {
		if effects := s.m.Step(in, zero.Add(time.Hour)); len(effects) > 0 || !s.m.Deadline().IsZero() {
			t.Errorf("%T: %v, next at %v", in, effects, s.m.Deadline())
		}
	}
}
