package decide

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// Whatever breaks first is the first cause, everybody is told to stop, and what falls with it changes nothing.
func TestFirstCauses(t *testing.T) {
	missing := goodPoints()[:1]
	invalid := goodPoints()
	invalid[1].Invalid = "3 of 4 requests failed"
	tests := map[string]struct {
		act  func(*bench)
		who  roles.Task
		kind protocol.CauseKind
		code int
	}{
		"a rank dies": {
			func(b *bench) { b.exit(gen1, protocol.Outcome{Code: 3}) }, gen1, protocol.ChildExit, 1,
		},
		"a rank is killed": {
			func(b *bench) { b.exit(ctx0, protocol.Outcome{Code: 137, Signal: "SIGKILL"}) }, ctx0, protocol.ChildSignal,
			1,
		},
		"a server ends early": {func(b *bench) { b.exit(server, protocol.Outcome{}) }, server, protocol.ChildExit, 1},
		"an agent is lost":    {func(b *bench) { b.lose(gen1) }, gen1, protocol.AgentLost, 1},
		"the benchmark fails": {
			func(b *bench) { b.exit(benchmark, protocol.Outcome{Code: 1}); b.checked() }, benchmark,
			protocol.BenchmarkFailed, 1,
		},
		"a point is missing": {
			func(b *bench) { b.exit(benchmark, protocol.Outcome{}); b.points(missing...); b.checked() }, benchmark,
			protocol.ResultsInvalid, 1,
		},
		"a point is invalid": {
			func(b *bench) { b.exit(benchmark, protocol.Outcome{}); b.points(invalid...); b.checked() }, benchmark,
			protocol.ResultsInvalid, 1,
		},
		"the benchmark hangs": {func(b *bench) { b.untilPhaseEnds() }, benchmark, protocol.Deadline, 124},
		"somebody stops a role": {
			func(b *bench) { b.event(ctx0, protocol.EventLeaving) }, ctx0, protocol.CauseCancelled, 130,
		},
		"a service is lost": {
			func(b *bench) { b.told(gen0, protocol.EventUnhealthy, "refused") }, gen0, protocol.HealthLost, 1,
		},
		"a service stalls": {
			func(b *bench) { b.told(gen0, protocol.EventStalled, "no line") }, gen0, protocol.Stalled, 1,
		},
		"a peer is cut off": {
			func(b *bench) { b.told(ctx0, protocol.EventUnreachable, "n3 cannot reach GEN_0") }, ctx0,
			protocol.HealthLost, 1,
		},
		"somebody cancels": {
			func(b *bench) { b.in(Cancel{Detail: "SIGTERM"}) }, benchmark, protocol.CauseCancelled, 130,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.measuring()
			tt.act(b)
			b.now = b.now.Add(settle)
			b.exit(gen0, protocol.Outcome{Code: 1}) // falls with it
			c := b.job.Cause()
			if c == nil || c.Role != tt.who.Role || c.Rank != tt.who.Rank || c.Kind != tt.kind ||
				c.Host != "n-"+tt.who.String() {
				t.Fatalf("cause %+v, want %s %s", c, tt.who, tt.kind)
			}
			stops := slices.DeleteFunc(b.take(), func(s string) bool { return strings.HasSuffix(s, " check") })
			slices.Sort(stops)
			if len(stops) != 5 || slices.ContainsFunc(stops, func(s string) bool { return s[len(s)-4:] != "stop" }) {
				t.Errorf("directives %v, want a stop for everyone", stops)
			}
			b.gone(all...)
			b.now = b.now.Add(askedLag)
			b.tick()
			if r := b.job.Result(Times{}, b.now); b.job.Phase() != protocol.Over || r.ExitCode != tt.code ||
				r.Verdict == protocol.Passed {
				t.Errorf("phase %s, result %s %d", b.job.Phase(), r.Verdict, r.ExitCode)
			}
		})
	}
}

