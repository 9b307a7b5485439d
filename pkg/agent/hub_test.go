package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/hub"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/supervisor"
)

// servers play the agents of GEN_0 to a hub under test, until they are told to start.
func (p *process) servers() map[roles.Task]*control.Client {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), bound)
	defer cancel()
	hub, err := rundir.FindHub(ctx, p.attempt, "run-0")
	if err != nil {
		p.t.Fatal(err)
	}
	agents := map[roles.Task]*control.Client{}
	for _, task := range []roles.Task{gen0, gen1} {
		agents[task] = control.Dial(control.ClientOptions{
			Find: func(context.Context) (string, error) { return hub, nil }, Token: p.token, CloseWait: bound,
			Heartbeat: time.Second, Lost: 5 * time.Second,
			Hello: protocol.Hello{Task: task, Session: task.String(), RunID: "run-0", Node: "n"},
		})
		p.t.Cleanup(agents[task].Close)
	}
	for _, a := range agents {
		p.told(a, protocol.CommandStart)
		a.Send(protocol.Event{At: time.Now(), Kind: protocol.EventStarted})
	}
	return agents
}

// told waits until an agent is given a command of a kind.
func (p *process) told(a *control.Client, kind protocol.CommandKind) protocol.Command {
	p.t.Helper()
	for timeout := time.After(bound); ; {
		select {
		case c := <-a.Commands():
			if c.Kind == kind {
				return c
			}
		case <-timeout:
			p.t.Fatalf("an agent is never told: %s", kind)
		}
	}
}

// leave lets the servers end in good order when they are told to.
func (p *process) leave(agents map[roles.Task]*control.Client) {
	p.t.Helper()
	for _, a := range agents {
		o := protocol.Outcome{Started: true, StopReason: p.told(a, protocol.CommandStop).Reason, EndedAt: time.Now()}
		a.Send(protocol.Event{At: time.Now(), Kind: protocol.EventStopped, Outcome: &o})
		a.Close()
	}
}

const measures = `echo '{"successful_requests": 4, "metrics": {"token_throughput": 10}}' > "$WORK/0.json"`

// newHub prepares BENCHMARK's agent, which is the hub.
func newHub(t *testing.T, script string) *process {
	p := newProcess(t, roles.Hub(), script)
	p.opts.Plan.Case.Load = roles.Load{Concurrency: []int{4}, PointLoad: roles.PointLoad{Rounds: 1}}
	bench := p.opts.Plan.Recipe.Roles[roles.Benchmark]
	bench.Env = map[string]string{"WORK": "{{.Dirs.Work}}"}
	p.opts.Plan.Recipe.Roles[roles.Benchmark] = bench
	p.open()
	return p
}

// BENCHMARK's agent runs the whole job, and its code is what the verdict says, or its own child's if that failed first.
func TestRunHub(t *testing.T) {
	tests := map[string]struct {
		script  string
		act     func(*process, map[roles.Task]*control.Client)
		verdict protocol.Verdict
		code    int
	}{
		"it passes":           {measures, nil, protocol.Passed, 0},
		"the benchmark fails": {"exit 5", nil, protocol.Failed, 5},
		"it measures nothing": {"exit 0", nil, protocol.Failed, protocol.ExitFailed},
		"somebody presses ^C": {
			sleeper, func(p *process, _ map[roles.Task]*control.Client) { p.signals <- syscall.SIGINT },
			protocol.Cancelled, protocol.ExitFailed,
		},
		"a server dies": {
			sleeper, func(_ *process, a map[roles.Task]*control.Client) { exits(a[gen1], 9) }, protocol.Failed,
			protocol.ExitFailed,
		},
		"a server is an orphan": {sleeper, func(_ *process, a map[roles.Task]*control.Client) {
			a[gen1].Send(protocol.Event{At: time.Now(), Kind: protocol.EventLeaving, Detail: "stopped by SIGTERM"})
		}, protocol.Cancelled, protocol.ExitFailed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := newHub(t, tt.script)
			p.run()
			agents := p.servers()
			if tt.act != nil {
				tt.act(p, agents)
			}
			p.leave(agents)
			p.exits(tt.code, "")
			r, err := rundir.ReadResult(p.attempt)
			if err != nil || r.Verdict != tt.verdict || r.JobID != "101" {
				t.Errorf("%s, cause %v, %v", r.Verdict, r.FirstCause, err)
			}
			if p.stderr.Len() > 0 {
				t.Errorf("stderr %s", &p.stderr)
			}
		})
	}
}

