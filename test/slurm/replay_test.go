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
	firstSeed = flag.Uint64("seed", 1, "the first seed that is replayed")
	seeds     = flag.Uint64("seeds", 3, "how many seeds are replayed, with either kind of process tracking")
)

// TestReplay plays seeds of the simulation on the lab. There, too, the first cause is one of the faults, and nothing is
// left; how many verdicts agree with the simulated ones in role, host and kind is shown.
func TestReplay(t *testing.T) {
	agreed, played := 0, 0
	for _, cgroup := range []bool{true, false} {
		t.Run(fmt.Sprintf("cgroup=%v", cgroup), func(t *testing.T) {
			o := standard(cgroup)
			o.KillWait = killWait
			c := start(t, o)
			c.equipActors(t)
			for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
				t.Run(fmt.Sprintf("seed-%d", seed), func(t *testing.T) {
					played++
					if replay(t, c, seed) {
						agreed++
					}
				})
			}
		})
	}
	t.Logf("%d of %d agree with the simulation", agreed, played)
}

// replay plays one seed, and tells whether the verdict is the simulated one.
func replay(t *testing.T, c *cluster, seed uint64) bool {
	s, err := simulation.DrawForLab(seed, 1+int(seed%3))
	if err != nil {
		t.Fatal(err)
	}
	simulated, err := simulation.Run(s, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range s.Faults {
		f.At = time.Time{}
	}
	p := c.play(t, fmt.Sprintf("seed-%d", seed), s)
	r := p.toTheEnd()
	p.judge(r)
	same := sameCause(simulated.Cause, r.FirstCause)
	t.Logf("%s\nsimulated %v\non the lab %v\nsame: %t", s, simulated.Cause, r.FirstCause, same)
	return same
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
