package decide

import (
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

// Everything starts when what it needs is there, not before, and all ranks of a role at once.
func TestStartOrder(t *testing.T) {
	b := newBench(t)
	b.hello(benchmark, gen0, gen1, server)
	b.expect()
	b.hello(ctx0)
	b.expect("GEN_0.0 start", "GEN_0.1 start", "CTX_0.0 start")
	b.event(gen0, protocol.EventAddress)
	b.expect()
	b.event(ctx0, protocol.EventAddress)
	b.expect("DISAGG_SERVER.0 start")
	b.event(gen0, protocol.EventReady)
	b.event(ctx0, protocol.EventReady)
	b.expect()
	b.event(server, protocol.EventReady)
	b.expect("BENCHMARK.0 start", "GEN_0.0 watch", "CTX_0.0 watch", "DISAGG_SERVER.0 watch", "BENCHMARK.0 watch")
	if b.job.Phase() != protocol.Measuring {
		t.Errorf("phase %s", b.job.Phase())
	}
}

// What waits by itself for what it needs is started at once, and told no addresses.
func TestStartedEarly(t *testing.T) {
	b := benchWith(t, func(in *plan.Input) {
		r, _, err := recipe.Load("trtllm-pytest")
		if err != nil {
			t.Fatal(err)
		}
		in.Recipe = r
	})
	b.hello(all...)
	b.expect("GEN_0.0 start", "GEN_0.1 start", "CTX_0.0 start", "DISAGG_SERVER.0 start")
	if len(b.peers[server]) != 0 {
		t.Errorf("it is told %v", b.peers[server])
	}
	for _, task := range []roles.Task{gen0, ctx0, server} {
		b.expect()
		b.event(task, protocol.EventReady)
	}
	b.expect("BENCHMARK.0 start", "GEN_0.0 watch", "CTX_0.0 watch", "DISAGG_SERVER.0 watch", "BENCHMARK.0 watch")
}

// A job passes when its points are there, which is known after the benchmark has ended, and nothing is left of any
// role.
func TestPassed(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.exit(benchmark, protocol.Outcome{})
	b.expect() // the points decide
	b.points(goodPoints()...)
	b.expect("GEN_0.0 stop", "GEN_0.1 stop", "CTX_0.0 stop", "DISAGG_SERVER.0 stop", "BENCHMARK.0 stop")
	b.gone(all...)
	if b.job.Phase() != protocol.Over || b.job.Cause() != nil {
		t.Errorf("phase %s, cause %v", b.job.Phase(), b.job.Cause())
	}
	if !b.job.AllExited() {
		t.Error("all agents ended in good order, but it is not quiet")
	}
	if r := b.job.Result(Times{}, b.now); r.Verdict != protocol.Passed || r.ExitCode != 0 || len(r.Roles) != 5 {
		t.Errorf("result %+v", r)
	}
}

// Servers may end once the benchmark no longer needs them, and not before.
func TestRelease(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.event(benchmark, protocol.EventRelease)
	b.expect("GEN_0.0 check", "CTX_0.0 check", "DISAGG_SERVER.0 check", "BENCHMARK.0 check")
	b.checked()
	b.expect("GEN_0.0 stop", "GEN_0.1 stop", "CTX_0.0 stop", "DISAGG_SERVER.0 stop")
	b.exit(gen0, protocol.Outcome{})
	b.exit(benchmark, protocol.Outcome{})
	b.points(goodPoints()...)
	if b.job.Cause() != nil {
		t.Errorf("cause %v", b.job.Cause())
	}
}

// What was out of reach when the benchmark let the servers go is why it then fails; if it passes, it does not matter.
func TestCutBeforeRelease(t *testing.T) {
	for name, passes := range map[string]bool{"fails": false, "passes": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.measuring()
			b.event(benchmark, protocol.EventRelease)
			b.told(server, protocol.EventChecked, "n1 cannot reach CTX_0 at n2:1: timeout")
			b.after(partitionBound) // the others do not answer
			if !passes {
				b.exit(benchmark, protocol.Outcome{Code: 1})
				b.quietly(2 * time.Second) // CTX_0 may have left
			} else {
				b.exit(benchmark, protocol.Outcome{})
				b.points(goodPoints()...)
			}
			c := b.job.Cause()
			if passes && c != nil || !passes && (c == nil || c.Kind != protocol.HealthLost || c.Role != server.Role) ||
				b.job.Phase() != protocol.Stopping {
				t.Errorf("cause %+v in phase %s", c, b.job.Phase())
			}
		})
	}
}

