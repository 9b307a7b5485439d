package telemetry_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/telemetry"
	"github.com/disagg/disagg/test/runs"
)

var gen = roles.Role{Kind: roles.Gen}

// find is the span of a name, and the name of its parent.
func find(t *testing.T, r telemetry.Run, name string) (s telemetry.Span, parent string) {
	t.Helper()
	i := slices.IndexFunc(r.Spans, func(s telemetry.Span) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("there is no span %s in\n%s", name, tree(r))
	}
	for _, p := range r.Spans {
		if p.ID == r.Spans[i].Parent {
			parent = p.Name
		}
	}
	return r.Spans[i], parent
}

// lacks checks that a run has no span of a name.
func lacks(t *testing.T, r telemetry.Run, name string) {
	t.Helper()
	if slices.ContainsFunc(r.Spans, func(s telemetry.Span) bool { return s.Name == name }) {
		t.Errorf("there is a span %s in\n%s", name, tree(r))
	}
}

// lasts checks below what a span is, and from when to when.
func lasts(t *testing.T, r telemetry.Run, name, parent, from, to string) telemetry.Span {
	t.Helper()
	s, p := find(t, r, name)
	if p != parent || since(s.Begin) != from || since(s.End) != to {
		t.Errorf("%s is below %q, from %s to %s; want %q, %s, %s",
			name, p, since(s.Begin), since(s.End), parent, from, to)
	}
	return s
}

// attribute is an attribute of a span; nil: it has none of that key.
func attribute(s telemetry.Span, key string) any {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value
		}
	}
	return nil
}

// without are a run's entries but those that are dropped.
func without(in *report.Input, drop func(protocol.Entry) bool) {
	in.Entries = slices.DeleteFunc(slices.Clone(in.Entries), drop)
}

// phaseIs tells of an entry whether it begins a phase.
func phaseIs(p protocol.Phase) func(protocol.Entry) bool {
	return func(e protocol.Entry) bool { return e.Kind == protocol.EntryPhase && e.Phase == p }
}

// of tells of an entry whether it is about a role, with one of some kinds; none: with any.
func of(role roles.Role, kinds ...protocol.EntryKind) func(protocol.Entry) bool {
	return func(e protocol.Entry) bool {
		return e.Role != nil && *e.Role == role && (len(kinds) == 0 || slices.Contains(kinds, e.Kind))
	}
}

// What is exported says which test it was, how it ended, when, and which version of the tool ran it.
func TestRunIsNamed(t *testing.T) {
	r := build(runs.Died())
	got := []any{r.Title, r.Verdict, r.Tool, since(r.End)}
	if diff := cmp.Diff([]any{"disagg-e2e-tiny_1k1k_con4", "failed", "1.2.3", "1m58s"}, got); diff != "" {
		t.Error(diff)
	}
	in := runs.Passed()
	in.Result.Verdict = ""
	if r := build(in); r.Verdict != report.NoVerdict || r.Spans[0].Status != telemetry.Failed {
		t.Errorf("without a verdict: %s, %+v", r.Verdict, r.Spans[0])
	}
}

// What a job waited for before its first phase is told if it is known, and the first phase begins where that ends: the
// hub is one of those that have to be launched.
func TestBeforeTheFirstPhase(t *testing.T) {
	for name, tt := range map[string]struct {
		submitted      time.Time
		queue, install float64
		spans          []string
		launching      string // when it begins
	}{
		"queued and installed":       {runs.Submitted, 12, 1, []string{"queued", "installing"}, "-2s"},
		"nothing to install":         {runs.Submitted, 12, 0, []string{"queued"}, "-3s"},
		"no queue":                   {runs.Submitted, 0, 1, nil, "0s"},
		"nobody knows when it began": {time.Time{}, 12, 1, nil, "0s"},
		"a submitting host whose clock is ahead": {
			runs.Submitted.Add(time.Hour), 12, 1, []string{"queued", "installing"}, "0s",
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := runs.Passed()
			in.Result.Phases.Queue, in.Result.Phases.Install = tt.queue, tt.install
			r := telemetry.Build(in, tt.submitted)
			var got []string
			for _, s := range r.Spans {
				if s.Name == "queued" || s.Name == "installing" {
					got = append(got, s.Name)
				}
			}
			if diff := cmp.Diff(tt.spans, got); diff != "" {
				t.Error(diff)
			}
			lasts(t, r, "launching", "run", tt.launching, "3s")
		})
	}
}

// That a job is over is not part of it that takes time.
func TestOverIsNoPhase(t *testing.T) {
	in := runs.Passed()
	in.Entries = append(in.Entries, protocol.Entry{
		Schema: 1, Kind: protocol.EntryPhase, Phase: protocol.Over, At: runs.At(183.8),
	})
	r := build(in)
	lacks(t, r, "over")
	lasts(t, r, "stopping", "run", "3m2s", "3m3.8s")
}