// What was heard of later can have been there first.
func TestMoreOriginalCauses(t *testing.T) {
	killed := protocol.Outcome{Code: 137, Signal: "SIGKILL"}
	tests := map[string]struct {
		first, later func(*bench)
		wait         time.Duration
		who          roles.Task
		kind         protocol.CauseKind
	}{
		"a rank is killed because its sibling failed": {
			func(b *bench) { b.exit(gen0, killed) }, func(b *bench) { b.exit(gen1, protocol.Outcome{Code: 3}) }, 0,
			gen1, protocol.ChildExit,
		},
		"a sibling fails long after": {
			func(b *bench) { b.exit(gen0, killed) }, func(b *bench) { b.exit(gen1, protocol.Outcome{Code: 3}) }, settle,
			gen0, protocol.ChildSignal,
		},
		"both ranks fail": {
			func(b *bench) { b.exit(gen0, protocol.Outcome{Code: 3}) },
			func(b *bench) { b.exit(gen1, protocol.Outcome{Code: 4}) }, 0, gen0, protocol.ChildExit,
		},
		"both ranks are killed": {
			func(b *bench) { b.exit(gen1, killed) }, func(b *bench) { b.exit(gen0, killed) }, 0, gen1,
			protocol.ChildSignal,
		},
		"the router falls with its worker": {
			func(b *bench) { b.exit(server, protocol.Outcome{Code: 1}) }, func(b *bench) { b.exit(ctx0, killed) }, 0,
			ctx0, protocol.ChildSignal,
		},
		"a worker falls with another": {
			func(b *bench) { b.exit(ctx0, killed) }, func(b *bench) { b.exit(gen0, protocol.Outcome{Code: 1}) }, 0,
			ctx0, protocol.ChildSignal,
		},
		"a worker falls with its router": {
			func(b *bench) { b.exit(ctx0, killed) }, func(b *bench) { b.exit(server, protocol.Outcome{Code: 1}) }, 0,
			ctx0, protocol.ChildSignal,
		},
		"the benchmark fails with a server": {
			func(b *bench) { b.exit(benchmark, protocol.Outcome{Code: 1}) },
			func(b *bench) { b.exit(server, protocol.Outcome{Code: 2}) }, 0, server, protocol.ChildExit,
		},
		"the benchmark fails because of a cut": {
			func(b *bench) { b.exit(benchmark, protocol.Outcome{Code: 1}) },
			func(b *bench) {
				b.told(server, protocol.EventChecked, "n1 cannot reach CTX_0 at n2:1: timeout")
				b.checked()
			}, 0, server, protocol.HealthLost,
		},
		"one that was stopped is no cause": {
			func(b *bench) { b.exit(gen0, killed) },
			func(b *bench) { b.exit(gen1, protocol.Outcome{Code: 1, StopReason: "told"}) }, 0, gen0,
			protocol.ChildSignal,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.measuring()
			tt.first(b)
			b.now = b.now.Add(tt.wait)
			tt.later(b)
			c := b.job.Cause()
			if c == nil || c.Role != tt.who.Role || c.Rank != tt.who.Rank || c.Kind != tt.kind ||
				b.job.Phase() != protocol.Stopping {
				t.Errorf("cause %+v in phase %s, want %s %s", c, b.job.Phase(), tt.who, tt.kind)
			}
			if s := b.job.attribution.Verdict(); tt.wait == 0 && s.Code != b.code[tt.who] &&
				b.job.tasks[tt.who].outcome.StopReason == "" {
				t.Errorf("%s is to end with code %d, want its own, %d", tt.who, b.code[tt.who], s.Code)
			}
			b.gone(all...)
			if r := b.job.Result(Times{}, b.now); len(r.Secondary) > 1 {
				t.Errorf("secondary %+v", r.Secondary)
			}
		})
	}
}

