package hub

import (
	"strings"
	"testing"
	"time"
)

// A time that is anchored is the same time, and is told by the clock that nobody can set.
func TestAnchored(t *testing.T) {
	const told = "m=" // how Go shows a reading of that clock
	at := time.Now().Add(time.Hour).Round(0)
	if strings.Contains(at.String(), told) {
		t.Fatal("the test shows nothing")
	}
	got := Anchored(at)
	if d := got.Sub(at); d < -time.Millisecond || d > time.Millisecond || !strings.Contains(got.String(), told) {
		t.Errorf("%v is anchored at %v", at, got)
	}
	if !Anchored(time.Time{}).IsZero() {
		t.Error("no time became one")
	}
}
