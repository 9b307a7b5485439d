package agent

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/test/check"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bound is how long anything may take that should happen at once.
const bound = 20 * time.Second

var (
	gen0 = roles.Task{Role: roles.Role{Kind: roles.Gen}}
	gen1 = roles.Task{Role: roles.Role{Kind: roles.Gen}, Rank: 1}
)

// link is the agent's side of a conversation with a hub that the test plays.
type link struct {
	events   chan protocol.Event
	commands chan protocol.Command
	lost     chan struct{}
}

var _ control.Link = (*link)(nil)

func newLink() *link {
	return &link{
		events: make(chan protocol.Event, 256), commands: make(chan protocol.Command, 16), lost: make(chan struct{}),
	}
}

func (l *link) Send(e protocol.Event)             { l.events <- e }
func (l *link) Commands() <-chan protocol.Command { return l.commands }
func (l *link) Lost() <-chan struct{}             { return l.lost }
func (l *link) Err() error                        { return io.EOF }
func (l *link) Close()                            {}

// agent is one agent under test: a worker whose child is a shell script.
type agent struct {
	t *testing.T
	*link
	opts    Options
	w       *worker
	signals chan os.Signal
	log     *observer.ObservedLogs
	code    chan int
	before  []protocol.Event // that until has passed over
}

// testPlan is a plan for roles whose command is a shell script.
func testPlan(t *testing.T, script string) plan.Plan {
	t.Helper()
	spec := recipe.RoleSpec{
		Command: []recipe.Arg{{Text: "/bin/sh"}, {Text: "-c"}, {Text: script}},
		Stop:    recipe.Stop{Signal: "TERM", To: "group", Grace: roles.Duration(bound)},
	}
	return plan.Plan{
		ID: "run", RunDir: t.TempDir(), Case: roles.Case{Name: "c", TestID: "t"},
		Recipe: recipe.Recipe{Roles: map[roles.Kind]recipe.RoleSpec{roles.Gen: spec, roles.Benchmark: spec}},
		Layout: roles.Layout{GPUsPerNode: 1, TotalNodes: 1, Placements: []roles.Placement{
			{Role: gen0.Role, Nodes: 1, Ranks: 2, RanksPerNode: 2},
			{Role: roles.Hub().Role, Nodes: 1, Ranks: 1, RanksPerNode: 1},
		}},
		Timeouts: roles.Timeouts{
			Launch: roles.Duration(bound), Preflight: roles.Duration(bound), Stop: roles.Duration(bound),
			Probe: roles.Duration(time.Second), Heartbeat: roles.Duration(time.Second),
			Lost: roles.Duration(5 * time.Second),
		},
	}
}

// newAgent starts the agent of a task whose child is a script.
func newAgent(t *testing.T, task roles.Task, script string, change func(*agent)) *agent {
	t.Helper()
	a := prepareAgent(t, task, script, change)
	a.live()
	return a
}

// prepareAgent prepares the agent of a task whose child is a script.
func prepareAgent(t *testing.T, task roles.Task, script string, change func(*agent)) *agent {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	a := &agent{t: t, link: newLink(), signals: make(chan os.Signal, 8), log: logs, code: make(chan int, 1)}
	a.opts = Options{
		Plan: testPlan(t, script), Role: task.Role, Identity: scheduler.Identity{Rank: task.Rank}, Node: "n",
		Host: "127.0.0.1", Environ: os.Environ(), Stdout: io.Discard, Stderr: io.Discard,
		LauncherVars: LauncherVars{Patterns: []string{"SLURM*"}},
		Log:          zap.New(core), Signals: a.signals,
	}
	if change != nil {
		change(a)
	}
	attempt := rundir.Dir(a.opts.Plan.RunDir).Attempt(0)
	token, err := rundir.OpenAttempt(attempt, "t")
	if err != nil {
		t.Fatal(err)
	}
	if a.w, err = newWorker(a.opts, attempt, token, check.Supervise(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.w.closeListener)
	t.Cleanup(a.w.endpoint.Close)
	a.w.link = a.link
	return a
}

// live lets the agent live. Neither a test that fails early nor a child that was prepared for nothing is left behind.
func (a *agent) live() {
	go func() { a.code <- a.w.live() }()
	a.t.Cleanup(func() {
		a.commands <- protocol.Command{Kind: protocol.CommandStop, Reason: "the test is over"}
		<-a.w.over
		if a.w.ready != nil {
			<-a.w.ready.done
		}
	})
}

// spec changes how the roles of the plan are run.
func (a *agent) spec(change func(*recipe.RoleSpec)) {
	for kind, s := range a.opts.Plan.Recipe.Roles {
		change(&s)
		a.opts.Plan.Recipe.Roles[kind] = s
	}
}

// until returns the next event of a kind, and keeps those before it.
func (a *agent) until(kind protocol.EventKind) protocol.Event {
	a.t.Helper()
	for timeout := time.After(bound); ; {
		select {
		case e := <-a.events:
			if e.Kind == kind {
				return e
			}
			a.before = append(a.before, e)
		case <-timeout:
			a.t.Fatalf("no event %s", kind)
		}
	}
}

// tell gives the agent a command.
func (a *agent) tell(kind protocol.CommandKind) { a.commands <- protocol.Command{Kind: kind} }

// start starts the child, and waits until it has printed "ready".
func (a *agent) start() {
	a.t.Helper()
	a.tell(protocol.CommandStart)
	a.until(protocol.EventStarted)
	a.await("the child is ready", func() bool { return strings.Contains(a.output(), "ready") })
}

// output is what the child has printed.
func (a *agent) output() string {
	data, _ := os.ReadFile(a.w.attempt.RankLog(a.w.task))
	return string(data)
}

func (a *agent) await(what string, ok func() bool) {
	a.t.Helper()
	for deadline := time.Now().Add(bound); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			a.t.Fatalf("never: %s", what)
		}
	}
}

// stop stops the agent because of a peer, and waits for its end.
func (a *agent) stop() {
	a.t.Helper()
	a.commands <- protocol.Command{Kind: protocol.CommandStop, Reason: "enough"}
	a.ended(protocol.ExitFailed)
}

// ended checks how the agent ended.
func (a *agent) ended(code int) {
	a.t.Helper()
	select {
	case got := <-a.code:
		if got != code {
			a.t.Errorf("the agent's code is %d, want %d", got, code)
		}
	case <-time.After(bound):
		a.t.Fatal("the agent goes on")
	}
}

// diskLog is a log that goes through a Disk, as an agent's own does.
func diskLog(d *rundir.Disk, file string) *zap.Logger {
	out := zapcore.AddSync(d.Append(file))
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), out, zap.InfoLevel))
}

const sleeper = "echo ready; while :; do sleep 0.05; done"