// A server's agent stands still, so that it cannot say why the benchmark fails, which does not reach the server. That
// counts, although what ends long afterwards, and cannot be why, is heard first.
func TestBenchmarkFailsWithASilentServer(t *testing.T) {
	b := newBench(t)
	b.measuring()
	ended := b.now
	b.now = b.now.Add(50 * time.Millisecond)
	b.exit(benchmark, protocol.Outcome{Code: 1, EndedAt: b.now})
	b.told(gen0, protocol.EventChecked, "")
	b.report(benchmark, protocol.Event{
		Kind: protocol.EventChecked, Detail: "n1 cannot reach DISAGG_SERVER: refused", Peers: []roles.Role{server.Role},
	})
	b.after(time.Second, server)
	b.exit(gen0, protocol.Outcome{EndedAt: b.now})
	if c := b.job.Cause(); c == nil || c.Kind != protocol.HealthLost || c.Role != server.Role {
		t.Fatalf("the cause is %v", c)
	}
	b.exit(server, protocol.Outcome{EndedAt: ended, EndedBy: b.now})
	if c := b.job.Cause(); c.Kind != protocol.ChildExit || c.Role != server.Role {
		t.Errorf("the cause is %v", c)
	}
}

// A failed benchmark waits for those who might know better, but not for long.
func TestBenchmarkIsDoubtedForAWhile(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.exit(benchmark, protocol.Outcome{Code: 1})
	b.told(gen0, protocol.EventChecked, "")
	if wait := b.job.attribution.Deadline().Sub(b.now); b.job.Phase() != protocol.Measuring || wait != partitionBound {
		t.Fatalf("phase %s, deadline in %v", b.job.Phase(), wait)
	}
	b.after(partitionBound)
	if c := b.job.Cause(); c == nil || c.Kind != protocol.BenchmarkFailed || b.job.Phase() != protocol.Stopping {
		t.Errorf("cause %+v in phase %s", c, b.job.Phase())
	}
	b.told(ctx0, protocol.EventChecked, "too late")
	if c := b.job.Cause(); c.Kind != protocol.BenchmarkFailed {
		t.Errorf("cause %+v", c)
	}
	b.report(ctx0, protocol.Event{Kind: protocol.EventChecked, Unwell: "timeout"}) // of itself it knows best
	if c := b.job.Cause(); c.Kind != protocol.HealthLost || c.Task() != ctx0 {
		t.Errorf("cause %+v", c)
	}
}

// Nobody waits for the answer of an agent that cannot give one any more.
func TestNobodyIsLeftToAnswer(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.exit(benchmark, protocol.Outcome{Code: 1})
	b.told(gen0, protocol.EventChecked, "")
	b.told(server, protocol.EventChecked, "")
	b.gone(ctx0)
	if b.job.Cause() != nil {
		t.Fatalf("the benchmark has not answered, but %v", b.job.Cause())
	}
	b.gone(benchmark)
	if c := b.job.Cause(); c == nil || c.Kind != protocol.BenchmarkFailed {
		t.Errorf("cause %v", c)
	}
}

// Once servers may end, it is no news that they do not answer.
func TestHealthNoLongerMatters(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.event(benchmark, protocol.EventRelease)
	b.told(gen0, protocol.EventUnhealthy, "refused")
	if b.job.Cause() != nil {
		t.Errorf("cause %+v", b.job.Cause())
	}
}

// A step ends with the code of the rank that failed first, in whatever order its ranks end; other steps do not.
func TestStepEndsWithTheCauseCode(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.exit(gen0, protocol.Outcome{Code: 137, Signal: "SIGKILL"})
	if b.code[gen1] != 137 || b.code[ctx0] != 0 || b.code[benchmark] != 0 {
		t.Errorf("codes %v", b.code)
	}
}

