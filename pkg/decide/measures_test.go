package decide

import (
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

// aggregated is a job in which GEN_0, of two ranks, runs the test that measures, and BENCHMARK only watches.
func aggregated(t *testing.T, ready bool) *bench {
	t.Helper()
	b := benchWith(t, func(in *plan.Input) {
		r, _, err := recipe.Load("trtllm-aggregated")
		if err != nil {
			t.Fatal(err)
		}
		in.Recipe = r
		in.Case.Servers = map[roles.Kind]roles.Server{roles.Gen: {Count: 1, GPUs: 2}}
	})
	b.hello(gen0, gen1, benchmark)
	b.event(gen0, protocol.EventStarted)
	b.event(gen1, protocol.EventStarted)
	if ready {
		b.event(gen0, protocol.EventReady)
		b.event(benchmark, protocol.EventStarted)
		if b.job.Phase() != protocol.Measuring {
			t.Fatalf("phase %s", b.job.Phase())
		}
	}
	return b
}

var bothPoints = []protocol.Point{{Index: 0, Concurrency: 4}, {Index: 1, Concurrency: 8}}

// A worker that measures itself ends the measurement when it ends well; then its points are judged. Whether its other
// ranks are heard of before or after it does not matter, nor whether anybody saw that it had begun.
func TestMeasuresItself(t *testing.T) {
	for name, tt := range map[string]struct {
		ready bool
		ranks []roles.Task
	}{
		"the leader first":           {true, []roles.Task{gen0, gen1}},
		"another rank first":         {true, []roles.Task{gen1, gen0}},
		"before anybody saw a thing": {false, []roles.Task{gen0, gen1}},
	} {
		t.Run(name, func(t *testing.T) {
			b := aggregated(t, tt.ready)
			for _, task := range tt.ranks {
				b.exit(task, protocol.Outcome{})
				b.after(2 * settle) // its results are to be read
			}
			if c := b.job.Cause(); c != nil || b.job.Phase() != protocol.Measuring {
				t.Fatalf("cause %v, phase %s", c, b.job.Phase())
			}
			b.points(bothPoints...)
			b.exit(benchmark, protocol.Outcome{Code: 143, StopReason: "done"})
			b.gone(gen0, gen1, benchmark)
			if r := b.job.Result(Times{}, b.now); r.Verdict != protocol.Passed || len(r.Points) != 2 {
				t.Errorf("%s, %v, %v", r.Verdict, r.FirstCause, r.Points)
			}
		})
	}
}

// A worker that measures itself and fails is the cause; so is one whose points are not what the case asks for, and one
// of which a rank ends well while the test goes on for too long after that.
func TestMeasuresItselfBadly(t *testing.T) {
	for name, tt := range map[string]struct {
		act  func(*bench)
		who  roles.Task
		kind protocol.CauseKind
	}{
		"it fails": {func(b *bench) { b.exit(gen0, protocol.Outcome{Code: 1}) }, gen0, protocol.ChildExit},
		"no points": {
			func(b *bench) { b.exit(gen0, protocol.Outcome{}); b.points() }, benchmark, protocol.ResultsInvalid,
		},
		"a rank left": {
			func(b *bench) { b.exit(gen1, protocol.Outcome{}); b.after(readBound + time.Second) }, gen1,
			protocol.ChildExit,
		},
		"who watches is killed": {
			func(b *bench) {
				b.exit(benchmark, protocol.Outcome{Code: 137, Signal: "SIGKILL"})
				b.after(time.Minute)
			}, benchmark, protocol.ChildSignal,
		},
	} {
		b := aggregated(t, true)
		tt.act(b)
		b.after(time.Second)
		if c := b.job.Cause(); c == nil || c.Task() != tt.who || c.Kind != tt.kind {
			t.Errorf("%s: %v", name, c)
		}
	}
}
