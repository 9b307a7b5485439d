package watch

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/disagg/disagg/pkg/protocol"
)

// A requeued job is watched on: when it has begun another attempt, or when the queue says twice that it waits.
func TestRequeued(t *testing.T) {
	t.Run("another attempt", func(t *testing.T) {
		s := watched(t, changes(states{0: running, 10 * minute: gone}))
		s.events[minute], s.events[minute+5*time.Second] = Verdict{}, NewAttempt{}
		s.goesOn(10 * minute)
		s.heard(runs, frees, "job 7 has begun another attempt")
		s.events[s.at] = Verdict{}
		s.isOver(confirmAfter)
	})
	t.Run("back in the queue", func(t *testing.T) {
		s := watched(t, changes(states{0: running, minute: pending, 5 * minute: running, 10 * minute: gone}))
		s.events[minute] = Verdict{}
		s.goesOn(10*minute + 30*time.Second)
		s.heard(runs, "job 7: PENDING (Resources)", "job 7 is queued again", runs, left)
		s.events[s.at] = Verdict{}
		s.isOver(0)
	})
	t.Run("one late answer", func(t *testing.T) { // to a question that was asked before the job began
		s := watched(t, func(at time.Duration) answer {
			if at < 10*time.Second {
				return answer{state: pending, after: 19 * time.Second}
			}
			return answer{state: gone}
		})
		s.events[10*time.Second] = Verdict{}
		s.goesOn(10 * time.Second)
		s.isOver(19*time.Second + confirmAfter)
	})
	t.Run("an attempt without a verdict", func(t *testing.T) { // is none that anything changes for
		s := watched(t, always(answer{state: running}))
		s.events[minute] = NewAttempt{}
		s.goesOn(time.Hour)
		s.heard(runs)
	})
}

// A job that was cancelled while it waited leaves no verdict: it is over soon. One that ran may leave one.
func TestCancelledWhileItWaited(t *testing.T) {
	const late = 30 * time.Second
	ends := func(before protocol.JobState, end protocol.JobState) func(time.Duration) answer {
		return changes(states{0: before, minute: end})
	}
	requeued := changes(states{0: running, late: pending, minute: cancelled})
	tests := map[string]struct {
		queue  func(time.Duration) answer
		after  time.Duration // accounting knows
		began  bool
		within time.Duration
	}{
		"the queue says so":     {ends(pending, cancelled), never, false, confirmAfter + hardlyBound},
		"accounting says so":    {ends(pending, gone), 0, false, hardlyBound},
		"accounting is late":    {ends(pending, gone), minute + late, false, late + historyEvery + hardlyBound},
		"it ran":                {ends(running, cancelled), 0, false, verdictBound},
		"it ran, unseen":        {ends(pending, cancelled), 0, true, verdictBound},
		"it waits, after a run": {requeued, 0, false, hardlyBound},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := watched(t, tt.queue)
			s.history = changes(states{tt.after: cancelled})
			if tt.began {
				s.events[minute-1] = Began{}
			}
			const margin = askMost*5/4 + time.Second // until the queue is asked
			if tt.within == verdictBound {
				s.goesOn(minute + verdictBound)
			}
			if end := s.isOver(minute + tt.within + margin - s.at); end.Cause != protocol.CauseCancelled {
				t.Errorf("%+v", end)
			}
		})
	}
}

// A verdict that cannot be read is not waited for as long as one that is not there; that of the next attempt is.
func TestUnreadable(t *testing.T) {
	const margin = askMost*5/4 + time.Second // until the queue is asked
	for name, tt := range map[string]struct {
		events map[time.Duration]Input
		bound  time.Duration
	}{
		"while it ran":        {map[time.Duration]Input{time.Second: Unreadable{}}, hardlyBound},
		"after its end":       {map[time.Duration]Input{minute + margin: Unreadable{}}, hardlyBound + margin},
		"of the last attempt": {map[time.Duration]Input{1: Unreadable{}, time.Second: NewAttempt{}}, verdictBound},
	} {
		t.Run(name, func(t *testing.T) {
			s := watched(t, changes(states{0: running, minute: completed}))
			s.events = tt.events
			if tt.bound == verdictBound {
				s.goesOn(minute + verdictBound)
			}
			s.isOver(minute + tt.bound + margin - s.at)
			if s.m.Ended() {
				t.Error("it is over, and still ends")
			}
		})
	}
}

// A verdict that was left as a note is as good as one on disk, which is waited for a little all the same.
func TestNote(t *testing.T) {
	noted := completed
	noted.Note = `{"verdict": "failed"}`
	for name, queue := range map[string]protocol.JobState{"with accounting": gone, "with the queue": noted} {
		t.Run(name, func(t *testing.T) {
			s := watched(t, changes(states{0: running, minute: queue}))
			if queue == gone {
				s.history = changes(states{0: {Note: noted.Note}})
			}
			end := s.isOver(minute + askMost*5/4 + confirmAfter + hardlyBound + time.Second)
			if end.Note != noted.Note {
				t.Errorf("%+v", end)
			}
			s.heard(runs)
		})
	}
}

// Accounting that answers late, of a job that is alive again, changes nothing; of one whose verdict is there it tells
// how it ended.
func TestLateAccounting(t *testing.T) {
	for verdict, want := range map[time.Duration]protocol.JobState{minute: {}, 600 * time.Millisecond: cancelled} {
		s := watched(t, changes(states{0: gone, askFirst + 1: running}))
		s.history = always(answer{state: cancelled, after: 10 * time.Second})
		s.events[verdict] = Verdict{}
		if end := s.isOver(verdict + freeBound); end != want {
			t.Errorf("with the verdict at %v: %+v", verdict, end)
		}
		if s.recalled > 1 {
			t.Errorf("with the verdict at %v: accounting was asked %d times", verdict, s.recalled)
		}
	}
}

// Whatever scheduler and run directory say: once the job has ended, for a queue that says so now and then, the watch
// ends; no question is asked twice at a time, no tick is wanted in the past, and a tick at its time gets the watch
// further.
func TestAlwaysEnds(t *testing.T) {
	all := []protocol.JobState{pending, running, gone, completed, cancelled, unknown}
	rapid.Check(t, func(rt *rapid.T) {
		delay := func() time.Duration {
			return time.Duration(rapid.IntRange(0, 20000).Draw(rt, "delay")) * time.Millisecond
		}
		draw := func(list []protocol.JobState) answer {
			a := answer{state: rapid.SampledFrom(list).Draw(rt, "state"), after: delay()}
			if rapid.IntRange(0, 3).Draw(rt, "fails") == 0 {
				a.err = errAway
			}
			return a
		}
		ends := time.Duration(rapid.IntRange(0, 300).Draw(rt, "ends")) * time.Second
		n := 0
		s := watched(t, func(at time.Duration) answer {
			if at < ends {
				return draw(all)
			}
			if n++; n%5 == 0 { // now and then it answers
				return answer{state: gone}
			}
			return draw([]protocol.JobState{gone, completed, unknown})
		})
		s.history = func(time.Duration) answer { return draw(all) }
		for range rapid.IntRange(0, 5).Draw(rt, "events") {
			at := time.Duration(rapid.IntRange(0, 400000).Draw(rt, "at")) * time.Millisecond
			s.events[at] = rapid.SampledFrom([]Input{Verdict{}, NewAttempt{}, Began{}}).Draw(rt, "event")
		}
		s.isOver(ends + disputeBound + 10*minute)
	})
}
