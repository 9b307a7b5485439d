package decide

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

// bench drives a job by hand: it says what happens and sees what the hub wants.
type bench struct {
	t     *testing.T
	job   *Machine
	now   time.Time
	sent  []string                         // "GEN_0.1 start", in order
	code  map[roles.Task]int               // of the last command to a task
	peers map[roles.Task]map[string]string // likewise
	other []Effect                         // that are no commands
	see   func(roles.Task) bool            // whether what a task wrote is seen; nil: always
	slow  bool                             // nobody answers when the release is asked for
}

// newBench is a job of GEN_0 with two ranks, CTX_0, coordinator and benchmark, and without preflight.
func newBench(t *testing.T) *bench { return benchWith(t, func(*plan.Input) {}) }

func benchWith(t *testing.T, change func(*plan.Input)) *bench {
	t.Helper()
	r, _, err := recipe.Load("trtllm-serve")
	if err != nil {
		t.Fatal(err)
	}
	in := plan.Input{
		Recipe: r, RunDir: "/run",
		Case: roles.Case{
			Name: "c", TestID: "t", GPUsPerNode: 4,
			TimeLimit: roles.Duration(2 * time.Hour), Load: roles.Load{Concurrency: []int{4, 8}},
			Servers: map[roles.Kind]roles.Server{roles.Gen: {Count: 1, GPUs: 2}, roles.Ctx: {Count: 1, GPUs: 1}},
		},
		Profile: profile.Profile{
			KillWait: roles.Duration(30 * time.Second), Preflight: profile.Preflight{Off: []string{"all"}},
		},
	}
	change(&in)
	p, err := plan.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, now: time.Unix(1000, 0), code: map[roles.Task]int{}, peers: map[roles.Task]map[string]string{}}
	b.job = New(p, Options{}, b.now)
	return b
}

// in hands over inputs, and performs what can be performed here.
func (b *bench) in(inputs ...Input) {
	for _, in := range inputs {
		for _, e := range b.job.Step(in, b.now) {
			switch e := e.(type) {
			case Send:
				if e.Task == benchmark && e.Command.Kind == protocol.CommandCheck && len(b.job.held.facts) > 0 &&
					!b.slow {
					b.in(Reported{Task: benchmark, Event: protocol.Event{Kind: protocol.EventChecked}})
					continue
				}
				b.sent = append(b.sent, fmt.Sprintf("%s %s", e.Task, e.Command.Kind))
				b.code[e.Task], b.peers[e.Task] = e.Command.Code, e.Command.Peers
			case TryHosts:
				b.sent = append(b.sent, "try "+strings.Join(slices.Sorted(maps.Keys(e.Peers)), " "))
			case LookFor:
				b.in(Visible{Task: e.Task, OK: b.see == nil || b.see(e.Task)})
			default:
				b.other = append(b.other, e)
			}
		}
	}
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

var all = []roles.Task{gen0, gen1, ctx0, server, benchmark}

func (b *bench) tick() { b.in(Tick{}) }

// after lets time pass, in steps in which every agent that is there gives a sign of life, but for some. The hub looks
// whenever it wants to.
func (b *bench) after(d time.Duration, silent ...roles.Task) {
	for end := b.now.Add(d); b.now.Before(end); {
		next := b.now.Add(min(b.job.plan.Timeouts.Heartbeat.Std(), end.Sub(b.now)))
		for at := b.job.Deadline(b.now); at.After(b.now) && at.Before(next); at = b.job.Deadline(b.now) {
			b.now = at
			b.tick()
		}
		b.now = next
		for _, t := range all {
			quiet := b.job.tasks[t] == nil || b.job.tasks[t].hello == nil
			for _, s := range silent {
				quiet = quiet || s == t
			}
			if !quiet {
				b.in(Alive{Task: t})
			}
		}
		b.tick()
	}
}

// untilPhaseEnds lets time pass to the deadline of the present phase.
func (b *bench) untilPhaseEnds() { b.after(b.job.phaseEnds().Sub(b.now)) }

func (b *bench) hello(tasks ...roles.Task) {
	for _, t := range tasks {
		b.in(Attached{Task: t, Hello: protocol.Hello{Task: t, Node: "n-" + t.String()}}, Alive{Task: t})
	}
}

func (b *bench) report(t roles.Task, e protocol.Event) {
	if e.At.IsZero() {
		e.At = b.now
	}
	b.in(Reported{Task: t, Event: e})
}

func (b *bench) event(t roles.Task, kind protocol.EventKind) {
	b.report(t, protocol.Event{Kind: kind, Address: "h:1"})
}

func (b *bench) exit(t roles.Task, o protocol.Outcome) {
	o.Started = true
	b.report(t, protocol.Event{Kind: protocol.EventExited, Outcome: &o, Code: o.Code})
}

// told is an event with a detail.
func (b *bench) told(t roles.Task, kind protocol.EventKind, detail string) {
	b.report(t, protocol.Event{Kind: kind, Detail: detail})
}

// progress is an agent's word about how far its child is.
func (b *bench) progress(t roles.Task, p protocol.Progress) {
	b.report(t, protocol.Event{Kind: protocol.EventProgress, Progress: &p})
}

// checked lets every leader say that it reaches all its peers.
func (b *bench) checked() {
	for _, t := range []roles.Task{gen0, ctx0, server, benchmark} {
		b.told(t, protocol.EventChecked, "")
	}
}

func (b *bench) gone(tasks ...roles.Task) {
	for _, t := range tasks {
		o := protocol.Outcome{Started: true, StopReason: "x"}
		b.report(t, protocol.Event{Kind: protocol.EventStopped, Outcome: &o})
	}
}

// lose lets an agent's connection break, and waits until it counts as lost.
func (b *bench) lose(t roles.Task) {
	b.in(Broke{Task: t})
	b.after(b.job.plan.Timeouts.Heartbeat.Std(), t)
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
		b.t.Errorf("commands: %s", diff)
	}
}

// readying brings the job to where only the coordinator is not ready yet.
func (b *bench) readying() {
	b.t.Helper()
	b.hello(all...)
	b.event(gen0, protocol.EventAddress)
	b.event(ctx0, protocol.EventAddress)
	b.event(gen0, protocol.EventReady)
	b.event(ctx0, protocol.EventReady)
}

// measuring brings the job to where the benchmark runs.
func (b *bench) measuring() {
	b.t.Helper()
	b.readying()
	b.event(server, protocol.EventReady)
	if b.job.Phase() != protocol.Measuring {
		b.t.Fatalf("phase %s", b.job.Phase())
	}
	b.event(benchmark, protocol.EventStarted)
	b.take()
}

func (b *bench) points(list ...protocol.Point) { b.in(Measured{Points: list}) }

func goodPoints() []protocol.Point {
	return []protocol.Point{{Index: 0, Concurrency: 4}, {Index: 1, Concurrency: 8}}
}