// Slurm ends the whole step of a process that has ended, where PMIx asks for that: the process is named, and not an
// agent that went with the step. If another agent alone is gone, MPI has killed the process because of that.
func TestStepEndsBecauseOfAChild(t *testing.T) {
	killed := protocol.Outcome{Started: true, Code: 137, Signal: "SIGKILL"}
	crashed := protocol.Outcome{Started: true, Code: 1}
	const soon, short, long = settle / 5, 100 * time.Millisecond, 2 * time.Second
	step, one := []roles.Task{gen0, gen1}, []roles.Task{gen1}
	for name, c := range map[string]struct {
		o             protocol.Outcome
		silent, after time.Duration // before the end of the process, and until agents are gone
		gone          []roles.Task
		kind          protocol.CauseKind
		rank          int
	}{
		"the step":                    {killed, short, soon, step, protocol.ChildSignal, 0},
		"one agent":                   {killed, short, soon, one, protocol.AgentLost, 1},
		"an agent that stood still":   {killed, short, 2 * settle, one, protocol.ChildSignal, 0},
		"the step, one stood still":   {crashed, long, soon, step, protocol.ChildExit, 0},
		"one agent, which was silent": {crashed, long, soon, one, protocol.AgentLost, 1},
	} {
		b := newBench(t)
		b.measuring()
		b.after(c.silent, c.gone...)
		o := c.o
		o.EndedAt = b.now
		b.exit(gen0, o)
		b.after(c.after, c.gone...)
		for _, task := range c.gone {
			b.in(Broke{Task: task})
		}
		b.after(time.Second, c.gone...)
		if got := b.job.Cause(); got == nil || got.Kind != c.kind || got.Rank != c.rank {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// The agents of a step that is asked to end vanish because of that, also if one of them has not said so and the hub
// stood still meanwhile; one that was silent before may be why somebody asked, and so may one that vanished before.
func TestStepEndsBecauseItWasAsked(t *testing.T) {
	unseen := func(silent time.Duration) func(*bench) {
		return func(b *bench) {
			b.now = b.now.Add(4 * time.Second)
			asked := b.now.Add(-time.Second)
			for _, task := range []roles.Task{gen0, gen1} {
				b.job.tasks[task].clock = &hostClock{}
				b.job.tasks[task].hears(b.now, b.now)
			}
			b.in(Alive{Task: gen1, Sent: asked.Add(-silent)})
			b.report(gen0, protocol.Event{Kind: protocol.EventLeaving, At: asked})
			b.in(Broke{Task: gen1}, Broke{Task: gen0})
		}
	}
	for name, c := range map[string]struct {
		act  func(*bench)
		kind protocol.CauseKind
	}{
		"while the hub stood still": {unseen(time.Second), protocol.CauseCancelled},
		"after a silence":           {unseen(2 * time.Second), protocol.AgentLost},
		"after an agent has vanished": {func(b *bench) {
			b.in(Broke{Task: gen1})
			b.after(2*signalLag, gen1)
			b.event(gen0, protocol.EventLeaving)
			b.in(Broke{Task: gen0})
		}, protocol.AgentLost},
	} {
		b := newBench(t)
		b.measuring()
		b.after(time.Second)
		c.act(b)
		b.after(3*time.Second, gen0, gen1)
		if got := b.job.Cause(); got == nil || got.Kind != c.kind || got.Role != gen0.Role {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A role that is not ready in time may wait for a service that was ready, and hangs since: every leader is asked
// whether its own answers.
func TestNotReadyBecauseOfAnother(t *testing.T) {
	for name, c := range map[string]struct {
		answers func(*bench)
		kind    protocol.CauseKind
		role    roles.Role
	}{
		"a service hangs": {func(b *bench) {
			b.report(gen0, protocol.Event{Kind: protocol.EventChecked, Unwell: "timeout"})
		}, protocol.HealthLost, gen0.Role},
		"all answer": {func(b *bench) {
			for _, task := range []roles.Task{gen0, ctx0, server, benchmark} {
				b.event(task, protocol.EventChecked)
			}
		}, protocol.ReadyTimeout, server.Role},
		"nobody answers": {func(b *bench) { b.after(partitionBound) }, protocol.ReadyTimeout, server.Role},
		"a service that hangs is heard of late": {func(b *bench) {
			b.after(partitionBound)
			b.report(gen0, protocol.Event{Kind: protocol.EventChecked, Unwell: "timeout"})
		}, protocol.HealthLost, gen0.Role},
		"a service that hangs is heard of late, and the hub stood still": {func(b *bench) {
			b.now = b.now.Add(2500 * time.Millisecond)
			b.tick()
			b.after(partitionBound)
			b.report(gen0, protocol.Event{Kind: protocol.EventChecked, Unwell: "timeout"})
		}, protocol.HealthLost, gen0.Role},
		"one that it does not need is heard of late": {func(b *bench) {
			b.after(partitionBound)
			b.report(benchmark, protocol.Event{Kind: protocol.EventChecked, Unwell: "timeout"})
		}, protocol.ReadyTimeout, server.Role},
		"a service hangs since it was told to stop": {func(b *bench) {
			b.after(partitionBound)
			b.report(gen0, protocol.Event{Kind: protocol.EventUnhealthy, Detail: "timeout", Since: b.now})
		}, protocol.ReadyTimeout, server.Role},
	} {
		b := newBench(t)
		b.readying()
		b.untilPhaseEnds()
		if b.job.Cause() != nil {
			t.Errorf("%s: nobody was asked: %v", name, b.job.Cause())
		}
		c.answers(b)
		b.after(partitionBound)
		if got := b.job.Cause(); got == nil || got.Kind != c.kind || got.Role != c.role {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A role that is ready a moment after its time, while others are asked, is.
func TestReadyWhileOthersAreAsked(t *testing.T) {
	b := newBench(t)
	b.readying()
	b.untilPhaseEnds()
	b.event(server, protocol.EventReady)
	b.after(2 * partitionBound)
	if b.job.Cause() != nil || b.job.Phase() != protocol.Measuring {
		t.Errorf("%s: %v", b.job.Phase(), b.job.Cause())
	}
}

// Workers of a rank launcher end well, and first, when the command of rank 0 has died.
func TestWeakCauseWaitsForAStrongerOne(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.exit(gen1, protocol.Outcome{})
	b.expect()
	b.exit(gen0, protocol.Outcome{Code: 3})
	if c := b.job.Cause(); c == nil || c.Role != gen0.Role || c.Rank != 0 {
		t.Errorf("cause %v", c)
	}
	if len(b.job.attribution.Secondary()) != 1 || b.job.attribution.Secondary()[0].Rank != 1 {
		t.Errorf("secondary %v", b.job.attribution.Secondary())
	}
}

// Of several ranks that a launcher lets go, some are heard of only after it: it is named all the same.
func TestRanksAreHeardOfAfterTheirLauncher(t *testing.T) {
	b := newBench(t)
	b.measuring()
	ended := b.now
	b.after(200 * time.Millisecond)
	b.exit(gen0, protocol.Outcome{Started: true, Code: 137, EndedAt: b.now})
	b.exit(gen1, protocol.Outcome{Started: true, EndedAt: ended})
	if c := b.job.Cause(); c == nil || c.Rank != 0 {
		t.Errorf("cause %v", c)
	}
}

// A launcher that ends after the job was stopped because of a rank that it let go is named all the same; one that was
// killed, or that ends much later, is not.
func TestLauncherEndsLate(t *testing.T) {
	for name, c := range map[string]struct {
		after time.Duration
		o     protocol.Outcome
		rank  int
	}{
		"it tells what it ran": {settle + 300*time.Millisecond, protocol.Outcome{Started: true, Code: 137}, 0},
		"it is killed":         {settle + 300*time.Millisecond, protocol.Outcome{Started: true, Signal: "SIGKILL"}, 1},
		"much later":           {launcherLag + time.Second, protocol.Outcome{Started: true, Code: 137}, 1},
	} {
		b := newBench(t)
		b.measuring()
		b.exit(gen1, protocol.Outcome{})
		b.after(c.after)
		b.exit(gen0, c.o)
		if got := b.job.Cause(); got == nil || got.Role != gen0.Role || got.Rank != c.rank {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A worker that ended well for no reason that anybody knows is a cause too, a moment later.
func TestWeakCauseStands(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.exit(gen1, protocol.Outcome{})
	if d := b.job.attribution.Deadline().Sub(b.now); d != settle {
		t.Fatalf("the provisional cause counts in %v", d)
	}
	b.after(settle)
	if c := b.job.Cause(); c == nil || c.Rank != 1 || c.Kind != protocol.ChildExit ||
		b.job.Phase() != protocol.Stopping {
		t.Errorf("cause %v, phase %s", c, b.job.Phase())
	}
}
