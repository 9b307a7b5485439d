package decide

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// The view tells of each role how many of its ranks are how far, and what its leader says of the service.
func TestView(t *testing.T) {
	b := newBench(t)
	b.hello(all...)
	b.event(gen0, protocol.EventStarted)
	b.event(gen0, protocol.EventAddress)
	b.told(gen0, protocol.EventUnready, "status: 503")
	weights := protocol.Progress{What: "weights", Percent: 61, Output: b.now}
	b.progress(gen0, weights)
	v := b.job.View(b.now)
	want := protocol.RoleState{
		Role: gen0.Role, Ranks: 2, Attached: 2, Started: 1, Address: "h:1", Unready: "status: 503", Progress: &weights,
	}
	if diff := cmp.Diff(want, v.Roles[0]); diff != "" || v.Phase != protocol.Readying || v.Cause != nil ||
		v.Points == nil {
		t.Errorf("%s %s, cause %v", diff, v.Phase, v.Cause)
	}
	b.event(gen0, protocol.EventReady)
	b.exit(gen1, protocol.Outcome{Code: 3})
	b.gone(gen1)
	v = b.job.View(b.now)
	want = protocol.RoleState{
		Role: gen0.Role, Ranks: 2, Attached: 2, Started: 1, Ready: true, Exited: 1, Gone: 1, Address: "h:1",
	}
	if diff := cmp.Diff(want, v.Roles[0]); diff != "" || v.Phase != protocol.Stopping || v.Cause == nil {
		t.Errorf("%s %s, cause %v", diff, v.Phase, v.Cause)
	}
	if b.job.Host(gen1) != "n-GEN_0.1" || b.job.Host(rankOf("GEN_5", 0)) != "" {
		t.Errorf("GEN_0.1 runs on %q", b.job.Host(gen1))
	}
}

// A result's engine is what the servers say they are: each version if they do not agree. A coordinator may be another
// program.
func TestEngineVersion(t *testing.T) {
	b := newBench(t)
	b.hello(all...)
	b.told(server, protocol.EventVersion, "0.9")
	if got := b.job.Found(); got.Engine != "" || len(got.Hosts) == 0 {
		t.Errorf("%+v", got)
	}
	b.told(gen0, protocol.EventVersion, "1.3.0")
	b.told(ctx0, protocol.EventVersion, "1.3.0")
	if got := b.job.Found().Engine; got != "1.3.0" {
		t.Errorf("got %q", got)
	}
	b.told(ctx0, protocol.EventVersion, "1.2.0")
	if got := b.job.Found().Engine; got != "1.3.0, 1.2.0" {
		t.Errorf("got %q", got)
	}
}

// Every part of the job's time is told, also where nothing is known of what happened before the hub began.
func TestPhaseTimes(t *testing.T) {
	b := newBench(t)
	begun := b.now
	b.after(time.Second)
	b.hello(all...)
	b.after(2 * time.Second)
	b.event(gen0, protocol.EventAddress)
	b.event(ctx0, protocol.EventAddress)
	for _, task := range []roles.Task{gen0, ctx0, server} {
		b.event(task, protocol.EventReady)
	}
	b.event(benchmark, protocol.EventStarted)
	b.after(4 * time.Second)
	b.exit(benchmark, protocol.Outcome{})
	b.points(goodPoints()...)
	b.after(time.Second)
	known := Times{
		Submitted: begun.Add(-time.Minute), BatchStart: begun.Add(-10 * time.Second),
		Installed: begun.Add(-4 * time.Second),
	}
	tests := map[string]struct {
		times Times
		want  protocol.PhaseTimes
	}{
		"all is known": {
			known, protocol.PhaseTimes{Queue: 50, Install: 6, Launch: 5, Ready: 2, Benchmark: 4, Stop: 1},
		},
		"nothing is known": {Times{}, protocol.PhaseTimes{Launch: 1, Ready: 2, Benchmark: 4, Stop: 1}},
	}
	for name, tt := range tests {
		if diff := cmp.Diff(tt.want, b.job.Result(tt.times, b.now).Phases); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	b = benchWith(t, func(in *plan.Input) { in.Policy.Interactive = true }) // there is no preflight
	b.after(time.Second)
	b.hello(all...)
	if p := b.job.Result(Times{}, b.now).Phases; p.Launch != 1 || p.Preflight != 0 ||
		b.job.Phase() != protocol.Readying {
		t.Errorf("%s, %+v", b.job.Phase(), p)
	}
}

// A verdict names a limited number of processes that were left behind, those that could not be ended first; and it has
// the points of a benchmark that was stopped.
func TestResultIsBounded(t *testing.T) {
	b := newBench(t)
	b.measuring()
	b.exit(gen1, protocol.Outcome{Code: 3, Headline: "said with the cause"})
	o := protocol.Outcome{
		Started: true, Code: 3, Orphans: make([]protocol.Orphan, mostProcesses-1),
		Survivors: make([]protocol.Survivor, 2), Tail: []string{"x"},
	}
	for _, task := range all {
		b.report(task, protocol.Event{Kind: protocol.EventStopped, Outcome: &o})
	}
	b.job.Points(goodPoints()[:1])
	r := b.job.Result(Times{}, b.now)
	if first := r.Roles[0].Outcome; len(first.Survivors) != 2 || len(first.Orphans) != mostProcesses-2 ||
		first.Tail != nil {
		t.Errorf("%d survivors, %d orphans", len(first.Survivors), len(first.Orphans))
	}
	for _, rank := range r.Roles[1:] {
		if len(rank.Outcome.Survivors)+len(rank.Outcome.Orphans) > 0 || rank.Outcome.Headline != "" {
			t.Errorf("%s.%d: %+v", rank.Role, rank.Rank, rank.Outcome)
		}
	}
	if len(r.Points) != 1 || len(b.job.View(b.now).Points) != 1 {
		t.Errorf("points %v", r.Points)
	}
}
