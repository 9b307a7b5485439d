package preflight

import (
	"context"
	"net"
	"testing"
	"time"
)

// A host answers if a port of it is open, or closed: only one that is not there does not.
func TestHostsAnswer(t *testing.T) {
	open, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	got := HostsAnswer(t.Context(), map[string]string{
		"open": open.Addr().String(), "closed": closed.Addr().String(), "no address": "nowhere",
	})
	if !got["open"] || !got["closed"] || got["no address"] || len(got) != 3 {
		t.Errorf("%v", got)
	}
}

// A host that does not answer is given up after a bound, and earlier if nobody waits any more.
func TestHostDoesNotAnswer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	begun := time.Now()
	got := HostsAnswer(ctx, map[string]string{"x": "no-such-host.invalid:1"})
	if got["x"] || time.Since(begun) > hostTries.Bound {
		t.Errorf("%v after %v", got, time.Since(begun))
	}
}

// Hosts are tried side by side: one that does not answer does not hold up the others beyond its own bound.
func TestHostsAreTriedSideBySide(t *testing.T) {
	open, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	addresses := map[string]string{"deaf": "no-such-host.invalid:1"}
	for _, name := range []string{"a", "b", "c"} {
		addresses[name] = open.Addr().String()
	}
	begun := time.Now()
	got := HostsAnswer(t.Context(), addresses)
	if took := time.Since(begun); took > 10*hostTries.Bound {
		t.Errorf("it took %v", took)
	}
	for name := range addresses {
		if got[name] != (name != "deaf") {
			t.Errorf("%s answers: %t", name, got[name])
		}
	}
}
