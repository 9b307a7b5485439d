package liveness_test

import (
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/decide/liveness"
)

// A sign of life is passed on if the last is a twentieth of a heartbeat ago, here or where they come from: what waited
// while the hub stood still is read at one moment.
func TestSampler(t *testing.T) {
	const apart = 50 * time.Millisecond
	now, sent := time.Unix(3000, 0), time.Unix(7000, 0)
	for name, c := range map[string]struct {
		sent, now time.Duration // since the last that was passed on
		unknown   bool          // when it was sent
		takes     bool
	}{
		"soon":                         {apart - 1, apart - 1, false, false},
		"later":                        {0, apart, false, true},
		"read at once, sent later":     {apart, 0, false, true},
		"read at once, sent earlier":   {-apart, 0, false, true},
		"read at once, sent who knows": {0, 0, true, false},
		"read later, sent who knows":   {0, apart, true, true},
	} {
		s := liveness.Sampler{Beat: time.Second}
		if !s.Takes(sent, now) {
			t.Errorf("%s: the first is not taken", name)
		}
		then := sent.Add(c.sent)
		if c.unknown {
			then = time.Time{}
		}
		if got := s.Takes(then, now.Add(c.now)); got != c.takes {
			t.Errorf("%s: taken: %v", name, got)
		}
	}
}

// The first sign of life after a command is passed on.
func TestSamplerTakesTheNext(t *testing.T) {
	s := liveness.Sampler{Beat: time.Second}
	now := time.Unix(3000, 0)
	s.Takes(now, now)
	if s.Next(); !s.Takes(now, now) {
		t.Error("the next is not taken")
	}
}
