package hub_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/hub"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/test/check"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bound is how long anything may take that should happen at once.
const bound = 20 * time.Second

func task(name string, rank int) roles.Task {
	r, err := roles.ParseRole(name)
	if err != nil {
		panic(err)
	}
	return roles.Task{Role: r, Rank: rank}
}

var (
	gen0, gen1 = task("GEN_0", 0), task("GEN_0", 1)
	ctx0       = task("CTX_0", 0)
	server     = task("DISAGG_SERVER", 0)
	benchmark  = roles.Hub()
	servers    = []roles.Task{gen0, gen1, ctx0, server}
	all        = append(servers[:4:4], benchmark)
)

// job is a hub at work on a run directory of its own. The test plays the agents, over real connections.
type job struct {
	t       *testing.T
	input   plan.Input
	opts    hub.Options
	hub     *hub.Hub
	token   string
	agents  map[roles.Task]control.Link
	ends    map[roles.Task]protocol.Outcome // of children that ended by themselves
	results string                          // folder of the client's files
	silent  bool                            // its servers print no steps
	cancel  context.CancelCauseFunc
	ended   chan struct{} // closed when Run has returned
	result  protocol.Result
	written bool
}

// newJob prepares GEN_0 with two ranks, CTX_0, coordinator and benchmark, two points, and no preflight.
func newJob(t *testing.T, change func(*job)) *job {
	t.Helper()
	serve, _, err := recipe.Load("trtllm-serve")
	if err != nil {
		t.Fatal(err)
	}
	benchSpec := serve.Roles[roles.Benchmark]
	benchSpec.Results = &recipe.Results{Format: "json", Files: "unused.{index}"}
	serve.Roles[roles.Benchmark] = benchSpec
	j := &job{
		t: t, agents: map[roles.Task]control.Link{}, ends: map[roles.Task]protocol.Outcome{}, results: t.TempDir(),
		ended: make(chan struct{}),
		input: plan.Input{
			ID: "run", Recipe: serve, RunDir: t.TempDir(),
			Case: roles.Case{
				Name: "c", TestID: "t", GPUsPerNode: 4, TimeLimit: roles.Duration(2 * time.Hour),
				Load:    roles.Load{Concurrency: []int{4, 8}, PointLoad: roles.PointLoad{Rounds: 1}},
				Servers: map[roles.Kind]roles.Server{roles.Gen: {Count: 1, GPUs: 2}, roles.Ctx: {Count: 1, GPUs: 1}},
			},
			Profile: profile.Profile{
				KillWait: roles.Duration(30 * time.Second), Preflight: profile.Preflight{Off: []string{"all"}},
			},
		},
	}
	j.opts = hub.Options{
		RunID: "run-0", JobID: "101", Results: filepath.Join(j.results, "client.{index}.log"), Log: zap.NewNop(),
		DiskPatience: bound, Run: output,
	}
	if change != nil {
		change(j)
	}
	if j.opts.Plan, err = plan.Build(j.input); err != nil {
		t.Fatal(err)
	}
	j.opts.Attempt = rundir.Dir(j.input.RunDir).Attempt(0)
	if j.token, err = rundir.OpenAttempt(j.opts.Attempt, j.input.Case.TestID); err != nil {
		t.Fatal(err)
	}
	if j.opts.Disk == nil {
		j.opts.Disk = rundir.NewDisk(rundir.DiskOptions{})
	}
	j.run()
	return j
}

// run starts the hub, with BENCHMARK's own agent.
func (j *job) run() {
	j.t.Helper()
	p := j.opts.Plan
	s, err := control.Listen(control.ServerOptions{
		Host: "127.0.0.1", Token: j.token, RunID: j.opts.RunID,
		Heartbeat: p.Timeouts.Heartbeat.Std(), Lost: p.Timeouts.Lost.Std(),
		Expected: func(t roles.Task) bool { pl, ok := p.Layout.Find(t.Role); return ok && t.Rank < pl.Ranks },
	})
	if err != nil {
		j.t.Fatal(err)
	}
	j.opts.Server = s
	ctx, cancel := context.WithCancelCause(context.Background())
	j.cancel = cancel
	h := hub.New(j.opts)
	j.hub = h
	go func() {
		defer close(j.ended)
		j.result, j.written = h.Run(ctx)
	}()
	j.agents[benchmark] = s.Local(protocol.Hello{
		Task: benchmark, Session: "b", RunID: j.opts.RunID, Node: "n-BENCHMARK.0",
	})
	j.t.Cleanup(func() {
		cancel(context.Canceled)
		for _, a := range j.agents {
			a.Close()
		}
		<-j.ended
		s.Close()
		j.opts.Disk.Close(bound)
	})
	j.await("the hub's own agent", func() bool { return len(j.entries(protocol.EntryAttached)) == 1 })
}

// clientOptions are those of an agent of a task.
func (j *job) clientOptions(t roles.Task) control.ClientOptions {
	limits := j.opts.Plan.Timeouts
	return control.ClientOptions{
		Find:  func(context.Context) (string, error) { return j.opts.Server.Address(), nil },
		Token: j.token, Heartbeat: limits.Heartbeat.Std(), Lost: limits.Lost.Std(), CloseWait: bound,
		Hello: protocol.Hello{Task: t, Session: "s-" + t.String(), RunID: j.opts.RunID, Node: "n-" + t.String()},
	}
}

// attach lets agents arrive.
func (j *job) attach(tasks ...roles.Task) {
	for _, t := range tasks {
		j.agents[t] = control.Dial(j.clientOptions(t))
	}
}

