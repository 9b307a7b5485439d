package rank_test

import (
	"testing"

	"github.com/disagg/disagg/pkg/decide/rank"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

var keep = rank.Told{Command: protocol.Command{Kind: protocol.CommandKeep, Reason: "r", Code: 5}}

// keeps is the policy of a session.
func keeps(p *plan.Plan) { p.Policy.Keep = plan.KeepAlways }

// startWith is a start with one peer.
func startWith(address string) rank.Told {
	return rank.Told{Command: protocol.Command{
		Kind: protocol.CommandStart, Peers: map[string]string{"CTX_0": address},
	}}
}

// A child that is kept stays when its rank leaves the hub, and is told to the next one when that starts it: once.
func TestKept(t *testing.T) {
	b := newBench(t, gen0, keeps).running()
	if b.rank.Free() || b.rank.Served() {
		t.Error("it has a hub")
	}
	b.in(keep)
	b.expect("part")
	if !b.rank.Free() || !b.rank.Served() || b.rank.Stopped() != "" {
		t.Error("it was not kept")
	}
	b.notOver()
	b.in(start, start)
	b.expect("tell started", "introduce")
	if got := b.told[len(b.told)-1].PID; got != 9 {
		t.Errorf("the child's id is %d", got)
	}
	b.in(stop(true, 0), rank.Ended{Outcome: stopped(0)}, rank.Done{Outcome: stopped(0)})
	b.over(0)
}

// The coordinator's agent starts another child if what it needs is elsewhere now, and says nothing of the end of the
// first. Its own stop is one like any other.
func TestReplaced(t *testing.T) {
	for name, ends := range map[string]func(*bench){
		"in order": func(b *bench) { b.in(rank.Ended{Outcome: stopped(0)}, rank.Done{Outcome: stopped(0)}) },
		"by itself, meanwhile": func(b *bench) {
			b.in(rank.Outlived{Outcome: failed}, rank.Ended{Outcome: failed}, rank.Done{Outcome: failed})
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, gen0, keeps)
			b.in(startWith("a:1"), rank.Started{PID: 9}, keep)
			b.did = nil
			b.in(startWith("a:1"))
			b.expect("tell started", "introduce")
			b.in(keep, startWith("a:2"))
			b.expect("part", "endprobes", "stop false 0s")
			ends(b)
			b.expect("start")
			b.in(rank.Started{PID: 10})
			b.expect("tell started")
			b.in(stop(true, 0), rank.Ended{Outcome: stopped(0)}, rank.Done{Outcome: stopped(0)})
			b.over(0)
		})
	}
}

// A child that is still being started when the next hub comes is told when it runs; one with other peers gives way
// then.
func TestKeptWhileStarting(t *testing.T) {
	b := newBench(t, gen0, keeps)
	b.in(startWith("a:1"), keep, startWith("a:1"))
	b.did = nil
	b.in(rank.Started{PID: 9})
	b.expect("tell started")

	b = newBench(t, gen0, keeps)
	b.in(startWith("a:1"), keep, startWith("a:2"))
	b.did = nil
	b.in(rank.Started{PID: 9})
	b.expect("endprobes", "stop false 0s")
	b.in(rank.Ended{Outcome: stopped(0)}, rank.Done{Outcome: stopped(0)})
	b.expect("start")
}

// A stop that comes while a child gives way to another counts: no other is started.
func TestStopWhileReplaced(t *testing.T) {
	b := newBench(t, gen0, keeps)
	b.in(startWith("a:1"), rank.Started{PID: 9}, keep, startWith("a:2"), stop(false, 3))
	b.did = nil
	b.in(rank.Ended{Outcome: stopped(0)}, rank.Done{Outcome: stopped(0)})
	b.expect("endprobes", "tell exited", "tell stopped")
	b.over(3)
}

// A role that was not started yet is kept too: its agent waits for the next hub.
func TestKeptBeforeTheStart(t *testing.T) {
	b := newBench(t, gen0, keeps)
	b.did = nil
	b.in(keep)
	b.expect("part")
	if b.rank.Served() {
		t.Error("it has served nobody")
	}
	b.in(start)
	b.expect("start")
}

// What cannot be kept is stopped instead: a child that has ended, and the benchmark.
func TestCannotBeKept(t *testing.T) {
	b := newBench(t, gen0, keeps).running()
	b.in(rank.Ended{Outcome: failed}, rank.Done{Outcome: failed}, keep)
	b.over(5)
	b = newBench(t, roles.Hub(), keeps).running()
	b.in(keep)
	b.expect("endprobes", "stop false 0s")
}

// A child that is kept and ends has nobody who would judge that: its rank ends with its code.
func TestDiesWhileKept(t *testing.T) {
	b := newBench(t, gen0, keeps).running()
	b.in(keep, rank.Ended{Outcome: failed}, rank.Done{Outcome: failed})
	b.over(7)
}

// A hub that is lost costs the child where nobody looks after it, and is waited for where people do.
func TestHubLostInSession(t *testing.T) {
	b := newBench(t, gen0, keeps).running()
	b.in(rank.HubLost{Why: "gone"})
	b.expect("part")
	b = newBench(t, gen0, func(p *plan.Plan) { p.Policy.Keep = plan.KeepPassed }).running()
	b.in(rank.HubLost{Why: "gone"})
	b.expect("stop false 0s")
}

// A child that is started by hand before there is a hub is told to the first one.
func TestStartedBeforeTheHub(t *testing.T) {
	b := newBench(t, gen0, func(p *plan.Plan) { keeps(p); p.Policy.Interactive = true })
	b.in(rank.Started{PID: 9})
	b.did = nil
	b.in(start)
	b.expect("tell started", "introduce")
	if b.rank.Served() {
		t.Error("it has served nobody")
	}
}
