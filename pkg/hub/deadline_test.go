package hub

import (
	"testing"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/supervisor"
)

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
