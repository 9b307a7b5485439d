package agent

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/disagg/disagg/test/check"

	"go.uber.org/zap"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
)

// process is an agent from its start to its exit code, in this process.
type process struct {
	t       *testing.T
	opts    Options
	attempt rundir.Attempt
	token   string
	signals chan os.Signal
	stderr  bytes.Buffer
	ended   chan struct{} // closed when Run has returned
	code    int
	err     error
}

// newProcess prepares an agent of a task whose child is a script.
func newProcess(t *testing.T, task roles.Task, script string) *process {
	t.Helper()
	p := &process{t: t, signals: make(chan os.Signal, 8), ended: make(chan struct{})}
	pl := testPlan(t, script)
	pl.Cluster.Preflight = profile.Preflight{Off: []string{"all"}}
	pl.Timeouts.Settle, pl.Timeouts.Ready, pl.Timeouts.Benchmark = roles.Duration(bound), roles.Duration(time.Hour),
		roles.Duration(time.Hour)
	bench := pl.Recipe.Roles[roles.Benchmark]
	bench.Results = &recipe.Results{Format: "json", Files: "{{.Dirs.Work}}/{index}.json"}
	pl.Recipe.Roles[roles.Benchmark] = bench
	p.opts = Options{
		Plan: pl, Role: task.Role, Identity: scheduler.Identity{Rank: task.Rank, JobID: "101"}, Node: "n",
		Host: "127.0.0.1", Environ: os.Environ(), Stdout: io.Discard, Stderr: &p.stderr,
		Log: zap.NewNop(), Signals: p.signals,
		Disk: rundir.NewDisk(rundir.DiskOptions{}), DiskPatience: bound,
	}
	p.attempt = rundir.Dir(pl.RunDir).Attempt(0)
	t.Cleanup(func() {
		p.opts.Disk.Close(bound)
		check.NothingLeft(t)
	})
	return p
}

// open opens the attempt, as every process of it does.
func (p *process) open() {
	p.t.Helper()
	var err error
	if p.token, err = rundir.OpenAttempt(p.attempt, "t"); err != nil {
		p.t.Fatal(err)
	}
}

// run starts the agent.
func (p *process) run() {
	go func() {
		defer close(p.ended)
		p.code, p.err = Run(p.opts)
	}()
	p.t.Cleanup(func() {
		select {
		case <-p.ended:
		case p.signals <- syscall.SIGTERM: // a test that fails early
			<-p.ended
		}
	})
}

// exits waits for the end, with a code and an error that says something; "" if there is to be none.
func (p *process) exits(code int, said string) {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(bound):
		p.t.Fatal("the agent goes on")
	}
	if p.code != code || (p.err == nil) != (said == "") || p.err != nil && !strings.Contains(p.err.Error(), said) {
		p.t.Errorf("code %d, %v, want %d, %q", p.code, p.err, code, said)
	}
}

// next is what the hub that the test plays is told next, but for signs of life.
func next(t *testing.T, s *control.Server) control.Inbound {
	t.Helper()
	for timeout := time.After(bound); ; {
		select {
		case in := <-s.Inbound():
			if !in.Alive {
				return in
			}
		case <-timeout:
			t.Fatal("the hub is told nothing")
		}
	}
}

