package decide

import (
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// A rank that crashes may take a while to end: it failed when another ended well because of it, and what is killed
// between the two is no cause.
func TestCrashTakesItsTime(t *testing.T) {
	now := time.Unix(1000, 0)
	fact := func(rank int, at time.Duration, kind protocol.CauseKind) Fact {
		return Fact{Since: now.Add(at), Cause: protocol.Cause{Role: gen0.Role, Rank: rank, Kind: kind}}
	}
	early, crash := fact(1, 0, protocol.ChildExit), fact(2, 200*time.Millisecond, protocol.ChildExit)
	kill := fact(3, 80*time.Millisecond, protocol.ChildSignal)
	early.LetGo, kill.Weak = true, true
	a := Attribution{DependsOn: func(roles.Role, roles.Role) bool { return false }}
	a.Presume(early, settle, now)
	a.Observe(crash)
	a.Observe(kill)
	if f := a.Verdict(); f.Rank != crash.Rank {
		t.Errorf("%v", f)
	}
}

// A kill that was not seen, because its agent stood still, is taken for the consequence of what failed in its role
// before it was found, whoever is heard first. A crash is nobody's, and another role's failure may be its own.
func TestUnseenKill(t *testing.T) {
	now := time.Unix(1000, 0)
	kill := Fact{
		Since: now, By: now.Add(2 * time.Second), Weak: true,
		Cause: protocol.Cause{Role: gen0.Role, Rank: 3, Kind: protocol.ChildSignal},
	}
	seen := kill
	seen.By = time.Time{}
	crash := func(of roles.Task, at time.Duration) Fact {
		return Fact{
			Since: now.Add(at), Cause: protocol.Cause{Role: of.Role, Rank: of.Rank, Kind: protocol.ChildExit},
		}
	}
	loss := Fact{
		Since: now.Add(time.Second), Loss: true, Weak: true,
		Cause: protocol.Cause{Role: gen1.Role, Rank: 1, Kind: protocol.AgentLost},
	}
	leader, asked := kill, crash(gen0, time.Second)
	leader.Rank, asked.Kind = 0, protocol.CauseCancelled
	ended, letGo, silent := loss, crash(gen1, time.Second), crash(gen0, time.Second)
	ended.StepEnds, letGo.LetGo, silent.Kind = true, true, protocol.HealthLost
	for name, tt := range map[string]struct {
		kill, other Fact
		first       bool // the kill is
	}{
		"a rank crashed meanwhile":              {kill, crash(gen1, time.Second), false},
		"a rank crashed afterwards":             {kill, crash(gen1, 2*time.Second), true},
		"a rank crashed, and the kill was seen": {seen, crash(gen1, time.Second), true},
		"an agent was lost meanwhile":           {kill, loss, false},
		"an agent was lost with its step":       {kill, ended, true},
		"a rank ended well meanwhile":           {kill, letGo, false},
		"its launcher let a rank go meanwhile":  {leader, letGo, true},
		"its step was asked to end meanwhile":   {kill, asked, false},
		"a service was silent meanwhile":        {kill, silent, true},
		"another role crashed meanwhile":        {kill, crash(ctx0, time.Second), true},
	} {
		for _, order := range [][2]Fact{{tt.kill, tt.other}, {tt.other, tt.kill}} {
			a := Attribution{DependsOn: func(roles.Role, roles.Role) bool { return false }}
			a.Observe(order[0])
			a.Observe(order[1])
			if got := a.Verdict(); (got.Kind == protocol.ChildSignal) != tt.first {
				t.Errorf("%s: %v, after %v", name, got, order[0].Cause)
			}
		}
	}
}

// In whatever order they are heard: what a kill that nobody saw may be because of, and what came before that.
func TestUnseenKillInAnyOrder(t *testing.T) {
	now := time.Unix(1000, 0)
	kill := Fact{
		Since: now, By: now.Add(2 * time.Second), Weak: true,
		Cause: protocol.Cause{Role: gen0.Role, Rank: 1, Kind: protocol.ChildSignal},
	}
	crash := func(of roles.Task, at time.Duration) Fact {
		return Fact{Since: now.Add(at), Cause: protocol.Cause{Role: of.Role, Kind: protocol.ChildExit}}
	}
	first, then := crash(ctx0, 700*time.Millisecond), crash(gen0, 1500*time.Millisecond)
	for _, order := range [][]Fact{
		{kill, first, then}, {kill, then, first}, {first, kill, then}, {first, then, kill}, {then, kill, first},
		{then, first, kill},
	} {
		a := Attribution{DependsOn: func(roles.Role, roles.Role) bool { return false }}
		for _, f := range order {
			a.Observe(f)
		}
		if got := a.Verdict(); got.Role != first.Role || len(a.Secondary()) != 2 {
			t.Errorf("%v, %v", got, a.Secondary())
		}
	}
}

// What may follow from the cause is not taken for a cause because it may follow from something before that as well.
func TestUnseenEndOfSeveralCauses(t *testing.T) {
	now := time.Unix(1000, 0)
	fact := func(of roles.Task, at, by time.Duration) Fact {
		return Fact{
			Since: now.Add(at), By: now.Add(by),
			Cause: protocol.Cause{Role: of.Role, Rank: of.Rank, Kind: protocol.ChildExit},
		}
	}
	needs := func(r, other roles.Role) bool {
		return r == benchmark.Role || r == server.Role && other == gen0.Role
	}
	a := Attribution{DependsOn: needs}
	a.Observe(fact(server, 0, 0))
	a.Observe(fact(gen1, settle/2, 0)) // which the server needs
	a.Observe(fact(benchmark, -time.Second, time.Second))
	if got := a.Verdict(); got.Task() != gen1 {
		t.Errorf("%v", got)
	}
}

// An agent that vanished in a pause of the hub before the one that was too long is not why.
func TestHubStoodStillTwice(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.after(time.Second)
	b.now = b.now.Add(2200 * time.Millisecond)
	b.in(Broke{Task: ctx0})
	b.after(b.job.plan.Timeouts.Lost.Std()+time.Second, ctx0)
	b.now = b.now.Add(8 * time.Second)
	b.in(Broke{Task: gen0, GaveUp: true})
	if got := b.job.Cause(); got == nil || got.Kind != protocol.AgentLost || got.Task() != ctx0 {
		t.Errorf("%v", got)
	}
}

// What an agent says of a pause in which it gave the hub up counts for that pause, also after another one.
func TestPauseAfterAPause(t *testing.T) {
	b := newBench(t)
	b.givenUpWhileLetIn()
	b.after(time.Second, gen0)
	b.now = b.now.Add(2500 * time.Millisecond)
	b.after(15*time.Second, gen0)
	want := "BENCHMARK.0 on n-BENCHMARK.0: lost: it did not run for 8s, and GEN_0.0 gave it up"
	if got := b.job.Cause(); got == nil || got.String() != want {
		t.Errorf("%v", got)
	}
}

// The benchmark ends while the hub stands still, its agent, which finds it when it goes on, before or after what it is
// because of: an agent gave the hub up, or a server ended.
func TestBenchmarkEndsUnseen(t *testing.T) {
	for name, c := range map[string]struct {
		pause time.Duration
		why   func(*bench)
		kind  protocol.CauseKind
		task  roles.Task
	}{
		"an agent gave the hub up": {
			8 * time.Second, func(b *bench) { b.in(Broke{Task: gen0, GaveUp: true}) }, protocol.HubLost, benchmark,
		},
		"a server ended": {
			4 * time.Second, func(b *bench) { b.endsAgo(gen0, 2*time.Second, time.Time{}) }, protocol.ChildExit, gen0,
		},
	} {
		ends := func(b *bench) { b.endsAgo(benchmark, c.pause+endsBefore, b.now) }
		for _, order := range [][]func(*bench){{ends, c.why}, {c.why, ends}} {
			b := newBench(t)
			b.measuring()
			b.after(9 * time.Second)
			b.now = b.now.Add(c.pause)
			for _, act := range order {
				act(b)
			}
			b.after(partitionBound + time.Second)
			if got := b.job.Cause(); got == nil || got.Kind != c.kind || got.Task() != c.task {
				t.Errorf("%s: %v", name, got)
			}
		}
	}
}

// endsBefore is how long before a pause a process was last seen alive.
const endsBefore = 50 * time.Millisecond

// endsAgo is the end of a child with code 1, some time ago and not later than at another moment, by an exact clock.
func (b *bench) endsAgo(t roles.Task, ago time.Duration, by time.Time) {
	b.job.tasks[t].clock = &hostClock{}
	b.job.tasks[t].hears(b.now, b.now)
	b.exit(t, protocol.Outcome{Code: 1, EndedAt: b.now.Add(-ago), EndedBy: by})
}