// A server loads from its start until it is ready; one that never is has failed to when that phase ends. What was never
// started does not load, nor does the benchmark.
func TestLoads(t *testing.T) {
	in := runs.Passed()
	ctx, other := roles.Role{Kind: roles.Ctx}, roles.Role{Kind: roles.Ctx, Index: 1}
	started, ready := protocol.EntryKind(protocol.EventStarted), protocol.EntryKind(protocol.EventReady)
	without(&in, of(ctx, ready))
	without(&in, of(other, started, ready))
	bench := roles.Hub().Role
	in.Entries = append(in.Entries, protocol.Entry{Schema: 1, Kind: started, Role: &bench, At: runs.At(61)})
	r := build(in)
	if s := lasts(t, r, "GEN_0 loads", "readying", "5.5s", "45s"); s.Status != telemetry.Unsaid || s.Message != "" {
		t.Errorf("%+v", s)
	}
	s := lasts(t, r, "CTX_0 loads", "readying", "5.5s", "1m0s")
	if s.Status != telemetry.Failed || s.Message != "it was not ready" {
		t.Errorf("%+v", s)
	}
	lacks(t, r, "CTX_1 loads")
	lacks(t, r, "BENCHMARK loads")
	without(&in, phaseIs(protocol.Stopping))
	lasts(t, build(in), "CTX_0 loads", "readying", "5.5s", "1m0s")
}

// A run that ended while servers loaded ends their loading too; one that never got there has none.
func TestLoadsOfARunThatEndedEarly(t *testing.T) {
	in := runs.Passed()
	without(&in, func(e protocol.Entry) bool { return e.At.After(runs.At(6)) })
	in.Result.EndedAt = runs.At(30)
	r := build(in)
	if s := lasts(t, r, "GEN_0 loads", "readying", "5.5s", "30s"); s.Status != telemetry.Failed {
		t.Errorf("%+v", s)
	}
	without(&in, phaseIs(protocol.Readying))
	lacks(t, build(in), "GEN_0 loads")
}

// A point stands below the phase in which it was measured, or, where the journal lacks that, below the run.
func TestPoints(t *testing.T) {
	in := runs.Passed()
	lasts(t, build(in), "concurrency 16", "measuring", "1m40s", "2m20s")
	without(&in, phaseIs(protocol.Measuring))
	lasts(t, build(in), "concurrency 16", "run", "1m40s", "2m20s")
}

// measured lists the spans of points: the number of the measurement, the point's, and its throughput.
func measured(r telemetry.Run) (list []string) {
	for _, s := range r.Spans {
		if number := attribute(s, "disagg.point.measurement"); number != nil {
			list = append(list, fmt.Sprint(number, ": ", attribute(s, "disagg.point.index"), ": ",
				attribute(s, "disagg.point.token_throughput")))
		}
	}
	return list
}

// The spans of points are those that the journal and the verdict both have: each with the values of its own
// measurement.
func TestPointsOfTheVerdict(t *testing.T) {
	in := runs.Passed()
	in.Plan.Case.Load.Concurrency = nil
	in.Result.Points = slices.Delete(slices.Clone(in.Result.Points), 0, 1)
	again := in.Result.Points[0]
	again.Measurement, again.Metrics = 1, map[string]float64{"token_throughput": 399}
	in.Result.Add(again)
	other, later := again, again
	other.Index, later.Measurement = 7, 2
	for i, pt := range []protocol.Point{again, other, later} {
		in.Entries = append(in.Entries, protocol.Entry{
			Schema: 1, At: runs.At(181 + float64(i)/10), Kind: protocol.EntryPoint, Point: &pt,
		})
	}
	want := []string{"1: 1: 1600", "1: 2: 6400", "2: 1: 399"}
	if diff := cmp.Diff(want, measured(build(in))); diff != "" {
		t.Error(diff)
	}
}

// A point that does not count has failed, and says why.
func TestInvalidPoint(t *testing.T) {
	s, _ := find(t, build(runs.Invalid()), "concurrency 64")
	if s.Status != telemetry.Failed || s.Message != "it does not count: 11 of 512 requests failed" ||
		attribute(s, "disagg.point.failed_requests") != 11 || attribute(s, "disagg.point.measurement") != 1 {
		t.Errorf("%+v", s)
	}
}

// A role lives from its first agent, or its start where no agent is known to have come, to its last process, or to the
// end of the run where none was seen to end. One that was never seen has no life.
func TestRoles(t *testing.T) {
	attached, exited := protocol.EntryAttached, protocol.EntryKind(protocol.EventExited)
	in := runs.Passed()
	lasts(t, build(in), "GEN_0", "run", "1s", "3m3.5s")
	without(&in, of(gen, exited))
	lasts(t, build(in), "GEN_0", "run", "1s", "3m4s")
	without(&in, of(gen, attached))
	s := lasts(t, build(in), "GEN_0", "run", "5.5s", "3m4s")
	var events []string
	for _, e := range s.Events {
		events = append(events, e.Name+" "+since(e.At))
	}
	if got := strings.Join(events, ", "); got != "started 5.5s, ready 45s" || s.Status != telemetry.Unsaid {
		t.Errorf("%+v", s)
	}
	without(&in, of(gen, protocol.EntryKind(protocol.EventStarted)))
	lacks(t, build(in), "GEN_0")
}
