package decide

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// preflightBench is a job that looks at its hosts: GEN_0 has one of its own, CTX_0 another, all the rest share a third.
func preflightBench(t *testing.T, off ...string) *bench {
	t.Helper()
	b := benchWith(t, func(in *plan.Input) {
		in.Profile.Preflight = profile.Preflight{Off: off, MaxSkew: roles.Duration(10 * time.Second)}
		in.Timeouts.Preflight = roles.Duration(3 * time.Second)
	})
	for _, task := range all {
		node := map[roles.Role]string{gen0.Role: "n1", ctx0.Role: "n2"}[task.Role]
		if node == "" {
			node = "n3"
		}
		h := protocol.Hello{Task: task, Node: node}
		if task.Leader() {
			h.Listen = node + ":1"
		}
		b.in(Attached{Task: task, Hello: h})
	}
	return b
}

func (b *bench) found(t roles.Task, s protocol.Findings) {
	b.report(t, protocol.Event{Kind: protocol.EventPreflight, Findings: &s})
}

// One agent per host looks at it, every leader tries the way, and nothing starts before all have answered.
func TestPreflight(t *testing.T) {
	b := preflightBench(t)
	b.expect("GEN_0.0 preflight", "CTX_0.0 preflight", "DISAGG_SERVER.0 preflight", // each the first of its host
		// at the way to the others
		"GEN_0.0 preflight", "CTX_0.0 preflight", "DISAGG_SERVER.0 preflight", "BENCHMARK.0 preflight")
	if b.job.Phase() != protocol.Checking {
		t.Fatalf("phase %s", b.job.Phase())
	}
	if p := b.peers[gen0]; len(p) != 3 || p["CTX_0"] != "n2:1" || p["GEN_0"] != "" {
		t.Errorf("GEN_0 tries %v, want all leaders but itself", p)
	}
	for _, task := range []roles.Task{gen0, ctx0, server} {
		b.found(task,
			protocol.Findings{Findings: []protocol.Finding{{Check: protocol.CheckSharedMemory, Detail: "some"}}})
		b.found(task, protocol.Findings{})
		b.expect()
	}
	b.found(benchmark, protocol.Findings{})
	b.expect("GEN_0.0 start", "GEN_0.1 start", "CTX_0.0 start")
	if got := b.job.findings(); len(got.Hosts) != 4 || len(got.Hosts[0].Findings) != 1 || got.Hosts[0].Node != "n1" {
		t.Errorf("survey %+v", got)
	}
}

