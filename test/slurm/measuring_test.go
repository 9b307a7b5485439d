package slurm

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/test/bench"
	"github.com/disagg/disagg/test/simulation"
)

// TestLossWhileMeasuring: who is lost while the benchmark runs is named, also if whatever depends on it crashes before
// the loss is known.
func TestLossWhileMeasuring(t *testing.T) {
	o := standard(true)
	o.KillWait = killWait
	c := start(t, o)
	c.equipActors(t)
	var table bench.Table
	for _, what := range []string{
		"CTX_0.0:kill-agent", "CTX_0.0:kill-child", "CTX_0.0:cut-host", "CTX_0.0:lose-host", "CTX_0.0:hang",
	} {
		for _, falls := range []time.Duration{0, 300 * time.Millisecond, 3 * time.Second} {
			t.Run(fmt.Sprintf("%s, dependents fall after %v", what, falls), func(t *testing.T) {
				var took []time.Duration
				for n := range *repeats {
					took = append(took, c.loseOne(t, what, falls, n))
					if t.Failed() {
						break
					}
				}
				table.Add(bench.Row{
					Measure: fmt.Sprintf("%s, dependents fall after %v", what, falls), Figure: bench.Short(bench.Median(took)),
					Baseline: bench.Short(bench.Percentile(took, 99)),
					Ratio:    fmt.Sprintf("%d of %d", len(took), *repeats), Goal: "right", Met: !t.Failed(),
				})
			})
		}
	}
	if *repeats > 1 {
		fmt.Println("From the loss until all are told to stop: median (OURS) and p99 (BASELINE), and how many tries:")
		if err := table.Print(os.Stdout); err != nil {
			t.Error(err)
		}
	}
}

// loseOne plays one fault, and returns how long it took until the others were told to stop.
func (c *cluster) loseOne(t *testing.T, what string, falls time.Duration, n int) time.Duration {
	t.Helper()
	f, err := simulation.ParseFault(what + "@measuring+500ms")
	if err != nil {
		t.Fatal(err)
	}
	p := c.play(t, fmt.Sprintf("%s-%v-%d", f.Kind, falls, n), simulation.Scripted(falls, f))
	r := p.toTheEnd(overWithin)
	switch {
	case p.judge(r) != f:
		t.Errorf("named is %v", r.FirstCause)
	case r.Verdict != protocol.Failed:
		t.Errorf("the verdict is %s", r.Verdict)
	}
	return p.stopAt.Sub(f.At)
}
