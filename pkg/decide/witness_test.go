package decide

import (
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// onHosts is a job whose benchmark runs: GEN_0 on n1, CTX_0 on n2, the coordinator on n3, and the benchmark on n4.
func onHosts(t *testing.T) *bench {
	b := newBench(t)
	b.measuring()
	for task, node := range map[roles.Task]string{gen0: "n1", gen1: "n1", ctx0: "n2", server: "n3", benchmark: "n4"} {
		b.job.tasks[task].hello.Node = node
		if task.Leader() {
			b.job.tasks[task].hello.Listen = node + ":7"
		}
	}
	b.after(time.Second)
	b.take()
	return b
}

// answers lets a witness say whether it reaches the host of GEN_0.
func (b *bench) answers(t roles.Task, reaches bool) {
	e := protocol.Event{Kind: protocol.EventReached}
	if !reaches {
		e.Peers = []roles.Role{gen0.Role}
	}
	b.report(t, e)
}

// quietly lets time pass in small steps, in which only some give a sign of life.
func (b *bench) quietly(d time.Duration, silent ...roles.Task) {
	for end := b.now.Add(d); b.now.Before(end); {
		b.after(100*time.Millisecond, silent...)
	}
}

// A host that is silent for a little more than a heartbeat is asked about, and has vanished when two others do not
// reach it either, long before silence alone would say so.
func TestHostVanishes(t *testing.T) {
	b := onHosts(t)
	begun := b.now
	b.quietly(1300*time.Millisecond, gen0, gen1)
	b.expect("CTX_0.0 reach", "DISAGG_SERVER.0 reach")
	b.answers(ctx0, false)
	if b.job.Cause() != nil {
		t.Fatal("one witness is enough")
	}
	b.answers(server, false)
	c := b.job.Cause()
	if c == nil || c.Task() != gen0 || !strings.HasSuffix(c.Detail, "and its host is not reached from n2 and n3") {
		t.Fatalf("cause %v", c)
	}
	if took := b.now.Sub(begun); took > 2*time.Second {
		t.Errorf("after %v", took)
	}
	b.gone(ctx0, server, benchmark)
	if r := b.job.Result(Times{}, b.now); r.FirstCause.Kind != protocol.HostLost || r.FirstCause.Subject != "host n1" {
		t.Errorf("verdict %v", r.FirstCause)
	}
}

// A host that has vanished was there as long as any of its agents was heard: what failed before came first.
func TestHostWasThere(t *testing.T) {
	for name, heard := range map[string]bool{"an agent was heard": true, "no agent was heard": false} {
		b := onHosts(t)
		b.quietly(300*time.Millisecond, gen0, gen1)
		b.exit(ctx0, protocol.Outcome{Code: 1, EndedAt: b.now})
		b.now = b.now.Add(10 * time.Millisecond)
		if heard {
			b.in(Alive{Task: gen1})
		}
		b.quietly(1300*time.Millisecond, gen0, gen1)
		b.answers(ctx0, false)
		b.answers(server, false)
		want := map[bool]roles.Task{true: ctx0, false: gen0}[heard]
		if c := b.job.Cause(); c == nil || c.Task() != want || len(b.job.attribution.Secondary()) == 0 && !heard {
			t.Errorf("%s: cause %v, want %s", name, c, want)
		}
	}
}

// In a job of two hosts the hub's own is the only one that can be asked.
func TestOfTwoHosts(t *testing.T) {
	b := onHosts(t)
	for _, task := range []roles.Task{ctx0, server} {
		b.job.tasks[task].hello.Node = "n4"
	}
	b.quietly(1300*time.Millisecond, gen0, gen1)
	b.expect("CTX_0.0 reach")
	b.answers(ctx0, false)
	if c := b.job.Cause(); c == nil || !strings.HasSuffix(c.Detail, "and its host is not reached from n4") {
		t.Errorf("cause %v", c)
	}
}

// A host is given up early only if nothing speaks for it.
func TestHostIsThere(t *testing.T) {
	all1 := []roles.Task{gen0, gen1} // of n1
	for name, tt := range map[string]struct {
		silent []roles.Task
		act    func(*bench)
		asked  bool
	}{
		"a witness reaches it": {all1, func(b *bench) {
			b.answers(ctx0, true)
			b.answers(server, false)
		}, true},
		"a witness does not answer": {all1, func(b *bench) { b.answers(ctx0, false) }, true},
		"it is heard meanwhile": {all1, func(b *bench) {
			b.in(Alive{Task: gen1})
			b.answers(ctx0, false)
			b.answers(server, false)
		}, true},
		"one of its agents is heard": {[]roles.Task{gen0}, func(*bench) {}, false},
		"somebody else answers": {all1, func(b *bench) {
			b.answers(benchmark, false)
			b.answers(gen0, false)
		}, true},
		"no two others could tell": {[]roles.Task{gen0, gen1, ctx0, server}, func(*bench) {}, false},
		"nobody knows a way to it": {all1, func(*bench) {}, false},
		"one says twice that it is not": {all1, func(b *bench) {
			b.answers(ctx0, false)
			b.answers(ctx0, false)
		}, true},
		"the hub stood still instead": {nil, func(b *bench) { b.now = b.now.Add(4 * time.Second); b.tick() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := onHosts(t)
			if name == "nobody knows a way to it" {
				b.job.tasks[gen0].hello.Listen = ""
			}
			b.quietly(1300*time.Millisecond, tt.silent...)
			if asked := len(b.take()) > 0; asked != tt.asked {
				t.Errorf("others are asked: %t", asked)
			}
			tt.act(b)
			if c := b.job.Cause(); c != nil {
				t.Errorf("cause %v", c)
			}
		})
	}
}

// A host that two others do not reach, but that is there again, is asked about anew when it falls silent again; not all
// the time while it is silent.
func TestHostIsAskedAboutAgain(t *testing.T) {
	b := onHosts(t)
	b.quietly(2*time.Second, gen0, gen1)
	b.expect("CTX_0.0 reach", "DISAGG_SERVER.0 reach")
	b.answers(ctx0, true)
	b.quietly(2*time.Second, gen0, gen1)
	b.expect("CTX_0.0 reach", "DISAGG_SERVER.0 reach")
	b.answers(ctx0, true)
	b.quietly(3*time.Second, gen0, gen1) // silence alone is enough in the end
	if c := b.job.Cause(); c == nil || c.Task() != gen0 || !strings.Contains(c.Detail, "no sign of life for 5s") {
		t.Errorf("cause %v", c)
	}
}

// An agent that stands still for a second, or whose packets are lost for a while, is asked about and not given up: its
// host answers. Its next sign of life ends the matter.
func TestPauseIsNoLoss(t *testing.T) {
	b := onHosts(t)
	for range 5 {
		b.quietly(1500*time.Millisecond, gen0, gen1)
		for _, line := range b.take() {
			if line == "CTX_0.0 reach" {
				b.answers(ctx0, true)
				b.answers(server, true)
			}
		}
		b.in(Alive{Task: gen0}, Alive{Task: gen1})
		b.quietly(2 * time.Second)
		if sent := b.take(); len(sent) > 0 {
			t.Errorf("although it is heard again: %v", sent)
		}
	}
	if c := b.job.Cause(); c != nil {
		t.Errorf("cause %v", c)
	}
}

// While the job is stopped the others leave, and with them the witnesses: the hub then tries the host itself, so that
// the nodes are not held for as long as silence alone would take.
func TestTheHubIsAWitness(t *testing.T) {
	b := onHosts(t)
	begun := b.now
	b.quietly(500*time.Millisecond, gen0, gen1)
	b.exit(server, protocol.Outcome{Started: true, Code: 1})
	b.quietly(800*time.Millisecond, gen0, gen1)
	b.take()
	b.gone(ctx0, server, benchmark) // two of them while they are asked
	b.quietly(100*time.Millisecond, gen0, gen1, ctx0, server, benchmark)
	b.expect("try GEN_0")
	b.answers(benchmark, false)
	r := b.job.Result(Times{}, b.now)
	if !b.job.Over() || r.FirstCause.Kind != protocol.HostLost || b.now.Sub(begun) > 2*time.Second {
		t.Errorf("over: %t after %v, first cause %v", b.job.Over(), b.now.Sub(begun), r.FirstCause)
	}
}

// When a witness leaves, another agent of its host is asked, and only then does the hub try itself.
func TestWitnessLeaves(t *testing.T) {
	b := onHosts(t)
	b.job.tasks[server].hello.Node = "n2"
	b.quietly(500*time.Millisecond, gen0, gen1)
	b.exit(gen1, protocol.Outcome{Started: true, Code: 137, Signal: "SIGKILL"}) // what MPI does when a rank is gone
	b.take()
	b.quietly(1300*time.Millisecond, gen0, gen1)
	b.expect("CTX_0.0 reach", "try GEN_0")
	b.answers(benchmark, false)
	b.gone(ctx0)
	b.expect("DISAGG_SERVER.0 reach")
	b.answers(server, false)
	b.gone(server, benchmark)
	r := b.job.Result(Times{}, b.now)
	if !strings.HasSuffix(r.FirstCause.Detail, "its host is not reached from n2 and n4") {
		t.Errorf("first cause %v", r.FirstCause)
	}
}
