package watch

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
)

// States that a scheduler tells of.
var (
	pending   = protocol.JobState{Phase: protocol.JobQueued, Word: "PENDING", Reason: "Resources"}
	running   = protocol.JobState{Phase: protocol.JobRunning, Word: "RUNNING"}
	gone      = protocol.JobState{Phase: protocol.JobEnded}
	completed = protocol.JobState{Phase: protocol.JobEnded, Word: "COMPLETED"}
	cancelled = protocol.JobState{Phase: protocol.JobEnded, Word: "CANCELLED", Cause: protocol.CauseCancelled}
	unknown   = protocol.JobState{}
)

var errAway = errors.New("unable to contact the controller")

// answer is a scheduler's answer, and how long it takes; never is one that does not come.
type answer struct {
	state protocol.JobState
	err   error
	after time.Duration
}

const never = 1000 * time.Hour

// sim plays a scheduler, a run directory and a clock. What it is told to answer depends on the time since the
// beginning.
type sim struct {
	t       testing.TB
	m       *Machine
	at      time.Duration
	queue   func(at time.Duration) answer
	history func(at time.Duration) answer
	events  map[time.Duration]Input // of the run directory

	open     map[string]bool
	asked    []time.Duration // when the queue was asked
	recalled int             // how often accounting was
	said     []string
}

var zero = time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)

// always answers the same at any time.
func always(a answer) func(time.Duration) answer { return func(time.Duration) answer { return a } }

// states tell from when on each of them holds.
type states map[time.Duration]protocol.JobState

// changes answers by the clock.
func changes(list states) func(time.Duration) answer {
	return func(at time.Duration) answer {
		best, state := time.Duration(-1), unknown
		for from, s := range list {
			if from <= at && from > best {
				best, state = from, s
			}
		}
		return answer{state: state}
	}
}

// watched is a watch whose accounting knows nothing, until a test says otherwise.
func watched(t testing.TB, queue func(time.Duration) answer) *sim {
	return &sim{
		t: t, m: New("job 7", 1, zero), queue: queue, history: always(answer{}),
		events: map[time.Duration]Input{}, open: map[string]bool{},
	}
}

// run lets the watch go on until it is over, or until some time.
func (s *sim) run(until time.Duration) (end protocol.JobState, over bool) {
	s.t.Helper()
	for {
		if end, over := s.m.Over(); over {
			return end, true
		}
		in, at := s.next()
		if at > until {
			s.at = until
			return end, false
		}
		s.at = at
		delete(s.events, at)
		s.step(in)
	}
}

// next is what happens next: something in the run directory, or an answer, which are events too, else the deadline.
func (s *sim) next() (in Input, at time.Duration) {
	in, at = Tick{}, never
	if d := s.m.Deadline(); !d.IsZero() {
		if at = d.Sub(zero); at < s.at {
			s.t.Fatalf("at %v a tick is wanted at %v", s.at, at)
		}
	}
	for when, event := range s.events {
		if when <= at {
			in, at = event, when
		}
	}
	return in, at
}

func (s *sim) step(in Input) {
	switch in.(type) {
	case Queue:
		s.open["queue"] = false
	case History:
		s.open["history"] = false
	}
	before := s.m.Deadline()
	effects := s.m.Step(in, zero.Add(s.at))
	if _, over := s.m.Over(); in == (Tick{}) && len(effects) == 0 && !over && s.m.Deadline().Equal(before) {
		s.t.Fatalf("at %v a tick at the deadline changes nothing", s.at)
	}
	for _, e := range effects {
		switch e := e.(type) {
		case Say:
			s.said = append(s.said, fmt.Sprintf("%v: %s", s.at.Truncate(time.Second), e.Text))
		case AskQueue:
			s.asked = append(s.asked, s.at)
			a := s.queue(s.at)
			s.answers("queue", a.after, Queue{State: a.state, Err: a.err})
		case AskHistory:
			s.recalled++
			a := s.history(s.at)
			s.answers("history", a.after, History{State: a.state, Err: a.err})
		}
	}
}

// answers lets an answer come later, at a moment of its own.
func (s *sim) answers(kind string, after time.Duration, in Input) {
	if s.open[kind] {
		s.t.Fatalf("at %v two questions to %s are open", s.at, kind)
	}
	s.open[kind] = true
	at := s.at + after + time.Nanosecond
	for s.events[at] != nil {
		at++
	}
	s.events[at] = in
}

// heard compares what was said. Times may be left out.
func (s *sim) heard(want ...string) {
	s.t.Helper()
	got := make([]string, len(s.said))
	for i, line := range s.said {
		if got[i] = line; i < len(want) && !strings.HasPrefix(line, want[i]) {
			_, got[i], _ = strings.Cut(line, ": ")
		}
	}
	if diff := cmp.Diff(want, got); diff != "" && len(want)+len(got) > 0 {
		s.t.Error(diff)
	}
}

// isOver fails unless the watch ends within some time.
func (s *sim) isOver(within time.Duration) protocol.JobState {
	s.t.Helper()
	end, over := s.run(s.at + within)
	if !over {
		s.t.Fatalf("at %v it is not over; said: %q", s.at, s.said)
	}
	return end
}

// goesOn fails if the watch ends within some time.
func (s *sim) goesOn(within time.Duration) {
	s.t.Helper()
	if end, over := s.run(s.at + within); over {
		s.t.Fatalf("at %v it is over: %+v; said: %q", s.at, end, s.said)
	}
}
