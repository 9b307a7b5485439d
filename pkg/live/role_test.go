package live

import (
	"slices"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

var (
	gen         = roles.Role{Kind: roles.Gen}
	ctx0        = roles.Role{Kind: roles.Ctx}
	ctx1        = roles.Role{Kind: roles.Ctx, Index: 1}
	coordinator = roles.Role{Kind: roles.Coordinator}
	bench       = roles.Role{Kind: roles.Benchmark}
	begun       = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
)

const (
	started  = protocol.EntryKind(protocol.EventStarted)
	isReady  = protocol.EntryKind(protocol.EventReady)
	exited   = protocol.EntryKind(protocol.EventExited)
	stopped  = protocol.EntryKind(protocol.EventStopped)
	progress = protocol.EntryKind(protocol.EventProgress)
)

// small is the view of a job of five roles, of two points.
func small() *View {
	p := plan.Plan{Timeouts: roles.Timeouts{Job: roles.Duration(time.Hour)}}
	p.Case.Name, p.Case.Load = "c", roles.Load{Concurrency: []int{4, 8}}
	p.Layout = roles.Layout{GPUsPerNode: 4, TotalNodes: 2, Placements: []roles.Placement{
		{Role: gen, Nodes: 1, Ranks: 4, RanksPerNode: 4, GPUs: 4}, {Role: ctx0, Ranks: 2, RanksPerNode: 2, GPUs: 2},
		{Role: ctx1, Ranks: 2, RanksPerNode: 2, GPUs: 2}, {Role: coordinator, Ranks: 1}, {Role: bench, Ranks: 1},
	}}
	p.Recipe.Roles = map[roles.Kind]recipe.RoleSpec{
		roles.Coordinator: {Needs: recipe.Needs{Address: []roles.Kind{roles.Gen, roles.Ctx}}},
	}
	return New(p, "17")
}

// at is a moment of the job, in seconds.
func at(seconds int) time.Time { return begun.Add(time.Duration(seconds) * time.Second) }

// tell tells a view of a rank of a role.
func tell(v *View, kind protocol.EntryKind, r roles.Role, rank, seconds int) {
	v.Entry(protocol.Entry{Kind: kind, Role: &r, Rank: rank, At: at(seconds), Host: "n1"})
}

// reach has a phase begin.
func reach(v *View, p protocol.Phase, seconds int) {
	v.Entry(protocol.Entry{Kind: protocol.EntryPhase, Phase: p, At: at(seconds)})
}

// A role is as far as its ranks are, step by step, and back when its agent arrives anew.
func TestStates(t *testing.T) {
	v := small()
	r := v.find(&ctx0)
	for _, step := range []struct {
		kind  protocol.EntryKind
		rank  int
		want  string
		alive int
	}{
		{protocol.EntryAttached, 0, "arriving", 1}, {protocol.EntryAttached, 1, "waits", 2},
		{started, 1, "waits", 2}, {started, 0, "loading", 2}, {isReady, 0, "ready", 2}, {started, 0, "loading", 2},
		{isReady, 0, "ready", 2}, {exited, 0, "ready", 1}, {stopped, 1, "ended", 0},
		{protocol.EntryAttached, 1, "ready", 1},
		{protocol.EntryBye, 1, "ended", 0}, {protocol.EntryAttached, 0, "ready", 1},
		{protocol.EntryLost, 0, "ended", 0},
		{protocol.EntryStep, 0, "ended", 0},
	} {
		tell(v, step.kind, ctx0, step.rank, 0)
		if got := r.state().String(); got != step.want || r.alive() != step.alive {
			t.Errorf("after %s of %d: %s with %d alive, want %s with %d", step.kind, step.rank, got, r.alive(),
				step.want, step.alive)
		}
	}
	if got := v.find(&ctx1).state().String(); got != "absent" {
		t.Errorf("what happens to one role happens to another: it is %s", got)
	}
}

// The job's end is that of every role, whatever it did; a further phase, as of another measurement, takes that back.
func TestStopping(t *testing.T) {
	v := small()
	tell(v, protocol.EntryAttached, bench, 0, 0)
	tell(v, started, bench, 0, 1)
	for phase, want := range map[protocol.Phase]string{
		protocol.Measuring: "runs", protocol.Stopping: "stopping", protocol.Over: "stopping",
	} {
		reach(v, phase, 2)
		if got := v.find(&bench).state().String(); got != want {
			t.Errorf("%s: it %s, want %s", phase, got, want)
		}
	}
	tell(v, exited, bench, 0, 3)
	if got := v.find(&bench).state(); got != ended {
		t.Errorf("it %s", got)
	}
}

// A server's time is that of its loading, then what that took; a benchmark's is that of its running.
func TestSpent(t *testing.T) {
	v := small()
	r := v.find(&ctx0)
	if got := r.spent(at(9)); got != 0 {
		t.Errorf("it waits for %v", got)
	}
	tell(v, started, ctx0, 0, 10)
	tell(v, started, ctx0, 1, 20) // the first rank counts
	if got := r.spent(at(40)); got != 30*time.Second {
		t.Errorf("it loads for %v", got)
	}
	if got := r.spent(at(5)); got != 0 {
		t.Errorf("by a clock that is behind it loads for %v", got)
	}
	tell(v, isReady, ctx0, 0, 50)
	if got := r.spent(at(99)); got != 40*time.Second {
		t.Errorf("it was ready after %v", got)
	}
	tell(v, isReady, ctx1, 0, 50) // nobody has told that it was started
	if got := v.find(&ctx1).spent(at(99)); got != 0 {
		t.Errorf("it was ready after %v", got)
	}
	tell(v, started, bench, 0, 60)
	if got := v.find(&bench).spent(at(65)); got != 5*time.Second {
		t.Errorf("it runs for %v", got)
	}
}

// Only who loads, or runs, can be quiet, and only from when something was printed.
func TestQuiet(t *testing.T) {
	v := small()
	r := v.find(&gen)
	said := protocol.Entry{Kind: progress, Role: &gen, Progress: &protocol.Progress{Output: at(20)}, At: at(21)}
	v.Entry(said)
	if _, known := r.quiet(at(25)); known {
		t.Error("it has not begun")
	}
	tell(v, started, gen, 0, 10)
	if got, known := r.quiet(at(25)); !known || got != 5*time.Second {
		t.Errorf("%v, %v", got, known)
	}
	if got, known := r.quiet(at(15)); !known || got != 0 {
		t.Errorf("by a clock that is behind: %v, %v", got, known)
	}
	said.Progress = &protocol.Progress{What: "weights"}
	v.Entry(said)
	if _, known := r.quiet(at(25)); known {
		t.Error("it has never printed anything")
	}
	tell(v, isReady, gen, 0, 30)
	v.Entry(protocol.Entry{Kind: progress, Role: &gen, Progress: &protocol.Progress{Output: at(20)}, At: at(31)})
	if _, known := r.quiet(at(35)); known {
		t.Error("who serves may be quiet")
	}
}

// Hosts are named once each, as they come, without those that are not known.
func TestHosts(t *testing.T) {
	v := small()
	for rank, host := range []string{"n2", "", "n1", "n2"} {
		v.Entry(protocol.Entry{Kind: protocol.EntryAttached, Role: &gen, Rank: rank, Host: host})
	}
	if got := v.find(&gen).hosts(); !slices.Equal(got, []string{"n2", "n1"}) {
		t.Errorf("%v", got)
	}
}

// A role that waits says for whom: those whose address it needs, or who must serve; the benchmark waits for all.
func TestWaitsFor(t *testing.T) {
	v := small()
	note := func(r roles.Role) string { return v.note(v.find(&r)) }
	for _, r := range []roles.Role{coordinator, bench, ctx0} {
		tell(v, protocol.EntryAttached, r, 0, 0)
	}
	tell(v, protocol.EntryAttached, ctx0, 1, 0)
	reach(v, protocol.Launching, 1)
	if got := note(coordinator); got != "" {
		t.Errorf("before anything is started it waits %q", got)
	}
	for _, phase := range []protocol.Phase{protocol.Readying, protocol.Measuring} {
		reach(v, phase, 2)
		if got := note(coordinator); got != "for CTX_0 and 2 others" {
			t.Errorf("%s: %q", phase, got)
		}
	}
	if got := note(bench); got != "for CTX_0 and 3 others" {
		t.Errorf("%q", got)
	}
	if got := note(ctx0); got != "" {
		t.Errorf("who needs nobody waits %q", got)
	}
	for i, want := range []string{"for CTX_1 and GEN_0", "for GEN_0", ""} {
		r := []roles.Role{ctx0, ctx1, gen}[i]
		tell(v, isReady, r, 0, 3)
		if got := note(coordinator); got != want {
			t.Errorf("with %s ready: %q, want %q", r, got, want)
		}
	}
	if got := note(bench); got != "for coordinator" {
		t.Errorf("%q", got)
	}
}

// The benchmark tells which point is measured, never more than there are; where there are none it tells nothing.
func TestPointsOfBenchmark(t *testing.T) {
	v := small()
	r := v.find(&bench)
	tell(v, started, bench, 0, 0)
	for i, want := range []string{"point 1 of 2", "point 2 of 2", "point 2 of 2"} {
		if got := v.note(r); got != want {
			t.Errorf("%d: %q, want %q", i, got, want)
		}
		v.Entry(protocol.Entry{Kind: protocol.EntryPoint, Point: &protocol.Point{Index: i % 2, Concurrency: 4}})
	}
	v.plan.Case.Load.AccuracyOnly = true
	if got := v.note(r); got != "" {
		t.Errorf("of a case that measures accuracy alone: %q", got)
	}
}

// Roles are called as people call them, and come in the order in which a job needs them.
func TestRolesOfView(t *testing.T) {
	var names []string
	for _, r := range small().roles {
		names = append(names, name(r.Role))
	}
	if want := []string{"CTX_0", "CTX_1", "GEN_0", "coordinator", "benchmark"}; !slices.Equal(names, want) {
		t.Errorf("%v", names)
	}
}
