package live

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// Another attempt begins with its first entry, whatever that is, and nothing of the one before is left.
func TestAttemptBeginsAnew(t *testing.T) {
	v := small()
	reach(v, protocol.Measuring, 0)
	tell(v, protocol.EntryAttached, gen, 0, 0)
	measured(v, "")
	v.State(protocol.State{Cause: &protocol.Cause{Detail: "x"}})
	v.Entry(protocol.Entry{Seq: 1, Kind: protocol.EntryAttached, Role: &ctx0, At: at(100)})
	if v.phase != "" || v.cause != nil || len(v.points)+len(v.measured) != 0 || v.find(&gen).alive() != 0 {
		t.Errorf("%+v", v)
	}
	if v.find(&ctx0).alive() != 1 || !v.launched.Equal(at(100)) {
		t.Error("what the first entry tells is lost")
	}
}

// A point that was measured again takes the place of the one before; points are in the case's order, and those that
// were not measured are not there.
func TestPointsOfView(t *testing.T) {
	v := small()
	v.plan.Case.Load.Concurrency = []int{4, 8, 16}
	for _, p := range []protocol.Point{
		{Index: 2, Concurrency: 16}, {Index: 0, Concurrency: 4, Invalid: "once"},
		{Index: 0, Concurrency: 4, Invalid: "twice"},
	} {
		v.Entry(protocol.Entry{Kind: protocol.EntryPoint, Point: &p})
	}
	if len(v.measured) != 2 || len(v.points) != 2 || v.points[0].Reason != "twice" || v.points[1].Concurrency != 16 {
		t.Errorf("%+v, %+v", v.measured, v.points)
	}
	v.Entry(protocol.Entry{Kind: protocol.EntryAgain})
	if len(v.measured)+len(v.points) != 0 {
		t.Errorf("another measurement has points of the one before: %+v", v.points)
	}
}

// state.json tells how far roles are and what the cause is; a role of which it tells nothing stays as it was.
func TestStateOfView(t *testing.T) {
	v := small()
	v.State(protocol.State{Roles: []protocol.RoleState{
		{Role: gen, Progress: &protocol.Progress{What: "weights", Percent: 3}}, {Role: ctx0},
	}})
	v.State(protocol.State{Roles: []protocol.RoleState{{Role: gen}, {Role: roles.Role{Kind: roles.Gen, Index: 9}}}})
	if got := v.find(&gen).progress.String(); got != "weights 3 %" {
		t.Errorf("%q", got)
	}
	if got := v.find(&ctx0).progress; got != (protocol.Progress{}) {
		t.Errorf("%v", got)
	}
}

// The hub's clock counts where it is ahead, by the newest of all that it has told; else the watcher's does.
func TestClocks(t *testing.T) {
	v := small()
	if got := v.by(at(5)); !got.Equal(at(5)) {
		t.Error(got)
	}
	v.Entry(protocol.Entry{At: at(20)})
	v.Entry(protocol.Entry{At: at(10)})
	if got := v.by(at(5)); !got.Equal(at(20)) {
		t.Error(got)
	}
	v.State(protocol.State{At: at(30)})
	v.State(protocol.State{})
	if got := v.by(at(5)); !got.Equal(at(30)) {
		t.Error(got)
	}
	if got := v.by(at(40)); !got.Equal(at(40)) {
		t.Error(got)
	}
}

// Entries of ranks that a role has not got change nothing, on both sides of its ranks.
func TestRanksOfRole(t *testing.T) {
	for rank, alive := range map[int]int{-1: 0, 0: 1, 3: 1, 4: 0} {
		v := small()
		tell(v, protocol.EntryAttached, gen, rank, 0)
		if got := v.find(&gen).alive(); got != alive {
			t.Errorf("rank %d: %d are there", rank, got)
		}
	}
}

// Who waits for agents, or for roles to end, names up to four of them.
func TestMissing(t *testing.T) {
	v := small()
	look := func(seconds int, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, v.Waits(at(seconds))); diff != "" {
			t.Error(diff)
		}
	}
	reach(v, protocol.Launching, 10)
	look(15, "waiting for 5 s for agents: CTX_0, CTX_1, GEN_0, coordinator, 1 more")
	look(0, "waiting for 0 s for agents: CTX_0, CTX_1, GEN_0, coordinator, 1 more")
	tell(v, protocol.EntryAttached, ctx1, 0, 11)
	tell(v, protocol.EntryAttached, bench, 0, 11)
	look(80, "waiting for 1 min for agents: CTX_0, CTX_1, GEN_0, coordinator")
	for _, r := range v.roles {
		for rank := range r.Ranks {
			tell(v, protocol.EntryAttached, r.Role, rank, 12)
		}
	}
	look(80)
	reach(v, protocol.Checking, 20)
	look(80)
	reach(v, protocol.Stopping, 30)
	tell(v, protocol.EntryBye, bench, 0, 31)
	look(90, "stopping for 1 min: CTX_0, CTX_1, GEN_0, coordinator")
	reach(v, protocol.Over, 40)
	look(90)
}