// Once all hosts have answered, one agent of a host that was lost is no reason to leave its step behind.
func TestHostsAnswer(t *testing.T) {
	for name, test := range map[string]struct {
		nodes map[roles.Task]string
		want  bool
	}{
		"the lost one's host answers":         {map[roles.Task]string{gen0: "n1", gen1: "n1"}, true},
		"the lost one was alone on its host":  {map[roles.Task]string{gen0: "n1", gen1: "n2"}, false},
		"another host's answer does not help": {map[roles.Task]string{gen0: "n1", gen1: "n3"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			for _, task := range all {
				node := test.nodes[task]
				if node == "" {
					node = "n3"
				}
				b.in(Attached{Task: task, Hello: protocol.Hello{Task: task, Node: node}})
			}
			b.lose(gen0)
			b.gone(gen1, ctx0, server, benchmark)
			if got := b.job.HostsAnswer(); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// A server that ended well shortly before the benchmark failed is why, also if that is heard when nobody is left who
// could look for the release.
func TestServerEndsBeforeTheBenchmark(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.slow = true
	ended := b.now
	b.after(20 * time.Millisecond)
	b.exit(benchmark, protocol.Outcome{Started: true, Code: 1})
	b.checked()
	b.gone(benchmark)
	b.take()
	b.exit(gen1, protocol.Outcome{EndedAt: ended})
	b.expect("GEN_0.0 stop", "GEN_0.1 stop") // once more: with another code
	if c := b.job.Cause(); c == nil || c.Task() != gen1 {
		t.Errorf("cause %v", c)
	}
}

// Peers that cannot reach a server which has ended well tell nothing new while it is open whether it may.
func TestNobodyAnswersAfterTheRelease(t *testing.T) {
	unreachable := func(list ...roles.Task) protocol.Event {
		e := protocol.Event{Kind: protocol.EventUnreachable, Detail: "n1 cannot reach it: refused"}
		for _, t := range list {
			e.Peers = append(e.Peers, t.Role)
		}
		return e
	}
	for name, tt := range map[string]struct {
		told protocol.Event
		want string // the first cause
	}{
		"those that have ended":           {unreachable(ctx0, gen0), ""},
		"another too":                     {unreachable(ctx0, server), "CTX_0"},
		"another":                         {unreachable(server), "DISAGG_SERVER"},
		"none that it names":              {unreachable(), "GEN_0"},
		"one that the plan does not have": {unreachable(rankOf("GEN_7", 0)), "GEN_0"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.measuring()
			b.slow = true
			b.exit(ctx0, protocol.Outcome{})
			b.exit(gen0, protocol.Outcome{})
			b.report(gen0, tt.told)
			got := ""
			if c := b.job.Cause(); c != nil {
				got = c.Role.String()
			}
			if got != tt.want {
				t.Errorf("the cause is %q, want %q", got, tt.want)
			}
		})
	}
}

// A server may know before the hub that it is no longer needed: it has failed only if nobody says so.
func TestServerKnowsOfTheReleaseFirst(t *testing.T) {
	begin := func() *bench {
		b := newBench(t)
		b.measuring()
		b.take()
		b.slow = true
		b.exit(gen1, protocol.Outcome{}) // the launcher of rank 0 lets it go, and ends
		b.exit(gen0, protocol.Outcome{})
		b.exit(ctx0, protocol.Outcome{})
		b.expect("BENCHMARK.0 check", "BENCHMARK.0 check", "BENCHMARK.0 check")
		return b
	}
	b := begin()
	b.quietly(200 * time.Millisecond)
	b.event(benchmark, protocol.EventRelease)
	b.quietly(2 * time.Second)
	b.exit(benchmark, protocol.Outcome{})
	b.points(goodPoints()...)
	b.gone(all...)
	if r := b.job.Result(Times{}, b.now); r.Verdict != protocol.Passed {
		t.Errorf("%s, %v", r.Verdict, r.FirstCause)
	}
	for name, wait := range map[string]func(*bench){
		"it is not there": func(b *bench) { b.told(benchmark, protocol.EventChecked, "") },
		"nobody answers":  func(b *bench) { b.quietly(2 * time.Second) },
	} {
		b := begin()
		wait(b)
		if c := b.job.Cause(); c == nil || c.Role != gen0.Role || c.Kind != protocol.ChildExit {
			t.Errorf("%s: %v", name, c)
		}
	}
	b = begin()
	b.after(2 * precision)
	b.exit(server, protocol.Outcome{Code: 3})
	b.told(benchmark, protocol.EventChecked, "")
	if c := b.job.Cause(); c == nil || c.Role != gen0.Role {
		t.Errorf("another failed because of it: %v", c)
	}
}
