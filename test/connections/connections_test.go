package connections

import (
	"flag"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

var count = flag.Uint64("seeds", 1000, "how many seeds TestSeeds runs")

// TestSeed tells the story of the seed in CONNECTIONS_SEED.
func TestSeed(t *testing.T) {
	seed, err := strconv.ParseUint(os.Getenv("CONNECTIONS_SEED"), 10, 64)
	if err != nil {
		t.Skip("CONNECTIONS_SEED names no seed")
	}
	broken, story := run(t, seed)
	t.Log("\n" + story)
	if len(broken) > 0 {
		t.Fail()
	}
}

// Whatever breaks, no seed breaks an invariant.
func TestSeeds(t *testing.T) {
	var next atomic.Uint64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for seed := next.Add(1); seed <= *count && !t.Failed(); seed = next.Add(1) {
				if broken, story := run(t, seed); len(broken) > 0 {
					t.Errorf("%s", story)
				}
			}
		})
	}
	workers.Wait()
}
