package slurm

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/test/bench"
	"github.com/disagg/disagg/test/simulation"
)

// played is a way in which something breaks while the benchmark runs, in the simulation's words.
type played struct {
	faults string
	falls  time.Duration // so long after a child's end whatever talks to it crashes; 0: it does not
	passes bool          // it is nobody's death
	within time.Duration // from the last fault until the nodes are free; 0: freeSoon
}

// usual tells whether a row is one of the few that every run of the tests plays: it takes a moment, and is a hard one.
func (row played) usual() bool {
	hard := row.falls == 300*time.Millisecond || row.passes && strings.Contains(row.faults, "pause-all")
	return row.within == 0 && hard
}

// freeSoon is within how long the nodes are free again if nothing holds them up.
const freeSoon = 6 * time.Second

func allPlayed() []played {
	var list []played
	for _, what := range []string{
		"CTX_0.0:kill-agent", "CTX_0.0:kill-child", "CTX_0.0:cut-host", "CTX_0.0:lose-host", "CTX_0.0:hang",
	} {
		p := played{faults: what + "@measuring+500ms"}
		if strings.HasSuffix(what, ":hang") {
			p.within = 45 * time.Second // three probes, ten seconds apart
		}
		for _, p.falls = range []time.Duration{0, 300 * time.Millisecond, 3 * time.Second} {
			list = append(list, p)
		}
	}
	for _, falls := range []time.Duration{0, 300 * time.Millisecond, 3 * time.Second} {
		// One that nobody can reap is known to have ended, too.
		list = append(list, played{
			faults: "CTX_0.0:stuck@measuring+100ms; CTX_0.0:kill-child@measuring+500ms", falls: falls,
		})
	}
	return append(list,
		// What stands still for a while is not dead, and neither are the others if the hub does.
		played{faults: "GEN_0.0:hang=3s@measuring+500ms", passes: true},
		played{faults: "GEN_0.0:hang=20s@measuring+500ms", passes: true, within: time.Minute},
		played{faults: "BENCHMARK.0:pause-hub=3s@measuring+500ms", passes: true},
		played{faults: "DISAGG_SERVER.0:pause-all=8s@measuring+500ms", passes: true},
		// A hub that hangs frees the nodes too.
		played{faults: "BENCHMARK.0:pause-hub@measuring+500ms", within: 40 * time.Second},
		played{faults: "BENCHMARK.0:pause-hub@readying+500ms", within: 40 * time.Second},
		// What cannot be ended holds nobody up for longer than it may.
		played{
			faults: "GEN_0.1:stuck@measuring+100ms; CTX_0.0:kill-child@measuring+500ms", within: 40 * time.Second,
		},
	)
}

// TestPlayed: what breaks while the benchmark runs is named, also if whatever depends on it crashes before it is known;
// what only stands still for a while fails nothing; and the nodes are free in time.
func TestPlayed(t *testing.T) {
	o := standard(true)
	o.KillWait = killWait
	c := start(t, o)
	c.equipActors(t)
	var table bench.Table
	for i, row := range allPlayed() {
		if *repeats == 1 && !row.usual() {
			continue // make replay has all of them
		}
		name := row.faults
		if row.falls > 0 {
			name += fmt.Sprintf(", what depends on it falls after %v", row.falls)
		}
		t.Run(name, func(t *testing.T) {
			var took []time.Duration
			for n := range *repeats {
				took = append(took, row.try(t, c, fmt.Sprintf("row-%d-%d", i, n)))
				if t.Failed() {
					break
				}
			}
			table.Add(bench.Row{
				Measure: name, Figure: bench.Short(bench.Median(took)),
				Baseline: bench.Short(bench.Percentile(took, 99)),
				Ratio:    fmt.Sprintf("%d of %d", len(took), *repeats), Goal: "right", Met: !t.Failed(),
			})
		})
	}
	if *repeats > 1 {
		fmt.Println("From the fault until all are told to stop, or else the nodes are free: median (OURS) and p99 " +
			"(BASELINE), and how many tries:")
		if err := table.Print(os.Stdout); err != nil {
			t.Error(err)
		}
	}
}

// try plays it once, and returns how long it took until the others were told to stop, or the nodes were free.
func (row played) try(t *testing.T, c *cluster, name string) time.Duration {
	t.Helper()
	var faults []*simulation.Fault
	for text := range strings.SplitSeq(row.faults, "; ") {
		f, err := simulation.ParseFault(text)
		if err != nil {
			t.Fatal(err)
		}
		faults = append(faults, f)
	}
	last := faults[len(faults)-1]
	p := c.play(t, name, simulation.Scripted(row.falls, faults...))
	r := p.toTheEnd(overWithin)
	free := p.freeAt.Sub(last.At)
	within := bound(cmp.Or(row.within, freeSoon))
	switch named := p.judge(r); {
	case last.At.IsZero():
		t.Errorf("nothing was broken; %s: %v", r.Verdict, r.FirstCause)
	case row.passes && r.Verdict != protocol.Passed:
		t.Errorf("%s: %v; secondary: %v", r.Verdict, r.FirstCause, r.Secondary)
	case row.passes:
	case named == nil || named.Task != last.Task || r.Verdict != protocol.Failed:
		t.Errorf("%s: %v; secondary: %v", r.Verdict, r.FirstCause, r.Secondary)
	case free > within:
		t.Errorf("the nodes were free after %v: want %v", free, within)
	}
	if p.stopAt.IsZero() { // nobody was left who could tell the others
		return free
	}
	return p.stopAt.Sub(last.At)
}