// An agent finds the hub, presents itself, does what it is told and leaves with a goodbye.
func TestRun(t *testing.T) {
	p := newProcess(t, gen0, "exit 7")
	p.open()
	p.opts.Guard = []string{"true"}
	hub, err := control.Listen(control.ServerOptions{
		Host: "127.0.0.1", Token: p.token, RunID: "run-0", Heartbeat: time.Second,
		Expected: func(roles.Task) bool { return true },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Close()
	p.run()
	if err := rundir.Publish(p.attempt,
		protocol.Published{Task: roles.Hub(), Hub: hub.Address(), RunID: "run-0"}); err != nil {
		t.Fatal(err)
	}
	h := next(t, hub).Hello
	if h == nil || h.Task != gen0 || h.RunID != "run-0" || h.Node != "n" || h.Host != "127.0.0.1" ||
		h.PID != os.Getpid() || h.Listen == "" {
		t.Fatalf("hello %+v", h)
	}
	if a, ok := rundir.ReadPublished(p.attempt, gen0, "run-0"); !ok || a.Node != "n" || a.Hub != "" {
		t.Errorf("published %+v, %v", a, ok)
	}
	hub.Send(gen0, protocol.Command{Kind: protocol.CommandStart})
	for _, want := range []protocol.EventKind{protocol.EventStarted, protocol.EventExited} {
		if in := next(t, hub); in.Event == nil || in.Event.Kind != want {
			t.Fatalf("got %+v, want %s", in, want)
		}
	}
	hub.Send(gen0, protocol.Command{Kind: protocol.CommandStop, Reason: "judged", Code: 3})
	if in := next(t, hub); in.Event == nil || in.Event.Kind != protocol.EventStopped {
		t.Errorf("got %+v", in)
	}
	if in := next(t, hub); !in.Bye {
		t.Errorf("got %+v, want a goodbye", in)
	}
	p.exits(3, "")
	if conn, err := net.Dial("tcp", h.Listen); err == nil {
		conn.Close()
		t.Error("it still listens")
	}
}

// An agent that cannot begin says why, and what to do about it.
func TestRunCannotBegin(t *testing.T) {
	tests := map[string]struct {
		task   roles.Task
		change func(*process)
		code   int
		said   string
	}{
		"the run directory is a file": {gen0, func(p *process) {
			p.opts.Plan.RunDir = filepath.Join(p.opts.Plan.RunDir, "file")
			if err := os.WriteFile(p.opts.Plan.RunDir, nil, 0o600); err != nil {
				p.t.Fatal(err)
			}
		}, protocol.ExitUsage, "cannot open attempt"},
		"its address is not this host's": {
			gen0, func(p *process) { p.opts.Host = "192.0.2.1" }, protocol.ExitUsage, "check the profile (interface)",
		},
		"the hub's address is not this host's": {roles.Hub(), func(p *process) {
			p.opts.Host, p.opts.Plan.Policy.Interactive = "192.0.2.1", true
		}, protocol.ExitUsage, "cannot listen for agents"},
		"it cannot publish itself": {gen0, func(p *process) {
			p.open()
			p.block(p.attempt.Agents())
		}, protocol.ExitUsage, "cannot publish agent"},
		"the hub cannot publish itself": {roles.Hub(), func(p *process) {
			p.open()
			p.block(p.attempt.Agents())
		}, protocol.ExitUsage, "cannot publish agent"},
		"the results have no place": {roles.Hub(), func(p *process) {
			p.opts.Plan.Recipe.Roles[roles.Benchmark].Results.Files = "{{.Nonsense}}"
		}, protocol.ExitUsage, "Nonsense"},
		"there is a verdict already": {roles.Hub(), func(p *process) {
			p.open()
			if err := os.WriteFile(p.attempt.Result(), nil, 0o600); err != nil {
				p.t.Fatal(err)
			}
		}, protocol.ExitUsage, "has its verdict already: use a new run directory"},
		"the hub never comes": {
			gen0, func(p *process) { p.opts.Plan.Timeouts.Launch = roles.Duration(300 * time.Millisecond) },
			protocol.ExitFailed, "check the network between n and the hub's host",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t, tt.task, "exit 0")
			tt.change(p)
			p.run()
			p.exits(tt.code, tt.said)
		})
	}
}

// block puts a file in the place of a folder.
func (p *process) block(dir string) {
	p.t.Helper()
	if err := os.Remove(dir); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// What may hang with the run directory does so for no longer than it may.
func TestBounded(t *testing.T) {
	gate := make(chan struct{})
	hangs := func() (int, error) { <-gate; return 1, nil }
	if v, err := bounded(time.Millisecond, hangs); v != 0 || err == nil ||
		!strings.Contains(err.Error(), "does not answer") {
		t.Errorf("%d, %v", v, err)
	}
	close(gate)
	if v, err := bounded(0, hangs); v != 1 || err != nil { // for as long as it takes
		t.Errorf("%d, %v", v, err)
	}
	want := errors.New("no")
	if _, err := bounded(bound, func() (int, error) { return 0, want }); !errors.Is(err, want) {
		t.Errorf("%v", err)
	}
}

// A role that is restarted among servers that are kept waits for the next measurement for as long as they are kept.
func TestStartedAnewAmongKeptServers(t *testing.T) {
	const launch = 200 * time.Millisecond
	for name, measured := range map[string]bool{"the first hub never comes": false, "it was measured": true} {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t, gen0, "exit 0")
			p.opts.Plan.Policy.Keep, p.opts.Plan.Timeouts.Launch = plan.KeepPassed, roles.Duration(launch)
			p.open()
			if measured {
				if err := os.WriteFile(p.attempt.Result(), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			p.run()
			if !measured {
				p.exits(protocol.ExitFailed, "")
				return
			}
			select {
			case <-p.ended:
				t.Error("it has left")
			case <-time.After(3 * launch):
				p.signals <- syscall.SIGTERM
				p.exits(protocol.ExitFailed, protocol.StoppedEarly)
			}
		})
	}
}
