package hub

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/supervisor"
)

// bench drives a job by hand: it says what happens and sees what the hub wants.
type bench struct {
	t    *testing.T
	job  *job
	now  time.Time
	sent []string           // "GEN_0.1 start", in order
	code map[roles.Task]int // of the last directive to a task
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newBench(t *testing.T) *bench {
	t.Helper()
	recipe, err := roles.LoadRecipe("trtllm-serve")
	if err != nil {
		t.Fatal(err)
	}
	recipe.Checkout = nil
	p := roles.Plan{
		Recipe: recipe,
		Case: roles.Case{
			GPUsPerNode: 4, TimeLimit: roles.Duration(2 * time.Hour), Load: roles.Load{Concurrency: []int{4, 8}},
			Servers: map[roles.Kind]roles.Server{roles.Gen: {Count: 1, GPUs: 2}, roles.Ctx: {Count: 1, GPUs: 1}},
		},
		Cluster:   roles.Cluster{KillWait: roles.Duration(30 * time.Second)},
		Preflight: roles.Preflight{Off: []string{"all"}},
	}
	if err := p.Complete(); err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, now: time.Unix(1000, 0), code: map[roles.Task]int{}}
	b.job = newJob(p, func(task roles.Task, d control.Directive) {
		b.sent = append(b.sent, fmt.Sprintf("%s %s", task, d.Kind))
		b.code[task] = d.Code
	}, b.now)
	return b
}

func rankOf(s string, rank int) roles.Task {
	r, err := roles.ParseRole(s)
	if err != nil {
		panic(err)
	}
	return roles.Task{Role: r, Rank: rank}
}

var (
	gen0, gen1 = rankOf("GEN_0", 0), rankOf("GEN_0", 1)
	ctx0       = rankOf("CTX_0", 0)
	server     = rankOf("DISAGG_SERVER", 0)
	benchmark  = rankOf("BENCHMARK", 0)
)

func (b *bench) hello(tasks ...roles.Task) {
	for _, t := range tasks {
		b.job.hear(control.Inbound{Task: t, Hello: &control.Hello{Task: t, Node: "n-" + t.String()}}, b.now)
	}
}

func (b *bench) event(t roles.Task, kind control.EventKind) {
	b.job.hear(control.Inbound{Task: t, Event: &control.Event{Kind: kind, At: b.now, Address: "h:1"}}, b.now)
}

func (b *bench) exit(t roles.Task, o supervisor.Outcome) {
	o.Started = true
	b.job.hear(control.Inbound{Task: t, Event: &control.Event{Kind: control.Exited, At: b.now, Outcome: &o, Code: o.Code}}, b.now)
}

// told is an event with a detail.
func (b *bench) told(t roles.Task, kind control.EventKind, detail string) {
	b.job.hear(control.Inbound{Task: t, Event: &control.Event{Kind: kind, At: b.now, Detail: detail}}, b.now)
}

// checked lets every leader say that it reaches all its peers.
func (b *bench) checked() {
	for _, t := range []roles.Task{gen0, ctx0, server, benchmark} {
		b.told(t, control.Checked, "")
	}
}

func (b *bench) gone(tasks ...roles.Task) {
	for _, t := range tasks {
		o := supervisor.Outcome{Started: true, StopReason: "x"}
		b.job.hear(control.Inbound{Task: t, Event: &control.Event{Kind: control.Stopped, At: b.now, Outcome: &o}}, b.now)
	}
}

// take returns what the hub sent since the last call.
func (b *bench) take() []string {
	s := b.sent
	b.sent = nil
	return s
}

func (b *bench) expect(want ...string) {
	b.t.Helper()
	if diff := cmp.Diff(want, b.take()); diff != "" {
		b.t.Errorf("directives: %s", diff)
	}
}

var all = []roles.Task{gen0, gen1, ctx0, server, benchmark}

// measuring brings the job to where the benchmark runs.
func (b *bench) measuring() {
	b.t.Helper()
	b.hello(all...)
	b.event(gen0, control.Address)
	b.event(ctx0, control.Address)
	for _, t := range []roles.Task{gen0, ctx0, server} {
		b.event(t, control.Ready)
	}
	if b.job.phase != Measuring {
		b.t.Fatalf("phase %s", b.job.phase)
	}
	b.event(benchmark, control.Started)
	b.take()
}

func (b *bench) points(list ...results.Point) { b.job.measured(list, b.now); b.job.advance(b.now) }

func goodPoints() []results.Point {
	return []results.Point{{Index: 0, Concurrency: 4}, {Index: 1, Concurrency: 8}}
}

// Everything starts when what it needs is there, not before, and all ranks of a role at once.
func TestStartOrder(t *testing.T) {
	b := newBench(t)
	b.hello(benchmark, gen0, gen1, server)
	b.expect()
	b.hello(ctx0)
	b.expect("GEN_0.0 start", "GEN_0.1 start", "CTX_0.0 start")
	b.event(gen0, control.Address)
	b.expect()
	b.event(ctx0, control.Address)
	b.expect("DISAGG_SERVER.0 start")
	b.event(gen0, control.Ready)
	b.event(ctx0, control.Ready)
	b.expect()
	b.event(server, control.Ready)
	b.expect("BENCHMARK.0 start", "GEN_0.0 watch", "CTX_0.0 watch", "DISAGG_SERVER.0 watch", "BENCHMARK.0 watch")
	if b.job.phase != Measuring {
		t.Errorf("phase %s", b.job.phase)
	}
}

