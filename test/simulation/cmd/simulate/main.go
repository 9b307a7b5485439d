// Command simulate runs many simulated jobs and shows what was planted and what was named: `make simulate`.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/disagg/disagg/test/simulation"
)

// batch is how many seeds are run before it is looked at what they found.
const batch = 2000

// stopAtFirst runs seeds until one breaks an invariant.
func stopAtFirst(first, count uint64) {
	for seed := first; seed < first+count; seed += batch {
		t, err := simulation.Simulate(seed, min(batch, first+count-seed))
		if err != nil {
			fmt.Fprintf(os.Stderr, "simulate: %v\n", err)
			os.Exit(1)
		}
		if len(t.Broken) > 0 {
			r := t.Broken[0]
			fmt.Printf("seed %d: %s\n%s\n", r.Scenario.Seed, r.Broken[0], simulation.Tell(r.Scenario))
			os.Exit(1)
		}
	}
}

func main() {
	first := flag.Uint64("first", 1, "the first seed")
	count := flag.Uint64("count", 1_000_000, "how many seeds")
	untilBroken := flag.Bool("until-broken", false, "stop at the first invariant that does not hold, and name it")
	flag.Parse()
	debug.SetGCPercent(5000) // what a job uses is small, and garbage at its end
	if *untilBroken {
		stopAtFirst(*first, *count)
		return
	}
	begun := time.Now()
	t, err := simulation.Simulate(*first, *count)
	if err != nil {
		fmt.Fprintf(os.Stderr, "simulate: %v\n", err)
		os.Exit(1)
	}
	took := time.Since(begun)
	fmt.Printf("%s%.0f jobs a second, %v\n", t, float64(t.Jobs)/took.Seconds(), took.Round(time.Millisecond))
	if len(t.Broken) == 0 {
		return
	}
	fmt.Println(simulation.Tell(t.Broken[0].Scenario))
	for _, r := range t.Broken {
		fmt.Println(r.Scenario, r.Broken)
	}
	os.Exit(1)
}
