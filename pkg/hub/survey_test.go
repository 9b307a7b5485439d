package hub

import (
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/preflight"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

// surveyBench is a job that looks at its hosts: GEN_0 has one of its own, CTX_0 another, all the rest share a third.
func surveyBench(t *testing.T, off ...string) *bench {
	t.Helper()
	b := newBench(t)
	b.job.plan.Preflight = roles.Preflight{Off: off, MaxSkew: roles.Duration(10 * time.Second)}
	b.job.plan.Timeouts.Preflight = roles.Duration(3 * time.Second)
	for _, task := range all {
		node := map[roles.Role]string{gen0.Role: "n1", ctx0.Role: "n2"}[task.Role]
		if node == "" {
			node = "n3"
		}
		h := control.Hello{Task: task, Node: node}
		if task.Leader() {
			h.Listen = node + ":1"
		}
		b.job.hear(control.Inbound{Task: task, Hello: &h}, b.now)
	}
	return b
}

func (b *bench) survey(t roles.Task, s control.Survey) {
	b.job.hear(control.Inbound{Task: t, Event: &control.Event{Kind: control.Surveyed, At: b.now, Survey: &s}}, b.now)
}

// One agent a host looks at it, every leader tries the way, and nothing starts before all have answered.
func TestSurvey(t *testing.T) {
	b := surveyBench(t)
	b.expect("GEN_0.0 look", "CTX_0.0 look", "DISAGG_SERVER.0 look", // each the first of its host
		"GEN_0.0 look", "CTX_0.0 look", "DISAGG_SERVER.0 look", "BENCHMARK.0 look") // at the way to the others
	if b.job.phase != Looking {
		t.Fatalf("phase %s", b.job.phase)
	}
	if p := b.peers[gen0]; len(p) != 3 || p["CTX_0"] != "n2:1" || p["GEN_0"] != "" {
		t.Errorf("GEN_0 tries %v, want all leaders but itself", p)
	}
	for _, task := range []roles.Task{gen0, ctx0, server} {
		b.survey(task, control.Survey{Findings: []preflight.Finding{{Check: preflight.SharedMemory, Detail: "some"}}})
		b.survey(task, control.Survey{})
		b.expect()
	}
	b.survey(benchmark, control.Survey{})
	b.expect("GEN_0.0 start", "GEN_0.1 start", "CTX_0.0 start")
	if got := b.job.survey(); len(got.Hosts) != 4 || len(got.Hosts[0].Findings) != 1 || got.Hosts[0].Node != "n1" {
		t.Errorf("survey %+v", got)
	}
}

func TestSurveyFails(t *testing.T) {
	timeout := func(roles ...string) control.Survey {
		s := control.Survey{Reach: map[string]string{}}
		for _, r := range roles {
			s.Reach[r] = "timeout"
		}
		return s
	}
	fine := control.Survey{}
	tests := map[string]struct {
		act    func(*bench)
		who    roles.Task
		detail string
	}{
		"a GPU is missing": {func(b *bench) {
			b.survey(ctx0, control.Survey{Findings: []preflight.Finding{{Check: preflight.GPUs, Fatal: true, Detail: "3 GPUs"}}})
			b.survey(gen0, fine)
			b.survey(server, fine)
			b.survey(benchmark, fine)
		}, ctx0, "gpus: 3 GPUs"},
		"a host does not answer": {func(b *bench) {
			b.survey(gen0, fine)
			b.survey(server, fine)
			b.survey(benchmark, fine)
			b.now = b.job.deadline()
			b.job.due(b.now)
		}, ctx0, "did not finish its checks within 3s"},
		"one way is cut": {func(b *bench) {
			b.survey(gen0, timeout("CTX_0"))
			b.survey(ctx0, fine)
			b.survey(server, fine)
			b.survey(benchmark, fine)
		}, gen0, "network: n1 cannot reach n2 (CTX_0 at n2:1): timeout"},
		"nobody reaches a host": {func(b *bench) {
			b.survey(gen0, timeout("CTX_0"))
			b.survey(ctx0, fine)
			b.survey(server, timeout("CTX_0"))
			b.survey(benchmark, timeout("CTX_0"))
		}, ctx0, "n3 cannot reach n2"},
		"a clock is wrong": {func(b *bench) {
			b.survey(gen0, fine)
			b.survey(server, fine)
			b.survey(benchmark, fine)
			b.job.hear(control.Inbound{Task: ctx0, Event: &control.Event{Kind: control.Surveyed, At: b.now.Add(time.Minute), Survey: &fine}}, b.now)
			b.survey(ctx0, fine)
		}, ctx0, "clock: its clock differs by 1m0s"},
		"a folder is not shared": {func(b *bench) {
			b.job.sees = func(task roles.Task) bool { return task != ctx0 }
			for _, task := range []roles.Task{gen0, ctx0, ctx0, server, benchmark} {
				b.survey(task, fine)
			}
		}, ctx0, "rundir: what it writes"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := surveyBench(t)
			for _, task := range []roles.Task{gen0, server} {
				b.survey(task, fine) // of its host
			}
			if !strings.Contains("a host does not answer, a clock is wrong, a folder is not shared", name) {
				b.survey(ctx0, fine)
			}
			b.take()
			tt.act(b)
			c := b.job.firstCause()
			if c == nil || c.Kind != results.PreflightFailed || c.Role != tt.who.Role || !strings.Contains(c.Detail, tt.detail) || b.job.phase != Stopping {
				t.Errorf("cause %v in phase %s, want %s: %s", c, b.job.phase, tt.who, tt.detail)
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
func TestSurveyIsOff(t *testing.T) {
	b := surveyBench(t, preflight.Network)
	b.expect("GEN_0.0 look", "CTX_0.0 look", "DISAGG_SERVER.0 look")
	b = surveyBench(t, preflight.RunDirectory)
	b.job.sees = func(roles.Task) bool { t.Error("somebody looks at the run directory"); return false }
	b.survey(gen0, control.Survey{})
	b = surveyBench(t, "all")
	b.expect("GEN_0.0 start", "GEN_0.1 start", "CTX_0.0 start")
}
