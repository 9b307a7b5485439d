package liveness_test

import (
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/decide/liveness"
)

var start = time.Unix(1000, 0)

// A pause of the listener is nobody's silence.
func TestPauseOfTheListener(t *testing.T) {
	clock, s := liveness.Clock{Beat: time.Second}, liveness.Silence{Limit: 5 * time.Second}
	s.Heard(start)
	now := start
	tick := func(after time.Duration) {
		now = now.Add(after)
		s.Missed(clock.Tick(now))
	}
	for range 4 {
		tick(time.Second)
	}
	tick(8 * time.Second) // everything stood still
	if s.Lost(now) {
		t.Error("a pause counts as silence")
	}
	for range 2 {
		tick(time.Second)
	}
	if !s.Lost(now) {
		t.Errorf("silence before and after the pause does not add up: since %v, now %v", s.Last(), now)
	}
}

// A listener that is a little late has missed nothing.
func TestLateTicks(t *testing.T) {
	clock := liveness.Clock{Beat: time.Second}
	for i, after := range []time.Duration{0, time.Second, 2 * time.Second, 1900 * time.Millisecond} {
		start = start.Add(after)
		if missed := clock.Tick(start); missed != 0 {
			t.Errorf("tick %d: missed %v", i, missed)
		}
	}
	if missed := clock.Tick(start.Add(10 * time.Second)); missed != 9*time.Second {
		t.Errorf("missed %v", missed)
	}
}

// Silence is too long when it is longer than its limit, less what the listener missed itself.
func TestSilence(t *testing.T) {
	s := liveness.Silence{Limit: 5 * time.Second}
	s.Heard(start)
	if s.Lost(start.Add(5*time.Second)) || !s.Lost(start.Add(5*time.Second+1)) || s.Ends() != start.Add(5*time.Second) {
		t.Error("the limit is not where it should be")
	}
	s.Missed(2 * time.Second)
	if s.Lost(start.Add(7*time.Second)) || s.Last() != start.Add(2*time.Second) {
		t.Error("what the listener missed counts as silence")
	}
}

// Pauses grow, stay within bounds, and differ between agents.
func TestRedial(t *testing.T) {
	a := liveness.Redial{First: 10 * time.Millisecond, Most: 500 * time.Millisecond, Seed: 1}
	b := a
	b.Seed = 2
	same := 0
	for i := range 20 {
		nominal := min(10*time.Millisecond<<min(i, 10), 500*time.Millisecond)
		pause := a.Next()
		if pause < nominal/2 || pause > nominal {
			t.Errorf("pause %d is %v, want %v to %v", i, pause, nominal/2, nominal)
		}
		if pause == b.Next() {
			same++
		}
	}
	if same > 2 {
		t.Errorf("%d of 20 pauses are the same for two agents", same)
	}
	if a.Reset(); a.Next() > 10*time.Millisecond {
		t.Error("a connection that worked does not start over")
	}
}
