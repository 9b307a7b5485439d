package hub

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/supervisor"
)

func TestFirstCauses(t *testing.T) {
	missing := goodPoints()[:1]
	invalid := goodPoints()
	invalid[1].Invalid = "3 of 4 requests failed"
	tests := map[string]struct {
		act  func(*bench)
		who  roles.Task
		kind results.CauseKind
		code int
	}{
		"a rank dies":           {func(b *bench) { b.exit(gen1, supervisor.Outcome{Code: 3}) }, gen1, results.ChildExit, 1},
		"a rank is killed":      {func(b *bench) { b.exit(ctx0, supervisor.Outcome{Code: 137, Signal: "SIGKILL"}) }, ctx0, results.ChildSignal, 1},
		"a server ends early":   {func(b *bench) { b.exit(server, supervisor.Outcome{}) }, server, results.ChildExit, 1},
		"an agent is lost":      {func(b *bench) { b.job.hear(control.Inbound{Task: gen1, Lost: "silence"}, b.now) }, gen1, results.AgentLost, 1},
		"the benchmark fails":   {func(b *bench) { b.exit(benchmark, supervisor.Outcome{Code: 1}); b.checked() }, benchmark, results.BenchmarkFailed, 1},
		"a point is missing":    {func(b *bench) { b.exit(benchmark, supervisor.Outcome{}); b.points(missing...); b.checked() }, benchmark, results.ResultsInvalid, 1},
		"a point is invalid":    {func(b *bench) { b.exit(benchmark, supervisor.Outcome{}); b.points(invalid...); b.checked() }, benchmark, results.ResultsInvalid, 1},
		"the benchmark hangs":   {func(b *bench) { b.now = b.job.deadline(); b.job.due(b.now) }, benchmark, results.Deadline, 124},
		"somebody stops a role": {func(b *bench) { b.event(ctx0, control.Leaving) }, ctx0, results.CauseCancelled, 130},
		"a service is lost":     {func(b *bench) { b.told(gen0, control.Unhealthy, "refused") }, gen0, results.HealthLost, 1},
		"a service stalls":      {func(b *bench) { b.told(gen0, control.Stalled, "no line") }, gen0, results.HealthLost, 1},
		"a peer is cut off":     {func(b *bench) { b.told(ctx0, control.Unreachable, "n3 cannot reach GEN_0") }, ctx0, results.HealthLost, 1},
		"somebody cancels":      {func(b *bench) { b.job.cancel("SIGTERM", b.now) }, benchmark, results.CauseCancelled, 130},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.measuring()
			tt.act(b)
			b.now = b.now.Add(settle)
			b.exit(gen0, supervisor.Outcome{Code: 1}) // falls with it
			c := b.job.cause
			if c == nil || c.Role != tt.who.Role || c.Rank != tt.who.Rank || c.Kind != tt.kind || c.Host != "n-"+tt.who.String() {
				t.Fatalf("cause %+v, want %s %s", c, tt.who, tt.kind)
			}
			stops := slices.DeleteFunc(b.take(), func(s string) bool { return strings.HasSuffix(s, " check") })
			slices.Sort(stops)
			if len(stops) != 5 || slices.ContainsFunc(stops, func(s string) bool { return s[len(s)-4:] != "stop" }) {
				t.Errorf("directives %v, want a stop for everyone", stops)
			}
			b.gone(all...)
			if r := b.job.result(Options{}, b.now); b.job.phase != Over || r.ExitCode != tt.code || r.Verdict == results.Passed {
				t.Errorf("phase %s, result %s %d", b.job.phase, r.Verdict, r.ExitCode)
			}
		})
	}
}

