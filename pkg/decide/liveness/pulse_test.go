package liveness_test

import (
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/decide/liveness"
)

// A pulse gets another connection at once if it has none, and else when it has been quiet for two heartbeats.
func TestPulse(t *testing.T) {
	now := time.Unix(2000, 0)
	p := liveness.Pulse{Beat: time.Second}
	if in := p.QuietIn(now); in > 0 {
		t.Errorf("without a connection another is wanted in %v", in)
	}
	p.Heard(now)
	for after, want := range map[time.Duration]time.Duration{0: 2 * time.Second, 3 * time.Second: -time.Second} {
		if in := p.QuietIn(now.Add(after)); in != want {
			t.Errorf("%v after a sign of life: quiet in %v, want %v", after, in, want)
		}
	}
	p.Broke()
	if in := p.QuietIn(now); in > 0 {
		t.Errorf("after its end another is wanted in %v", in)
	}
}

// Several connections are tried at once only while the conversation is quiet too.
func TestPulseTries(t *testing.T) {
	p := liveness.Pulse{Beat: time.Second}
	for silent, want := range map[time.Duration]int{0: 1, 2 * time.Second: 1, 2*time.Second + 1: 4} {
		if got := p.Tries(silent); got != want {
			t.Errorf("the conversation is silent for %v: %d tries, want %d", silent, got, want)
		}
	}
}

// A pulse does not stand for a conversation that says nothing for long.
func TestPulseIsNotTrustedForEver(t *testing.T) {
	const limit = 5 * time.Second
	if !liveness.Trusts(3*limit-1, limit) || liveness.Trusts(3*limit, limit) {
		t.Error("trusted for another time than three times the limit")
	}
}
