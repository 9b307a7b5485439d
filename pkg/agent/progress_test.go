package agent

import (
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
)

// The hub is told how far a child is that loads, by its own progress bar, and when its last line came. Secrets are none
// of its business.
func TestProgressIsTold(t *testing.T) {
	t.Setenv("SOME_TOKEN", "squirrel-4711")
	a := newAgent(t, gen0, `printf 'Loading weights:  25%%|##\r'; printf '%s:  50%%|####\r' "$SOME_TOKEN"
		echo ready; exec sleep 600`, nil)
	begun := time.Now()
	a.start()
	e := a.until(protocol.EventProgress)
	p := e.Progress
	if err := e.Validate(); err != nil || p.Percent != 50 || p.Output.Before(begun) || p.Output.After(time.Now()) {
		t.Errorf("%+v, %v", p, err)
	}
	if p.What == "" || p.What == "squirrel-4711" {
		t.Errorf("it is about %q", p.What)
	}
	a.stop()
}

// What the hub knows it is not told again; that a child is silent the hub sees from when its last line came.
func TestProgressIsToldOnce(t *testing.T) {
	s := service{hide: func(s string) string { return s }}
	at := time.Now()
	first := s.progress(protocol.Progress{}, []byte("Loading weights: 25%|##"), at)
	if want := (protocol.Progress{What: "weights", Percent: 25, Output: at}); first != want {
		t.Errorf("%+v", first)
	}
	if again := s.progress(first, []byte("Loading weights: 25%|##"), at); again != first {
		t.Errorf("%+v", again)
	}
	later := at.Add(time.Minute)
	if quiet := s.progress(first, []byte("no bar any more"), later); quiet.Percent != 25 || quiet.Output != later {
		t.Errorf("%+v", quiet)
	}
}
