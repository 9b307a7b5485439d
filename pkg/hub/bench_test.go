package hub

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/supervisor"
)

// bench drives a job by hand: it says what happens and sees what the hub wants.
type bench struct {
	t     *testing.T
	job   *job
	now   time.Time
	sent  []string                         // "GEN_0.1 start", in order
	code  map[roles.Task]int               // of the last directive to a task
	peers map[roles.Task]map[string]string // likewise
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newBench(t *testing.T) *bench {
	t.Helper()
	recipe, err := roles.LoadRecipe("trtllm-serve")
	if err != nil {
		t.Fatal(err)
	}
	recipe.Checkout = nil
	p := roles.Plan{
		Recipe: recipe,
		Case: roles.Case{
			GPUsPerNode: 4, TimeLimit: roles.Duration(2 * time.Hour), Load: roles.Load{Concurrency: []int{4, 8}},
			Servers: map[roles.Kind]roles.Server{roles.Gen: {Count: 1, GPUs: 2}, roles.Ctx: {Count: 1, GPUs: 1}},
		},
		Cluster:   roles.Cluster{KillWait: roles.Duration(30 * time.Second)},
		Preflight: roles.Preflight{Off: []string{"all"}},
	}
	if err := p.Complete(); err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, now: time.Unix(1000, 0), code: map[roles.Task]int{}, peers: map[roles.Task]map[string]string{}}
	b.job = newJob(p, func(task roles.Task, d control.Directive) {
		b.sent = append(b.sent, fmt.Sprintf("%s %s", task, d.Kind))
		b.code[task], b.peers[task] = d.Code, d.Peers
	}, b.now)
	return b
}

func rankOf(s string, rank int) roles.Task {
	r, err := roles.ParseRole(s)
	if err != nil {
		panic(err)
	}
	return roles.Task{Role: r, Rank: rank}
}

var (
	gen0, gen1 = rankOf("GEN_0", 0), rankOf("GEN_0", 1)
	ctx0       = rankOf("CTX_0", 0)
	server     = rankOf("DISAGG_SERVER", 0)
	benchmark  = rankOf("BENCHMARK", 0)
)

func (b *bench) hello(tasks ...roles.Task) {
	for _, t := range tasks {
		b.job.hear(control.Inbound{Task: t, Hello: &control.Hello{Task: t, Node: "n-" + t.String()}}, b.now)
	}
}

func (b *bench) event(t roles.Task, kind control.EventKind) {
	b.job.hear(control.Inbound{Task: t, Event: &control.Event{Kind: kind, At: b.now, Address: "h:1"}}, b.now)
}

func (b *bench) exit(t roles.Task, o supervisor.Outcome) {
	o.Started = true
	b.job.hear(control.Inbound{Task: t, Event: &control.Event{Kind: control.Exited, At: b.now, Outcome: &o, Code: o.Code}}, b.now)
}

// told is an event with a detail.
func (b *bench) told(t roles.Task, kind control.EventKind, detail string) {
	b.job.hear(control.Inbound{Task: t, Event: &control.Event{Kind: kind, At: b.now, Detail: detail}}, b.now)
}

// checked lets every leader say that it reaches all its peers.
func (b *bench) checked() {
	for _, t := range []roles.Task{gen0, ctx0, server, benchmark} {
		b.told(t, control.Checked, "")
	}
}

func (b *bench) gone(tasks ...roles.Task) {
	for _, t := range tasks {
		o := supervisor.Outcome{Started: true, StopReason: "x"}
		b.job.hear(control.Inbound{Task: t, Event: &control.Event{Kind: control.Stopped, At: b.now, Outcome: &o}}, b.now)
	}
}

// take returns what the hub sent since the last call.
func (b *bench) take() []string {
	s := b.sent
	b.sent = nil
	return s
}

func (b *bench) expect(want ...string) {
	b.t.Helper()
	if diff := cmp.Diff(want, b.take()); diff != "" {
		b.t.Errorf("directives: %s", diff)
	}
}

var all = []roles.Task{gen0, gen1, ctx0, server, benchmark}

// measuring brings the job to where the benchmark runs.
func (b *bench) measuring() {
	b.t.Helper()
	b.hello(all...)
	b.event(gen0, control.Address)
	b.event(ctx0, control.Address)
	for _, t := range []roles.Task{gen0, ctx0, server} {
		b.event(t, control.Ready)
	}
	if b.job.phase != Measuring {
		b.t.Fatalf("phase %s", b.job.phase)
	}
	b.event(benchmark, control.Started)
	b.take()
}

func (b *bench) points(list ...results.Point) { b.job.measured(list, b.now); b.job.advance(b.now) }

func goodPoints() []results.Point {
	return []results.Point{{Index: 0, Concurrency: 4}, {Index: 1, Concurrency: 8}}
}
