package decide

import (
	"slices"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// inSession is a job that measures, and whose servers are kept.
func inSession(t *testing.T, k plan.Keep) *bench {
	t.Helper()
	b := benchWith(t, func(in *plan.Input) { in.Policy.Keep = k })
	b.measuring()
	b.take()
	return b
}

// ends are who was told to stop, and who to keep, sorted.
func (b *bench) ends() (stopped, kept []string) {
	for _, s := range b.take() {
		if who, ok := strings.CutSuffix(s, " stop"); ok {
			stopped = append(stopped, who)
		}
		if who, ok := strings.CutSuffix(s, " keep"); ok {
			kept = append(kept, who)
		}
	}
	slices.Sort(stopped)
	slices.Sort(kept)
	return stopped, kept
}

func (b *bench) expectEnds(stopped, kept string) {
	b.t.Helper()
	s, k := b.ends()
	if strings.Join(s, " ") != stopped || strings.Join(k, " ") != kept {
		b.t.Errorf("stopped %v, kept %v: want %s, and %s", s, k, stopped, kept)
	}
}

const servers = "CTX_0.0 DISAGG_SERVER.0 GEN_0.0 GEN_0.1"

// After a measurement that passed only the benchmark is stopped. The verdict waits for the servers to leave, and says
// that they were kept. A release by the benchmark is none.
func TestServersAreKept(t *testing.T) {
	b := inSession(t, plan.KeepPassed)
	b.event(benchmark, protocol.EventRelease)
	b.exit(benchmark, protocol.Outcome{})
	b.points(goodPoints()...)
	b.expectEnds("BENCHMARK.0", servers)
	if b.job.Over() {
		t.Error("it is over before anybody has left")
	}
	for _, task := range []roles.Task{gen0, gen1, ctx0, server} {
		b.in(Bye{Task: task})
	}
	b.gone(benchmark)
	if r := b.job.Result(Times{}, b.now); !b.job.Over() || r.Verdict != protocol.Passed || !r.Kept {
		t.Errorf("%s, kept: %v", r.Verdict, r.Kept)
	}
}

// What fails stops its own role, and all of it; the others stay where people are who restart it.
func TestKeptWhenAServerFails(t *testing.T) {
	b := inSession(t, plan.KeepAlways)
	b.exit(gen1, protocol.Outcome{Code: 3})
	b.expectEnds("BENCHMARK.0 GEN_0.0 GEN_0.1", "CTX_0.0 DISAGG_SERVER.0")

	b = inSession(t, plan.KeepAlways) // all of its processes are there
	b.told(gen0, protocol.EventUnhealthy, "timeout")
	b.expectEnds("BENCHMARK.0 GEN_0.0 GEN_0.1", "CTX_0.0 DISAGG_SERVER.0")

	b = inSession(t, plan.KeepPassed)
	b.exit(gen1, protocol.Outcome{Code: 3})
	b.expectEnds("BENCHMARK.0 "+servers, "")
	b.gone(all...)
	if b.job.Result(Times{}, b.now).Kept {
		t.Error("nothing was kept")
	}
}

// Who ends one role, or the benchmark, ends that alone; who ends the whole job, or the end of its time, ends all.
func TestKeptWhenSomebodyAsks(t *testing.T) {
	b := inSession(t, plan.KeepAlways)
	b.told(benchmark, protocol.EventLeaving, "stopped by SIGINT")
	b.expectEnds("BENCHMARK.0", servers)
	b = inSession(t, plan.KeepAlways)
	b.told(ctx0, protocol.EventLeaving, "stopped by SIGINT")
	b.expectEnds("BENCHMARK.0 CTX_0.0", "DISAGG_SERVER.0 GEN_0.0 GEN_0.1")
	b = inSession(t, plan.KeepAlways)
	b.in(Step{protocol.StepReport{Role: roles.Hub().Role, Cancel: "SIGTERM"}})
	b.expectEnds("BENCHMARK.0 "+servers, "")
	b = inSession(t, plan.KeepAlways)
	b.told(gen0, protocol.EventWarned, "the time is nearly over")
	b.expectEnds("BENCHMARK.0 "+servers, "")
}

// A role of which a rank has left is of no use any more: none of it is kept.
func TestKeptRoleIsWhole(t *testing.T) {
	b := inSession(t, plan.KeepAlways)
	b.in(Broke{Task: gen1, Fault: "bad"})
	b.expectEnds("BENCHMARK.0 GEN_0.0 GEN_0.1", "CTX_0.0 DISAGG_SERVER.0")
}

// Servers that were kept need no preflight: it would find their GPUs in use. What is measured on them is warm.
func TestServersThatWereKept(t *testing.T) {
	b := benchWith(t, func(in *plan.Input) { in.Policy.Keep = plan.KeepAlways })
	for _, task := range all {
		b.in(Attached{Task: task, Hello: protocol.Hello{Task: task, Node: "n", Served: task == gen0}})
	}
	if b.job.Phase() != protocol.Readying || !b.job.Found().Warm {
		t.Errorf("%s, warm: %v", b.job.Phase(), b.job.Found().Warm)
	}
}

// A service that was kept need not answer before it has been taken over: its child may be replaced instead.
func TestKeptServiceIsUnwell(t *testing.T) {
	b := benchWith(t, func(in *plan.Input) { in.Policy.Keep = plan.KeepAlways })
	for _, task := range all {
		b.in(Attached{Task: task, Hello: protocol.Hello{Task: task, Node: "n", Served: task == server}})
	}
	b.told(server, protocol.EventUnhealthy, "status: 503")
	if b.job.Phase() != protocol.Readying {
		t.Errorf("%s: %v", b.job.Phase(), b.job.Cause())
	}
	b.event(server, protocol.EventStarted)
	b.told(server, protocol.EventUnhealthy, "status: 503")
	if c := b.job.Cause(); c == nil || c.Kind != protocol.HealthLost {
		t.Errorf("%v", c)
	}
}
