package decide

import (
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// An agent that never arrives fails the job; those that did are stopped, and one that comes too late is sent home.
func TestLaunchDeadline(t *testing.T) {
	b := newBench(t)
	b.hello(benchmark, gen0)
	b.untilPhaseEnds()
	c := b.job.Cause()
	if c == nil || c.Role != gen1.Role || c.Rank != 1 || c.Kind != protocol.NeverStarted {
		t.Errorf("cause %+v, want GEN_0.1 never started", c)
	}
	b.expect("GEN_0.0 stop", "BENCHMARK.0 stop")
	b.hello(ctx0) // too late: it is sent home
	b.expect("CTX_0.0 stop")
	b.gone(benchmark, gen0, ctx0)
	if b.job.Phase() != protocol.Over || b.job.AllExited() {
		t.Errorf("phase %s: the job waits for agents that never came", b.job.Phase())
	}
}

// The role that holds the others up is named, with what its service said last.
func TestReadyDeadline(t *testing.T) {
	b := newBench(t)
	b.hello(all...)
	b.event(gen0, protocol.EventAddress)
	b.event(gen0, protocol.EventReady)
	b.event(ctx0, protocol.EventAddress)
	b.told(ctx0, protocol.EventUnready, "status: 503 loading")
	b.untilPhaseEnds()
	b.after(partitionBound)
	c := b.job.Cause()
	if c == nil || c.Role != ctx0.Role || c.Kind != protocol.ReadyTimeout ||
		c.Detail != "not ready within 46m0s: status: 503 loading" {
		t.Errorf("cause %+v", c)
	}
}

// An agent that never says that it has stopped cannot keep the job.
func TestStopDeadline(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.exit(gen0, protocol.Outcome{Code: 1})
	b.gone(benchmark, ctx0, server, gen0)
	if b.job.Phase() != protocol.Stopping {
		t.Fatalf("phase %s", b.job.Phase())
	}
	b.untilPhaseEnds()
	if b.job.Phase() != protocol.Over || b.job.AllExited() {
		t.Errorf("phase %s, quiet %v", b.job.Phase(), b.job.AllExited())
	}
}

// Roles that people start one by one may take their time.
func TestByHandHasNoLaunchDeadline(t *testing.T) {
	b := benchWith(t, func(in *plan.Input) { in.Policy.Interactive = true })
	b.hello(benchmark)
	if d := b.job.Deadline(b.now); !d.IsZero() {
		t.Errorf("the deadline is %v", d)
	}
}

// Of many agents that never arrived, a few are named.
func TestManyAreMissing(t *testing.T) {
	b := benchWith(t, func(in *plan.Input) { in.Case.Servers[roles.Gen] = roles.Server{Count: 1, GPUs: 16} })
	b.hello(benchmark)
	b.untilPhaseEnds()
	if c := b.job.Cause(); c == nil || c.Task() != gen0 || !strings.HasSuffix(c.Detail, "GEN_0.7, and 10 more") {
		t.Errorf("cause %v", c)
	}
}

// When everything that was started serves, and yet the benchmark does not begin, it is the benchmark that is not ready.
func TestNobodyHoldsTheOthersUp(t *testing.T) {
	b := benchWith(t, func(in *plan.Input) { in.Policy.Interactive = true })
	b.hello(gen0, gen1, ctx0, server)
	b.event(gen0, protocol.EventAddress)
	b.event(ctx0, protocol.EventAddress)
	for _, task := range []roles.Task{gen0, ctx0, server} {
		b.event(task, protocol.EventReady)
	}
	if who := b.job.firstUnready(); who.Task != benchmark {
		t.Errorf("%s holds the others up", who.Task)
	}
}

// The next deadline is the nearest of all that are set; while there is one, the clock looks at least once a beat.
func TestNearestDeadline(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.exit(benchmark, protocol.Outcome{Code: 1}) // a better explanation is awaited
	if d := b.job.Deadline(b.now); d.After(b.now.Add(partitionBound)) {
		t.Errorf("the next look is at %v", d.Sub(b.now))
	}
	b = newBench(t)
	if d := b.job.Deadline(b.now); !d.Equal(b.now.Add(b.job.clock.Beat)) {
		t.Errorf("nobody is there yet, and its clock must notice a pause, but the next look is at %v", d.Sub(b.now))
	}
}

// Points that arrive when the job is over already, or before the benchmark has ended, are kept and change nothing.
func TestPointsOutOfTurn(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.points(goodPoints()...)
	if b.job.Phase() != protocol.Measuring || len(b.job.View(b.now).Points) != 2 {
		t.Errorf("phase %s", b.job.Phase())
	}
	b.exit(gen1, protocol.Outcome{Code: 3})
	b.points(goodPoints()[:1]...)
	if c := b.job.Cause(); c.Kind != protocol.ChildExit || len(b.job.attribution.Secondary()) != 0 {
		t.Errorf("cause %v, secondary %v", c, b.job.attribution.Secondary())
	}
}
