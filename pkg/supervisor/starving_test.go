package supervisor

import (
	"testing"
	"time"
)

// A thread that waits for a processor is told from one that sleeps, spins or has just begun.
func TestStarving(t *testing.T) {
	const second, ms = time.Second, time.Millisecond
	for name, tt := range map[string]struct {
		before, now thread
		want        bool
	}{
		"it sleeps":                  {thread{false, 5 * second, ms}, thread{false, 5 * second, ms}, false},
		"it has worked, and sleeps":  {thread{false, 5 * second, ms}, thread{false, 5100 * ms, 2 * ms}, false},
		"it spins":                   {thread{true, 5 * second, ms}, thread{true, 5990 * ms, 10 * ms}, false},
		"it waits most of the time":  {thread{true, 5 * second, ms}, thread{true, 5100 * ms, 900 * ms}, true},
		"it has waited, and sleeps":  {thread{true, 5 * second, ms}, thread{false, 5100 * ms, 900 * ms}, true},
		"it has waited all the time": {thread{false, 5 * second, ms}, thread{true, 5 * second, ms}, true},
	} {
		t.Run(name, func(t *testing.T) {
			before, now := map[string]thread{"1": tt.before}, map[string]thread{"1": tt.now}
			if got := starving(before, now, second); got != tt.want {
				t.Errorf("got %t", got)
			}
			if starving(nil, now, second) {
				t.Error("nothing is known of a thread that has just begun")
			}
		})
	}
}