func TestPassed(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.exit(benchmark, supervisor.Outcome{})
	b.expect() // the points decide
	b.points(goodPoints()...)
	b.expect("GEN_0.0 stop", "GEN_0.1 stop", "CTX_0.0 stop", "DISAGG_SERVER.0 stop", "BENCHMARK.0 stop")
	b.gone(all...)
	if b.job.phase != Over || b.job.cause != nil {
		t.Errorf("phase %s, cause %v", b.job.phase, b.job.cause)
	}
	if !b.job.quiet() {
		t.Error("all agents ended in good order, but it is not quiet")
	}
	if r := b.job.result(Options{}, b.now); r.Verdict != results.Passed || r.ExitCode != 0 || len(r.Roles) != 5 {
		t.Errorf("result %+v", r)
	}
}

// Servers may end once the benchmark no longer needs them, and not before.
func TestRelease(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.event(benchmark, control.Release)
	b.expect("GEN_0.0 check", "CTX_0.0 check", "DISAGG_SERVER.0 check", "BENCHMARK.0 check")
	b.checked()
	b.expect("GEN_0.0 stop", "GEN_0.1 stop", "CTX_0.0 stop", "DISAGG_SERVER.0 stop")
	b.exit(gen0, supervisor.Outcome{})
	b.exit(benchmark, supervisor.Outcome{})
	b.points(goodPoints()...)
	if b.job.cause != nil {
		t.Errorf("cause %v", b.job.cause)
	}
}

// What was out of reach when the benchmark let the servers go is why it then fails; if it passes, it does not matter.
func TestCutBeforeRelease(t *testing.T) {
	for name, passes := range map[string]bool{"fails": false, "passes": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.measuring()
			b.event(benchmark, control.Release)
			b.told(server, control.Checked, "n1 cannot reach CTX_0 at n2:1: timeout")
			b.now = b.job.deadline() // the others do not answer
			b.job.due(b.now)
			if !passes {
				b.exit(benchmark, supervisor.Outcome{Code: 1})
			} else {
				b.exit(benchmark, supervisor.Outcome{})
				b.points(goodPoints()...)
			}
			c := b.job.firstCause()
			if passes && c != nil || !passes && (c == nil || c.Kind != results.HealthLost || c.Role != server.Role) || b.job.phase != Stopping {
				t.Errorf("cause %+v in phase %s", c, b.job.phase)
			}
		})
	}
}

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

func TestLaunchDeadline(t *testing.T) {
	b := newBench(t)
	b.hello(benchmark, gen0)
	b.now = b.job.deadline()
	b.job.due(b.now)
	c := b.job.cause
	if c == nil || c.Role != gen1.Role || c.Rank != 1 || c.Kind != results.NeverStarted {
		t.Errorf("cause %+v, want GEN_0.1 never started", c)
	}
	b.expect("GEN_0.0 stop", "BENCHMARK.0 stop")
	b.hello(ctx0) // too late: it is sent home
	b.expect("CTX_0.0 stop")
	b.gone(benchmark, gen0, ctx0)
	if b.job.phase != Over || b.job.quiet() {
		t.Errorf("phase %s: the job waits for agents that never came", b.job.phase)
	}
}

// The role that holds the others up is named, with what its service said last.
func TestReadyDeadline(t *testing.T) {
	b := newBench(t)
	b.hello(all...)
	b.event(gen0, control.Address)
	b.event(gen0, control.Ready)
	b.event(ctx0, control.Address)
	b.job.hear(control.Inbound{Task: ctx0, Event: &control.Event{Kind: control.Unready, Detail: "status: 503 loading"}}, b.now)
	b.now = b.job.deadline()
	b.job.due(b.now)
	c := b.job.cause
	if c == nil || c.Role != ctx0.Role || c.Kind != results.ReadyTimeout || c.Detail != "not ready within 46m0s: status: 503 loading" {
		t.Errorf("cause %+v", c)
	}
}

// An agent that never says that it has stopped cannot keep the job.
func TestStopDeadline(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.exit(gen0, supervisor.Outcome{Code: 1})
	b.gone(benchmark, ctx0, server, gen0)
	if b.job.phase != Stopping {
		t.Fatalf("phase %s", b.job.phase)
	}
	b.now = b.job.deadline()
	b.job.due(b.now)
	if b.job.phase != Over || b.job.quiet() {
		t.Errorf("phase %s, quiet %v", b.job.phase, b.job.quiet())
	}
}

// Roles that people start one by one may take their time.
func TestByHandHasNoLaunchDeadline(t *testing.T) {
	b := newBench(t)
	b.job.plan.Policy.StartAlone = true
	b.hello(benchmark)
	if d := b.job.deadline(); !d.IsZero() {
		t.Errorf("the deadline is %v", d)
	}
}
