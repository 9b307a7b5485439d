package hub_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// An agent that sends what it may not send harms nobody else: the hub goes on, and says who it was.
func TestEventWithoutOutcome(t *testing.T) {
	j := newJob(t, nil)
	j.serving()
	j.say(ctx0, protocol.EventExited)
	j.say(ctx0, protocol.EventReady) // what comes behind it does not count either
	select {
	case <-j.agents[ctx0].Lost():
	case <-time.After(bound):
		t.Error("the agent is not turned away")
	}
	j.leave(gen0, gen1, server, benchmark)
	r := j.over()
	if c := r.FirstCause; r.Verdict != protocol.Errored || c == nil || c.Task() != ctx0 ||
		!strings.Contains(c.Detail, "it has no outcome") {
		t.Errorf("%s, cause %v", r.Verdict, r.FirstCause)
	}
	if e := j.entries(protocol.EntryLost); len(e) != 1 || *e[0].Role != ctx0.Role {
		t.Errorf("journal %+v", e)
	}
}

// breaking is a connection that ends at its n-th read.
type breaking struct {
	net.Conn
	reads int
}

func (b *breaking) Read(p []byte) (int, error) {
	if b.reads--; b.reads <= 0 {
		_ = b.Close()
		return 0, net.ErrClosed
	}
	return b.Conn.Read(p)
}

// An agent whose first connections break, at whatever point, is missed by nobody: the job goes on with it.
func TestFirstConnectionsBreak(t *testing.T) {
	j := newJob(t, func(j *job) { // who does not come back at once is not lost here
		j.input.Timeouts.Heartbeat, j.input.Timeouts.Lost = roles.Duration(5*time.Second), roles.Duration(bound)
	})
	for _, task := range servers {
		o := j.clientOptions(task)
		tries := new(atomic.Int32)
		o.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
			if n := tries.Add(1); err == nil && n <= 6 {
				return &breaking{Conn: conn, reads: int(n)}, nil
			}
			return conn, err
		}
		j.agents[task] = control.Dial(o)
	}
	for _, task := range []roles.Task{gen0, gen1, ctx0} {
		j.expect(task, protocol.CommandStart)
	}
	j.await("everybody's arrival", func() bool { return len(j.entries(protocol.EntryAttached)) == len(all) })
}

// An agent that vanishes is lost, and its place is noted.
func TestAgentVanishes(t *testing.T) {
	j := newJob(t, nil)
	j.attach(gen0, gen1, server)
	var conn atomic.Pointer[net.Conn]
	o := j.clientOptions(ctx0)
	o.Dial = func(ctx context.Context, address string) (net.Conn, error) {
		if conn.Load() != nil {
			return nil, errors.New("it was killed")
		}
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		conn.Store(&c)
		return c, err
	}
	j.agents[ctx0] = control.Dial(o)
	j.expect(ctx0, protocol.CommandStart)
	(*conn.Load()).Close()
	j.leave(gen0, gen1, server, benchmark)
	if c := j.over().FirstCause; c == nil || c.Task() != ctx0 || c.Kind != protocol.AgentLost || c.Host != "n-CTX_0.0" {
		t.Errorf("cause %v", c)
	}
	e := j.entries(protocol.EntryLost)
	if len(e) != 1 || e[0].Host != "n-CTX_0.0" || !strings.Contains(e[0].Detail, "its connection broke") {
		t.Errorf("journal %+v", e)
	}
}

// What the starter of a step says is heard and noted: its end fails the job if its agents never came.
func TestStepReports(t *testing.T) {
	j := newJob(t, nil)
	report := func(r protocol.StepReport) {
		t.Helper()
		r.Role, r.RunID = ctx0.Role, "run-0"
		if err := control.ReportStep(t.Context(), j.opts.Server.Address(), j.token, r); err != nil {
			t.Fatal(err)
		}
	}
	busy := protocol.Diagnosis{Meaning: protocol.Transient, Line: "step creation temporarily disabled"}
	report(protocol.StepReport{Diagnosis: busy})
	j.await("the words", func() bool { return len(j.entries(protocol.EntryStep)) == 1 })
	report(protocol.StepReport{Ended: true, Code: 1, Detail: "srun ended with code 1", Diagnosis: busy})
	j.leave(benchmark)
	if c := j.over().FirstCause; c == nil || c.Kind != protocol.StepFailed || c.Task() != ctx0 {
		t.Errorf("cause %v", c)
	}
	e := j.entries(protocol.EntryStep, protocol.EntryStepFailed)
	if len(e) != 2 || e[1].Detail != "srun ended with code 1: step creation temporarily disabled" {
		t.Errorf("journal %+v", e)
	}
}

// What a host wrote must be seen by the hub before any model is loaded, and what was found is kept.
func TestPreflight(t *testing.T) {
	j := newJob(t, func(j *job) {
		j.input.Profile.Preflight = profile.Preflight{Off: []string{
			protocol.CheckNetwork, protocol.CheckClock, protocol.CheckAddress,
		}}
	})
	j.attach(servers...)
	for _, task := range all {
		if task != ctx0 && task != gen1 {
			if err := rundir.Publish(j.opts.Attempt, protocol.Published{Task: task, RunID: "run-0"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	finding := protocol.Finding{Check: protocol.CheckMemory, Detail: "little is free"}
	for _, task := range all {
		if task == gen1 { // it publishes itself a moment later: a shared file system may take its time
			if err := rundir.Publish(j.opts.Attempt, protocol.Published{Task: task, RunID: "run-0"}); err != nil {
				t.Fatal(err)
			}
		}
		j.expect(task, protocol.CommandPreflight)
		j.agents[task].Send(protocol.Event{
			At: time.Now(), Kind: protocol.EventPreflight,
			Findings: &protocol.Findings{Findings: []protocol.Finding{finding}},
		})
	}
	j.leave(all...)
	if c := j.over().FirstCause; c == nil || c.Kind != protocol.PreflightFailed || c.Task() != ctx0 ||
		!strings.Contains(c.Detail, "not seen") {
		t.Errorf("cause %v", c)
	}
	data, err := os.ReadFile(j.opts.Attempt.Preflight())
	if err != nil || strings.Count(string(data), finding.Detail) != len(all) {
		t.Errorf("preflight.json %s, %v", data, err)
	}
	if e := j.entries("preflight"); len(e) != len(all) || e[0].Detail != "memory: little is free. " {
		t.Errorf("journal %+v", e)
	}
}
