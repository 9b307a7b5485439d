package slurm

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/test/simulation"
)

var (
	firstSeed = flag.Uint64("seed", 2, "the first seed that is replayed")
	seeds     = flag.Uint64("seeds", 1, "how many seeds are replayed, with either kind of process tracking")
)

// TestReplay plays seeds of the simulation on the lab. There, too, the first cause is one of the faults, and nothing is
// left. How many verdicts agree with the simulated ones in role, host and kind is shown; where they do not, the lab's
// timing has mostly let other faults strike: a child that has not started cannot be killed.
func TestReplay(t *testing.T) {
	var sum struct{ played, same, otherFaults int }
	for _, cgroup := range []bool{true, false} {
		t.Run(fmt.Sprintf("cgroup=%v", cgroup), func(t *testing.T) {
			o := standard(cgroup)
			o.KillWait = killWait
			c := start(t, o)
			c.equipActors(t)
			for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
				t.Run(fmt.Sprintf("seed-%d", seed), func(t *testing.T) {
					sum.played++
					switch same, sameFaults := replay(t, c, seed); {
					case same:
						sum.same++
					case !sameFaults:
						sum.otherFaults++
					}
				})
			}
		})
	}
	t.Logf("%d played: %d agree with the simulation, %d had other faults", sum.played, sum.same, sum.otherFaults)
}

// replay plays one seed, and tells whether the verdict is the simulated one, and whether the same faults struck.
func replay(t *testing.T, c *cluster, seed uint64) (same, sameFaults bool) {
	t.Helper()
	s, err := simulation.DrawForLab(seed, 1+int(seed%3))
	if err != nil {
		t.Fatal(err)
	}
	simulated, err := simulation.Run(s, false)
	if err != nil {
		t.Fatal(err)
	}
	struck := make([]bool, len(s.Faults))
	for i, f := range s.Faults {
		struck[i], f.At = !f.At.IsZero(), time.Time{}
	}
	p := c.play(t, fmt.Sprintf("seed-%d", seed), s)
	r := p.toTheEnd(overWithin)
	p.judge(r)
	sameFaults = true
	for i, f := range s.Faults {
		sameFaults = sameFaults && struck[i] == !f.At.IsZero()
	}
	same = sameCause(simulated.Cause, r.FirstCause)
	t.Logf("%s\nsimulated %v\non the lab %v\nsame: %t, the same faults struck: %t", s, simulated.Cause, r.FirstCause,
		same, sameFaults)
	return same, sameFaults
}

// judge checks that a verdict names one of the faults that happened, and that there is one if it had to show.
func (p *player) judge(r protocol.Result) (named *simulation.Fault) {
	p.t.Helper()
	g, err := simulation.NewJudge(p.scenario)
	if err != nil {
		p.t.Fatal(err)
	}
	g.StopAt, g.JudgedAt = p.stopAt, r.EndedAt
	struck := g.Struck()
	if r.FirstCause == nil {
		if f := g.HadToShow(); f != nil {
			p.t.Errorf("passed, although %s", f)
		}
		return nil
	}
	for _, f := range struck {
		if g.Names(f, *r.FirstCause) {
			return f
		}
	}
	p.t.Errorf("the cause is none of the faults %v: %v; secondary: %v", struck, r.FirstCause, r.Secondary)
	return nil
}

// sameCause tells whether two verdicts name the same, in the same words for what kind it is.
func sameCause(a, b *protocol.Cause) bool {
	switch {
	case a == nil || b == nil:
		return a == b
	case a.Subject != "":
		return a.Subject == b.Subject && a.Kind == b.Kind
	}
	return a.Role == b.Role && a.Kind == b.Kind && (a.Host == b.Host || a.Host == "" || b.Host == "")
}
