package control

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/test/check"
)

// What an agent tells bears times by one clock, also if the host's was set meanwhile; what comes from elsewhere stays.
func TestSteady(t *testing.T) {
	s := newSteady()
	later := s.begun.Add(2 * time.Second)
	elsewhere := time.Date(2020, 1, 2, 3, 4, 5, 6, time.UTC)
	for _, by := range []time.Duration{0, time.Hour, -time.Hour} {
		at := check.ClockSet(t, later, by)
		e := protocol.Event{
			At: at, Since: at,
			Outcome:  &protocol.Outcome{StartedAt: elsewhere, EndedAt: at, Orphans: []protocol.Orphan{{At: at}}},
			Progress: &protocol.Progress{Output: at},
		}
		want := protocol.Event{
			At: later, Since: later,
			Outcome:  &protocol.Outcome{StartedAt: elsewhere, EndedAt: later, Orphans: []protocol.Orphan{{At: later}}},
			Progress: &protocol.Progress{Output: later},
		}
		byWall := cmp.Comparer(func(a, b time.Time) bool { return a.Round(0).Equal(b.Round(0)) })
		if diff := cmp.Diff(want, s.stamped(e), byWall); diff != "" {
			t.Errorf("set by %v: %s", by, diff)
		}
		if !e.Outcome.EndedAt.Equal(at) || !e.Outcome.Orphans[0].At.Equal(at) || e.Progress.Output != at {
			t.Error("the event of the sender was changed")
		}
	}
	if other := newSteady(); other.booted.Sub(s.booted).Abs() > time.Minute {
		t.Errorf("one host booted at %v and at %v", s.booted, other.booted)
	}
	if got := s.at(time.Time{}); !got.IsZero() {
		t.Errorf("no time became %v", got)
	}
}