// expect waits for a command of a kind, and returns it.
func (j *job) expect(t roles.Task, kind protocol.CommandKind) protocol.Command {
	j.t.Helper()
	for timeout := time.After(bound); ; {
		select {
		case c := <-j.agents[t].Commands():
			if c.Kind == kind {
				return c
			}
		case <-timeout:
			j.t.Fatalf("%s is never told: %s", t, kind)
		}
	}
}

// say lets an agent report an event without more to it.
func (j *job) say(t roles.Task, kind protocol.EventKind) {
	j.agents[t].Send(protocol.Event{At: time.Now(), Kind: kind})
}

// exit lets an agent report the end of its child.
func (j *job) exit(t roles.Task, o protocol.Outcome) {
	o.Started, o.EndedAt = true, time.Now()
	j.ends[t] = o
	j.agents[t].Send(protocol.Event{At: time.Now(), Kind: protocol.EventExited, Outcome: &o, Code: o.Code})
}

// serving brings the job to where all servers work and the benchmark runs.
func (j *job) serving() {
	j.t.Helper()
	j.attach(servers...)
	for i, t := range servers {
		j.expect(t, protocol.CommandStart)
		j.say(t, protocol.EventStarted)
		if t.Leader() {
			j.agents[t].Send(protocol.Event{
				At: time.Now(), Kind: protocol.EventAddress, Address: fmt.Sprintf("127.0.0.1:%d", 1000+i),
			})
			j.say(t, protocol.EventReady)
		}
	}
	j.expect(benchmark, protocol.CommandStart)
	j.say(benchmark, protocol.EventStarted)
}

// leave waits until agents are told to stop, and lets them do so in good order. It returns the commands.
func (j *job) leave(tasks ...roles.Task) map[roles.Task]protocol.Command {
	j.t.Helper()
	told := j.told(tasks...) // all are told before any has answered
	j.stopped(told, tasks...)
	return told
}

// stopped lets agents that were told to stop do so in good order.
func (j *job) stopped(told map[roles.Task]protocol.Command, tasks ...roles.Task) {
	for _, t := range tasks {
		o, ended := j.ends[t]
		if !ended {
			o = protocol.Outcome{Started: true, StopReason: told[t].Reason, EndedAt: time.Now()}
		}
		j.agents[t].Send(protocol.Event{At: time.Now(), Kind: protocol.EventStopped, Outcome: &o})
		j.agents[t].Close()
		delete(j.agents, t)
	}
}

// told waits until agents are told to stop, and returns the commands.
func (j *job) told(tasks ...roles.Task) map[roles.Task]protocol.Command {
	j.t.Helper()
	told := map[roles.Task]protocol.Command{}
	for _, t := range tasks {
		told[t] = j.expect(t, protocol.CommandStop)
	}
	return told
}

// over waits for the end of the hub.
func (j *job) over() protocol.Result {
	j.t.Helper()
	select {
	case <-j.ended:
		return j.result
	case <-time.After(bound):
		j.t.Fatal("the hub goes on")
		return protocol.Result{}
	}
}

// measure lets the client of a point print text.
func (j *job) measure(index int, text string) {
	j.t.Helper()
	f, err := os.OpenFile(filepath.Join(j.results, fmt.Sprintf("client.%d.log", index)),
		os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		j.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		j.t.Fatal(err)
	}
}

// point is a client's line for a point in which so many requests succeeded.
func point(successful int, throughput float64) string {
	return fmt.Sprintf(`{"successful_requests": %d, "metrics": {"token_throughput": %v}}`, successful, throughput)
}

// journal reads the entries that are in the journal now.
func (j *job) journal() (list []protocol.Entry) {
	j.t.Helper()
	data, err := os.ReadFile(j.opts.Attempt.Events())
	if err != nil && !os.IsNotExist(err) {
		j.t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var e protocol.Entry
		if !strings.HasSuffix(line, "\n") {
			break // it is being written
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			j.t.Fatalf("%v: %s", err, line)
		}
		list = append(list, e)
	}
	return list
}

// entries are the entries of some kinds, in order.
func (j *job) entries(kinds ...protocol.EntryKind) (list []protocol.Entry) {
	j.t.Helper()
	for _, e := range j.journal() {
		for _, k := range kinds {
			if e.Kind == k {
				list = append(list, e)
			}
		}
	}
	return list
}

// await waits until something is there to be seen.
func (j *job) await(what string, ok func() bool) {
	j.t.Helper()
	for deadline := time.Now().Add(bound); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			j.t.Fatalf("never: %s", what)
		}
	}
}

// hang makes the run directory leave an operation of a size unanswered, and everything behind it, until the result is
// called.
func (j *job) hang(size int) (answer func()) {
	gate := make(chan struct{})
	entered := make(chan struct{})
	j.opts.Disk.Do("hang", size, func() error { close(entered); <-gate; return nil }, nil)
	<-entered
	answered := false
	answer = func() {
		if !answered {
			answered = true
			close(gate)
		}
	}
	j.t.Cleanup(answer) // before the Disk is closed
	return answer
}

// stored is the verdict in the run directory.
func (j *job) stored() protocol.Result {
	j.t.Helper()
	r, err := rundir.ReadResult(j.opts.Attempt)
	if err != nil {
		j.t.Fatal(err)
	}
	return r
}

// script writes a program that stands in for disagg-submit.
func script(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "disagg-submit")
	check.Script(t, file, "#!/bin/sh\n"+text+"\n")
	return file
}

// output runs a helper, as the agent's supervisor does.
func output(ctx context.Context, argv, env []string) (stdout []byte, code int, err error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env, cmd.WaitDelay = env, time.Second
	stdout, err = cmd.Output()
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		return stdout, ended.ExitCode(), nil
	}
	return stdout, 0, err
}