// What a host lacks fails the job before any model is loaded, and names the host.
func TestPreflightFails(t *testing.T) {
	timeout := func(roles ...string) protocol.Findings {
		s := protocol.Findings{Reach: map[string]string{}}
		for _, r := range roles {
			s.Reach[r] = "timeout"
		}
		return s
	}
	fine := protocol.Findings{}
	tests := map[string]struct {
		act    func(*bench)
		who    roles.Task
		detail string
	}{
		"a GPU is missing": {func(b *bench) {
			b.found(ctx0,
				protocol.Findings{Findings: []protocol.Finding{{
					Check: protocol.CheckGPUs, Fatal: true, Detail: "3 GPUs",
				}}})
			b.found(gen0, fine)
			b.found(server, fine)
			b.found(benchmark, fine)
		}, ctx0, "gpus: 3 GPUs"},
		"a host does not answer": {func(b *bench) {
			b.found(gen0, fine)
			b.found(server, fine)
			b.found(benchmark, fine)
			b.untilPhaseEnds()
		}, ctx0, "did not finish its checks within 3s"},
		"one way is cut": {func(b *bench) {
			b.found(gen0, timeout("CTX_0"))
			b.found(ctx0, fine)
			b.found(server, fine)
			b.found(benchmark, fine)
		}, gen0, "network: n1 cannot reach n2 (CTX_0 at n2:1): timeout"},
		"nobody reaches a host": {func(b *bench) {
			b.found(gen0, timeout("CTX_0"))
			b.found(ctx0, fine)
			b.found(server, timeout("CTX_0"))
			b.found(benchmark, timeout("CTX_0"))
		}, ctx0, "n3 cannot reach n2"},
		"a clock is wrong": {func(b *bench) {
			b.found(gen0, fine)
			b.found(server, fine)
			b.found(benchmark, fine)
			b.report(ctx0, protocol.Event{Kind: protocol.EventPreflight, At: b.now.Add(time.Minute), Findings: &fine})
			b.found(ctx0, fine)
		}, ctx0, "clock: its clock differs by 1m0s"},
		"a folder is not shared": {func(b *bench) {
			b.see = func(task roles.Task) bool { return task != ctx0 }
			for _, task := range []roles.Task{gen0, ctx0, ctx0, server, benchmark} {
				b.found(task, fine)
			}
		}, ctx0, "rundir: what it writes"},
	}
	laterFound := []string{"a host does not answer", "a clock is wrong", "a folder is not shared"}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := preflightBench(t)
			for _, task := range []roles.Task{gen0, server} {
				b.found(task, fine) // of its host
			}
			if !slices.Contains(laterFound, name) {
				b.found(ctx0, fine)
			}
			b.take()
			tt.act(b)
			c := b.job.Cause()
			if c == nil || c.Kind != protocol.PreflightFailed || c.Role != tt.who.Role ||
				!strings.Contains(c.Detail, tt.detail) || b.job.Phase() != protocol.Stopping {
				t.Errorf("cause %v in phase %s, want %s: %s", c, b.job.Phase(), tt.who, tt.detail)
			}
			for _, s := range b.take() {
				if strings.HasSuffix(s, " start") {
					t.Errorf("a model is loaded: %s", s)
				}
			}
		})
	}
}

// What is switched off is neither asked nor judged.
func TestPreflightIsOff(t *testing.T) {
	b := preflightBench(t, protocol.CheckNetwork)
	b.expect("GEN_0.0 preflight", "CTX_0.0 preflight", "DISAGG_SERVER.0 preflight")
	b = preflightBench(t, protocol.CheckRunDirectory)
	b.see = func(roles.Task) bool { t.Error("somebody looks at the run directory"); return false }
	b.found(gen0, protocol.Findings{})
	b = preflightBench(t, "all")
	b.expect("GEN_0.0 start", "GEN_0.1 start", "CTX_0.0 start")
}

// What nobody has asked for, or comes twice, changes nothing.
func TestUnaskedFindings(t *testing.T) {
	b := preflightBench(t)
	b.take()
	bad := protocol.Findings{Findings: []protocol.Finding{{Check: protocol.CheckGPUs, Fatal: true, Detail: "none"}}}
	b.found(gen1, bad)
	b.in(Visible{Task: gen1})
	for _, task := range []roles.Task{gen0, gen0, ctx0, ctx0, server, server} {
		b.found(task, protocol.Findings{})
	}
	b.found(gen0, bad)
	b.found(benchmark, protocol.Findings{})
	b.found(ctx0, bad)
	b.expect("GEN_0.0 start", "GEN_0.1 start", "CTX_0.0 start")
	if b.job.Cause() != nil {
		t.Errorf("cause %v", b.job.Cause())
	}
}

// Of many ways that are cut a few are told, and the host that has part in most of them is to blame.
func TestManyWaysAreCut(t *testing.T) {
	b := preflightBench(t)
	cut := protocol.Findings{Reach: map[string]string{
		"GEN_0": "timeout", "CTX_0": "timeout", "DISAGG_SERVER": "timeout",
	}}
	for _, task := range []roles.Task{gen0, ctx0, server} {
		b.found(task, protocol.Findings{}) // of its host
		b.found(task, protocol.Findings{Reach: map[string]string{"BENCHMARK": "timeout"}})
	}
	b.found(benchmark, cut)
	if c := b.job.Cause(); c == nil || c.Task() != benchmark || !strings.HasSuffix(c.Detail, "; and 3 more") {
		t.Errorf("cause %v", c)
	}
}
