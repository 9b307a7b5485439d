package connections

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	first = flag.Uint64("first", 1, "the first seed that TestSeeds runs")
	count = flag.Uint64("seeds", 1000, "how many seeds TestSeeds runs")
)

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

// A story has at most forty lines, and says how to run its seed again.
func TestStory(t *testing.T) {
	for seed := range uint64(20) {
		w := newWorld(draw(seed))
		for range 100 {
			w.tell("something happens")
			w.violated("nothing holds")
		}
		story := w.summary()
		lines := strings.Split(story, "\n")
		if len(lines) > mostLines || !strings.HasPrefix(lines[0], fmt.Sprintf("seed %d: ", seed)) ||
			!strings.Contains(lines[1], fmt.Sprintf("CONNECTIONS_SEED=%d ", seed)) ||
			!strings.HasPrefix(lines[len(lines)-1], "broken: nothing holds") {
			t.Errorf("%d lines:\n%s", len(lines), story)
		}
	}
}

// The same seed draws the same.
func TestDraw(t *testing.T) {
	all := func(s *scenario) string {
		text := fmt.Sprintln(s.beat, s.lost, s.strict, s.length, s.faults, s.pauses, s.restart, s.gap, s.again)
		for _, p := range s.agents {
			text += fmt.Sprintln(p.task, p.begins, p.events, p.commands, p.killed, p.leaves, p.parting, p.link.Up,
				p.link.Down, p.link.Window, p.link.Packet, p.link.Piece, p.link.Stalls)
		}
		return text
	}
	for seed := range uint64(100) {
		one, other := all(draw(seed)), all(draw(seed))
		if one != other || one == all(draw(seed+1)) {
			t.Errorf("seed %d draws\n%s\nand\n%s", seed, one, other)
		}
	}
}

// Whatever breaks, no seed breaks an invariant.
func TestSeeds(t *testing.T) {
	var next atomic.Uint64
	next.Store(*first - 1)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for seed := next.Add(1); seed < *first+*count && !t.Failed(); seed = next.Add(1) {
				if broken, story := run(t, seed); len(broken) > 0 {
					t.Errorf("%s", story)
				}
			}
		})
	}
	workers.Wait()
}
