package batch

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/disagg/disagg/test/check"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// hubAt plays a hub that is published, but whose host does not answer before a number of connections has been closed.
func (j *job) hubAt(t *testing.T, deaf int, expects bool) (line *hubLine, heard <-chan control.Inbound) {
	t.Helper()
	token, err := rundir.OpenAttempt(j.attempt, j.plan.Case.TestID)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := protocol.Published{Task: roles.Hub(), RunID: "run-0", Hub: l.Addr().String(), Step: "7.0"}
	if err := rundir.Publish(j.attempt, p); err != nil {
		t.Fatal(err)
	}
	line = newHubLine(j.attempt, "run-0", token)
	t.Cleanup(func() { line.close(); <-line.ended })
	line.send(protocol.StepReport{Role: gen, RunID: "run-0", Ended: true, Code: 3})
	for range deaf {
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
	}
	s, err := control.Listen(control.ServerOptions{
		Listener: l, Token: token, RunID: "run-0", Heartbeat: time.Second,
		Expected: func(roles.Task) bool { return expects },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return line, s.Inbound()
}

// A report is repeated until the hub has taken it: a hub that stands still for a while is not gone.
func TestReportIsRepeated(t *testing.T) {
	j := newJob(t, nil)
	line, heard := j.hubAt(t, 3, true)
	select {
	case in := <-heard:
		if in.Step == nil || in.Step.Code != 3 {
			t.Errorf("%+v", in)
		}
	case <-time.After(bound):
		t.Fatal("the report never arrives")
	}
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	if err := line.ask(ctx, protocol.StepReport{Role: bench, RunID: "run-0"}); err != nil {
		t.Errorf("the hub does not answer: %v", err)
	}
}

// A report that the hub refuses is not repeated: the next one is not held up by it. Without a hub there is no answer.
func TestReportIsRefused(t *testing.T) {
	j := newJob(t, nil)
	line, _ := j.hubAt(t, 0, false)
	for range 3 {
		line.send(protocol.StepReport{Role: gen, RunID: "run-0"})
	}
	check.Eventually(t, "refused reports are left behind", func() bool { return len(line.reports) == 0 })

	other := newJob(t, nil)
	lonely := newHubLine(other.attempt, "run-0", "token")
	defer func() { lonely.close(); <-lonely.ended }()
	if err := lonely.ask(t.Context(), protocol.StepReport{Role: bench, RunID: "run-0"}); err == nil {
		t.Error("a hub that is not there has answered")
	}
}

// A hub whose step has no name yet hangs before it has begun: the processes that start it are ended.
func TestHubHangsBeforeItBegins(t *testing.T) {
	t.Parallel()
	j := newJob(t, map[string]string{"BENCHMARK": "exec sleep 600", "GEN_0": "exit 1"})
	if code := j.run(t.Context()); code != 137 {
		t.Errorf("code %d", code)
	}
	if c := j.cause(); c.Kind != protocol.StepFailed || len(j.Asked()) == 0 {
		t.Errorf("%+v, %q", c, j.Asked())
	}
	j.says("BENCHMARK hangs: ending it")
}