func exits(a *control.Client, code int) {
	a.Send(protocol.Event{
		At: time.Now(), Kind: protocol.EventExited, Outcome: &protocol.Outcome{Started: true, Code: code}, Code: code,
	})
}

// A verdict that the run directory does not take is handed to the batch script.
func TestVerdictIsHandedOver(t *testing.T) {
	p := newHub(t, "exit 5")
	p.opts.DiskPatience = 100 * time.Millisecond
	gate := make(chan struct{})
	p.opts.Disk.Do("hang", 0, func() error { <-gate; return nil }, nil)
	p.run()
	p.leave(p.servers())
	p.exits(5, "")
	close(gate)
	line, ok := strings.CutPrefix(p.stderr.String(), protocol.VerdictLine)
	var r protocol.Result
	if err := json.Unmarshal([]byte(line), &r); !ok || err != nil || r.Verdict != protocol.Failed ||
		r.FirstCause.Task() != roles.Hub() {
		t.Errorf("%q, %v", p.stderr.String(), err)
	}
}

// The end of the batch script cancels the job at once, and is told as what it is.
func TestBatchScriptEnds(t *testing.T) {
	p := newHub(t, sleeper)
	batch := exec.Command("sleep", "600")
	if err := batch.Start(); err != nil {
		t.Fatal(err)
	}
	p.opts.Batch = supervisor.MarkOf(batch.Process.Pid)
	p.run()
	agents := p.servers()
	if err := batch.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = batch.Wait()
	p.leave(agents)
	p.exits(protocol.ExitFailed, "")
	if r, err := rundir.ReadResult(p.attempt); err != nil || r.Verdict != protocol.Cancelled ||
		!strings.Contains(r.FirstCause.Detail, hub.ErrBatchEnded.Error()) {
		t.Errorf("%+v, %v", r.FirstCause, err)
	}
}

// Only the process that a mark names is followed: none is missed where there is none, or where it cannot be seen, as
// from a container with a PID name space of its own.
func TestWhileAlive(t *testing.T) {
	other := exec.Command("sleep", "600")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	mark := supervisor.MarkOf(other.Process.Pid)
	parts := strings.Split(mark, ":")
	ctx, stop := whileAlive(t.Context(), mark, zap.NewNop())
	defer stop()
	marks := map[string]string{
		"none":                   "",
		"no mark":                "nonsense",
		"another name space":     strings.Join([]string{parts[0], parts[1], "1"}, ":"),
		"another process by now": strings.Join([]string{parts[0], "1", parts[2]}, ":"),
	}
	deaf := map[string]context.Context{}
	for name, m := range marks {
		ctx, stop := whileAlive(t.Context(), m, zap.NewNop())
		defer stop()
		deaf[name] = ctx
	}
	if ctx.Err() != nil {
		t.Fatal(context.Cause(ctx))
	}
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait()
	select {
	case <-ctx.Done():
		if !errors.Is(context.Cause(ctx), hub.ErrBatchEnded) {
			t.Error(context.Cause(ctx))
		}
	case <-time.After(bound):
		t.Error("the end of the process is not noticed")
	}
	late, stopLate := whileAlive(t.Context(), mark, zap.NewNop()) // it has ended before it is followed
	defer stopLate()
	deaf["it has ended"] = late
	for name, ctx := range deaf {
		if ctx.Err() != nil {
			t.Errorf("%s: %v", name, context.Cause(ctx))
		}
	}
	ctx, stop = whileAlive(t.Context(), supervisor.Mark(), zap.NewNop())
	stop()
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Error(fmt.Sprint(ctx.Err()))
	}
}