// A job that is queued says so; before its scheduler has said anything, and once it has begun, there is nothing to say.
func TestWaitsInQueue(t *testing.T) {
	v := small()
	if got := v.Waits(at(0)); got != nil {
		t.Errorf("%q", got)
	}
	v.Queue(protocol.JobState{Phase: protocol.JobQueued, Reason: "Priority"}, at(0))
	if got := v.Waits(at(60)); len(got) != 1 || got[0] != "job 17 is pending for 1 min: Priority" {
		t.Errorf("%q", got)
	}
	v.Queue(protocol.JobState{Phase: protocol.JobRunning}, at(70))
	if got := v.Waits(at(80)); got != nil {
		t.Errorf("%q", got)
	}
}

// While servers load only they are told of: a coordinator that loads waits for them, and is told of when it is alone.
func TestBusy(t *testing.T) {
	v := small()
	reach(v, protocol.Readying, 0)
	tell(v, started, coordinator, 0, 0)
	look := func(want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, v.Waits(at(60))); diff != "" {
			t.Error(diff)
		}
	}
	look("coordinator is loading for 1 min")
	tell(v, started, gen, 0, 30)
	look("GEN_0 is loading for 30 s")
	tell(v, started, bench, 0, 50)
	look("GEN_0 is loading for 30 s", "the benchmark runs for 10 s: point 1 of 2")
	tell(v, isReady, gen, 0, 55)
	tell(v, isReady, coordinator, 0, 55)
	look("the benchmark runs for 10 s: point 1 of 2")
}

// Four servers have a line each; of five, equal ones share one.
func TestBusyFolds(t *testing.T) {
	for servers, want := range map[int]int{4: 4, 5: 1} {
		v := small()
		v.plan.Layout.Placements = nil
		for i := range servers {
			v.plan.Layout.Placements = append(v.plan.Layout.Placements, roles.Placement{
				Role: roles.Role{Kind: roles.Gen, Index: i}, Ranks: 1, RanksPerNode: 1,
			})
		}
		v.begin()
		reach(v, protocol.Readying, 0)
		for i := range servers {
			tell(v, started, roles.Role{Kind: roles.Gen, Index: i}, 0, 0)
		}
		lines := v.Waits(at(60))
		if len(lines) != want {
			t.Errorf("%d servers: %q", servers, lines)
		}
		if want == 1 && lines[0] != "5 × GEN are loading for up to 1 min" {
			t.Errorf("%q", lines)
		}
	}
}

// A sentence has what is known: what is done and when something was printed, also just now.
func TestSentence(t *testing.T) {
	r := loadingRow("X", 1)
	for want, change := range map[string]func(*row){
		"X is loading for 1 min: X's, last line 3 s ago": func(*row) {},
		"X is loading for 1 min: X's, last line 0 s ago": func(r *row) { r.quiet = 0 },
		"X is loading for 1 min: X's":                    func(r *row) { r.quiet = -1 },
		"X is loading for 1 min":                         func(r *row) { r.quiet, r.note = -1, "" },
		"X is loading for 1 min: ·, last line 3 s ago":   func(r *row) { r.note = "\x1b" },
		"the benchmark runs for 2 h 0 min: X's, last line 3 s ago": func(r *row) {
			r.kind, r.spent = roles.Benchmark, 2*time.Hour
		},
		"2 × CTX are loading for up to 1 min: X's, last line 3 s ago": func(r *row) { r.roles = 2 },
	} {
		changed := r
		change(&changed)
		if got := changed.sentence(); got != want || strings.Contains(got, "\x1b") {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Words for times change where a shorter unit says too much.
func TestSpans(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Minute - 1: "59 s", time.Minute: "1 min", 2*time.Hour - 1: "119 min", 2 * time.Hour: "2 h 0 min",
		26*time.Hour + 61*time.Second: "26 h 1 min",
	} {
		if got := span(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		time.Hour - 1: "59:59", time.Hour: "1:00:00", 100*time.Hour + 65*time.Second: "100:01:05",
	} {
		if got := clock(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
