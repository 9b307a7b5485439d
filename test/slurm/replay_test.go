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

// likeness is how a verdict on the lab compares with the simulated one.
type likeness int

const (
	asDrawn  likeness = iota // the same role, host and kind
	asStruck                 // the same if what struck on the lab is simulated, at the times at which it did
	other
	likenesses
)

func (l likeness) String() string {
	return [...]string{"the same", "the same with the lab's times", "another"}[l]
}

// TestReplay plays seeds of the simulation on the lab. There, too, the first cause is one of the faults, and nothing is
// left. How many verdicts agree with the simulated ones in role, host and kind is shown. The lab's processes load and
// start at times of their own: a child that has not started cannot be killed, and of two faults the other may come
// first. So a verdict that does not agree is compared with those of simulations of what has struck.
func TestReplay(t *testing.T) {
	var sum [likenesses]int
	for _, cgroup := range []bool{true, false} {
		t.Run(fmt.Sprintf("cgroup=%v", cgroup), func(t *testing.T) {
			o := standard(cgroup)
			o.KillWait = killWait
			c := start(t, o)
			c.equipActors(t)
			for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
				t.Run(fmt.Sprintf("seed-%d", seed), func(t *testing.T) { sum[replay(t, c, seed)]++ })
			}
		})
	}
	t.Logf("%d agree with the simulation, %d more with one of what has struck, %d do not", sum[asDrawn], sum[asStruck],
		sum[other])
}

// timings is with how many other times of messages, starts and looks what has struck is simulated.
const timings = 20

// replay plays one seed, and compares the verdict with the simulated one.
func replay(t *testing.T, c *cluster, seed uint64) likeness {
	t.Helper()
	s := drawForLab(t, seed)
	simulated := simulate(t, s)
	for _, f := range s.Faults {
		f.At = time.Time{}
	}
	p := c.play(t, fmt.Sprintf("seed-%d", seed), s)
	r := p.toTheEnd(overWithin)
	p.judge(r)
	like := asDrawn
	if !sameCause(simulated, r.FirstCause) {
		like = other
		again := p.asPlayed(drawForLab(t, seed))
		for n := uint64(0); n < timings && like == other; n++ {
			if simulated = simulate(t, again.Timed(n)); sameCause(simulated, r.FirstCause) {
				like = asStruck
			}
		}
		t.Logf("struck: %s", again)
	}
	t.Logf("%s\nsimulated %v\non the lab %v\n%s", s, simulated, r.FirstCause, like)
	return like
}

func drawForLab(t *testing.T, seed uint64) simulation.Scenario {
	t.Helper()
	s, err := simulation.DrawForLab(seed, 1+int(seed%3))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func simulate(t *testing.T, s simulation.Scenario) *protocol.Cause {
	t.Helper()
	r, err := simulation.Run(s, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range r.Broken {
		t.Errorf("%s is broken: %s", s, b)
	}
	return r.Cause
}

// benchStarts is how much later than the phase the simulated benchmark begins, at most.
const benchStarts = 80 * time.Millisecond

// asPlayed is the scenario as it was on the lab: with the faults that happened, each at the time since the beginning of
// its phase at which it did, and a benchmark that lasted as long as there, or at least as long as that.
func (p *player) asPlayed(s simulation.Scenario) simulation.Scenario {
	s.Faults = nil
	for _, b := range p.begun {
		if end := p.measuredAt(); b.phase == protocol.Measuring && !end.IsZero() {
			s = s.Measuring(end.Sub(b.at) - benchStarts)
		}
	}
	for _, f := range p.scenario.Faults {
		if f.At.IsZero() {
			continue
		}
		g := *f
		for _, b := range p.begun {
			if (b.phase == protocol.Readying || b.phase == protocol.Measuring) && b.at.Before(f.At) {
				g.Phase, g.After = b.phase, f.At.Sub(b.at)
			}
		}
		if g.Phase == protocol.Measuring && g.After >= s.Measures() && p.measuredAt().IsZero() {
			s = s.Measuring(g.After + time.Millisecond)
		}
		g.At = time.Time{}
		s.Faults = append(s.Faults, &g)
	}
	return s
}

// judge checks that a verdict names one of the faults that happened, and the first if no other happened at about the
// same time; that there is one if it had to show; and that what was measured is recorded.
func (p *player) judge(r protocol.Result) (named *simulation.Fault) {
	p.t.Helper()
	if !p.recordedOnce() {
		p.t.Errorf("the benchmark left %v; recorded: %v", p.clientFiles(), p.records())
	}
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
		if g.Names(f, *r.FirstCause) || g.MayStandFor(*r.FirstCause, f, false) {
			named = f
			break
		}
	}
	first := g.First()
	switch {
	case named == nil:
		p.t.Errorf("the cause is none of the faults %v: %v; secondary: %v", struck, r.FirstCause, r.Secondary)
	case g.Unmistakable(first) && !g.Names(first, *r.FirstCause) && !g.Undated(first, *r.FirstCause):
		p.t.Errorf("the cause is not the first fault, %s: %v; secondary: %v", first, r.FirstCause, r.Secondary)
	}
	return named
}

// sameCause tells whether two verdicts name the same, in the same words for what kind it is.
func sameCause(a, b *protocol.Cause) bool {
	switch {
	case a == nil || b == nil:
		return a == b
	case a.Subject != "":
		return a.Subject == b.Subject && a.Kind == b.Kind
	case a.Kind == protocol.CauseCancelled: // of a step any rank may be the first to hear it
		return a.Role == b.Role && a.Kind == b.Kind
	}
	return a.Role == b.Role && a.Kind == b.Kind && (a.Host == b.Host || a.Host == "" || b.Host == "")
}