// What was heard of later can have been there first.
func TestMoreOriginalCauses(t *testing.T) {
	killed := supervisor.Outcome{Code: 137, Signal: "SIGKILL"}
	tests := map[string]struct {
		first, later func(*bench)
		wait         time.Duration
		who          roles.Task
		kind         results.CauseKind
	}{
		"a rank is killed because its sibling failed": {
			func(b *bench) { b.exit(gen0, killed) }, func(b *bench) { b.exit(gen1, supervisor.Outcome{Code: 3}) }, 0, gen1, results.ChildExit,
		},
		"a sibling fails long after": {
			func(b *bench) { b.exit(gen0, killed) }, func(b *bench) { b.exit(gen1, supervisor.Outcome{Code: 3}) }, settle, gen0, results.ChildSignal,
		},
		"both ranks fail": {
			func(b *bench) { b.exit(gen0, supervisor.Outcome{Code: 3}) }, func(b *bench) { b.exit(gen1, supervisor.Outcome{Code: 4}) }, 0, gen0, results.ChildExit,
		},
		"both ranks are killed": {
			func(b *bench) { b.exit(gen1, killed) }, func(b *bench) { b.exit(gen0, killed) }, 0, gen1, results.ChildSignal,
		},
		"the router falls with its worker": {
			func(b *bench) { b.exit(server, supervisor.Outcome{Code: 1}) }, func(b *bench) { b.exit(ctx0, killed) }, 0, ctx0, results.ChildSignal,
		},
		"a worker falls with another": {
			func(b *bench) { b.exit(ctx0, killed) }, func(b *bench) { b.exit(gen0, supervisor.Outcome{Code: 1}) }, 0, ctx0, results.ChildSignal,
		},
		"a worker falls with its router": {
			func(b *bench) { b.exit(ctx0, killed) }, func(b *bench) { b.exit(server, supervisor.Outcome{Code: 1}) }, 0, ctx0, results.ChildSignal,
		},
		"the benchmark fails with a server": {
			func(b *bench) { b.exit(benchmark, supervisor.Outcome{Code: 1}) }, func(b *bench) { b.exit(server, supervisor.Outcome{Code: 2}) }, 0, server, results.ChildExit,
		},
		"the benchmark fails because of a cut": {
			func(b *bench) { b.exit(benchmark, supervisor.Outcome{Code: 1}) },
			func(b *bench) { b.told(server, control.Checked, "n1 cannot reach CTX_0 at n2:1: timeout") }, 0, server, results.HealthLost,
		},
		"one that was stopped is no cause": {
			func(b *bench) { b.exit(gen0, killed) }, func(b *bench) { b.exit(gen1, supervisor.Outcome{Code: 1, StopReason: "told"}) }, 0, gen0, results.ChildSignal,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.measuring()
			tt.first(b)
			b.now = b.now.Add(tt.wait)
			tt.later(b)
			c := b.job.firstCause()
			if c == nil || c.Role != tt.who.Role || c.Rank != tt.who.Rank || c.Kind != tt.kind || b.job.phase != Stopping {
				t.Errorf("cause %+v in phase %s, want %s %s", c, b.job.phase, tt.who, tt.kind)
			}
			if s := b.job.cause; tt.wait == 0 && s.code != b.code[tt.who] && b.job.tasks[tt.who].outcome.StopReason == "" {
				t.Errorf("%s is to end with code %d, want its own, %d", tt.who, b.code[tt.who], s.code)
			}
			b.gone(all...)
			if r := b.job.result(Options{}, b.now); len(r.Secondary) > 1 {
				t.Errorf("secondary %+v", r.Secondary)
			}
		})
	}
}

// A failed benchmark waits for those who might know better, but not for long.
func TestBenchmarkIsDoubtedForAWhile(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.exit(benchmark, supervisor.Outcome{Code: 1})
	b.told(gen0, control.Checked, "")
	if b.job.phase != Measuring || b.job.deadline().Sub(b.now) != checkBound {
		t.Fatalf("phase %s, deadline in %v", b.job.phase, b.job.deadline().Sub(b.now))
	}
	b.now = b.job.deadline()
	b.job.due(b.now)
	if c := b.job.firstCause(); c == nil || c.Kind != results.BenchmarkFailed || b.job.phase != Stopping {
		t.Errorf("cause %+v in phase %s", c, b.job.phase)
	}
	b.told(ctx0, control.Checked, "too late")
	if c := b.job.firstCause(); c.Kind != results.BenchmarkFailed {
		t.Errorf("cause %+v", c)
	}
}

// Once servers may end, it is no news that they do not answer.
func TestHealthNoLongerMatters(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.event(benchmark, control.Release)
	b.told(gen0, control.Unhealthy, "refused")
	if b.job.cause != nil {
		t.Errorf("cause %+v", b.job.cause)
	}
}

// A step ends with the code of the rank that failed first, in whatever order its ranks end; other steps do not.
func TestStepEndsWithTheCauseCode(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.exit(gen0, supervisor.Outcome{Code: 137, Signal: "SIGKILL"})
	if b.code[gen1] != 137 || b.code[ctx0] != 0 || b.code[benchmark] != 0 {
		t.Errorf("codes %v", b.code)
	}
}

// Workers of a rank launcher end well, and first, when the command of rank 0 has died.
func TestWeakCauseWaitsForAStrongerOne(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.exit(gen1, supervisor.Outcome{})
	b.expect()
	b.exit(gen0, supervisor.Outcome{Code: 3})
	if c := b.job.cause; c == nil || c.Role != gen0.Role || c.Rank != 0 {
		t.Errorf("cause %v", c)
	}
	if len(b.job.secondary) != 1 || b.job.secondary[0].Rank != 1 {
		t.Errorf("secondary %v", b.job.secondary)
	}
}

// A worker that ended well for no reason that anybody knows is a cause too, a moment later.
func TestWeakCauseStands(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.exit(gen1, supervisor.Outcome{})
	if d := b.job.deadline().Sub(b.now); d != settle {
		t.Fatalf("the doubt ends in %v", d)
	}
	b.now = b.job.deadline()
	b.job.due(b.now)
	if c := b.job.cause; c == nil || c.Rank != 1 || c.Kind != results.ChildExit || b.job.phase != Stopping {
		t.Errorf("cause %v, phase %s", c, b.job.phase)
	}
}
