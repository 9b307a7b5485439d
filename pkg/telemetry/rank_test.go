package telemetry_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/telemetry"
	"github.com/disagg/disagg/test/runs"
)

// failing is a run in which the first rank of CTX_1 failed too, after the cause of all.
func failing(change func(in *report.Input, o *protocol.RankOutcome)) report.Input {
	in := runs.Died()
	other := roles.Role{Kind: roles.Ctx, Index: 1}
	i := slices.IndexFunc(in.Result.Roles, func(o protocol.RankOutcome) bool { return o.Role == other })
	o := &in.Result.Roles[i]
	o.Cause, o.Host, o.FirstSeen, o.LastSeen = protocol.ChildSignal, "n3", runs.At(2), runs.At(116)
	o.Outcome = &protocol.Outcome{Started: true, Code: 137, Signal: "SIGKILL"}
	if change != nil {
		change(&in, o)
	}
	return in
}

// A rank that failed is told with where it ran and how it ended; only that of the first cause tells the cause.
func TestRankThatFailed(t *testing.T) {
	r := build(failing(nil))
	s := lasts(t, r, "CTX_1.0", "CTX_1", "1s", "1m56s")
	want := []telemetry.Attribute{
		{Key: "disagg.role", Value: "CTX_1"}, {Key: "disagg.host", Value: "n3"},
		{Key: "disagg.cause", Value: "child_signal"}, {Key: "disagg.rank", Value: 0}, {Key: "disagg.code", Value: 137},
		{Key: "disagg.peak_rss_bytes", Value: 0}, {Key: "disagg.signal", Value: "SIGKILL"},
	}
	if diff := cmp.Diff(want, s.Attributes); diff != "" {
		t.Error(diff)
	}
	if s.Status != telemetry.Failed || s.Message != "CTX_1.0: child_signal" || len(s.Events) > 0 {
		t.Errorf("%+v", s)
	}
	if role, _ := find(t, r, "CTX_1"); role.Status != telemetry.Failed || role.Message != s.Message {
		t.Errorf("its role: %+v", role)
	}
	if first, _ := find(t, r, "GEN_0.1"); len(first.Events) != 1 || first.Events[0].Name != "exception" {
		t.Errorf("the first to fail: %+v", first)
	}
	lacks(t, r, "CTX_0.0")
}

// When a rank was there is what the journal says, else what the verdict does, else the whole run; of several ends the
// last counts, of several arrivals the first.
func TestTimesOfARank(t *testing.T) {
	other := roles.Role{Kind: roles.Ctx, Index: 1}
	add := func(in *report.Input, kind protocol.EntryKind, seconds float64) {
		in.Entries = append(in.Entries, protocol.Entry{Schema: 1, Kind: kind, Role: &other, At: runs.At(seconds)})
	}
	type input = report.Input
	type outcome = protocol.RankOutcome
	for name, tt := range map[string]struct {
		change   func(*input, *outcome)
		from, to string
	}{
		"the journal has when it ended": {
			func(in *input, _ *outcome) { add(in, protocol.EntryKind(protocol.EventExited), 115.5) }, "1s", "1m55.5s",
		},
		"it was lost after its end": {
			func(in *input, _ *outcome) {
				add(in, protocol.EntryKind(protocol.EventExited), 115.5)
				add(in, protocol.EntryLost, 116.5)
			}, "1s", "1m56.5s",
		},
		"its agent came again": {
			func(in *input, _ *outcome) { add(in, protocol.EntryAttached, 50) }, "1s", "1m56s",
		},
		"the journal does not have its agent": {
			func(in *input, _ *outcome) { without(in, of(other, protocol.EntryAttached)) }, "2s", "1m56s",
		},
		"nobody has": {
			func(in *input, o *outcome) {
				without(in, of(other, protocol.EntryAttached))
				o.FirstSeen, o.LastSeen = time.Time{}, time.Time{}
			}, "0s", "1m58s",
		},
	} {
		t.Run(name, func(t *testing.T) {
			lasts(t, build(failing(tt.change)), "CTX_1.0", "CTX_1", tt.from, tt.to)
		})
	}
}

// Of another rank of its role, and of its rank in another role, no time is taken.
func TestTimesOfOtherRanks(t *testing.T) {
	in := runs.Died()
	ctx := roles.Role{Kind: roles.Ctx}
	for _, e := range []protocol.Entry{
		{Role: &gen, Rank: 0, Kind: protocol.EntryLost, At: runs.At(117)},
		{Role: &ctx, Rank: 1, Kind: protocol.EntryLost, At: runs.At(117)},
		{Kind: protocol.EntryLost, Rank: 1, At: runs.At(117)},
	} {
		e.Schema = 1
		in.Entries = append(in.Entries, e)
	}
	lasts(t, build(in), "GEN_0.1", "GEN_0", "1s", "1m55s")
}

// A rank of whose role nothing was seen stands below the run: it has no parent otherwise.
func TestRankThatWasNeverSeen(t *testing.T) {
	other := roles.Role{Kind: roles.Ctx, Index: 1}
	r := build(failing(func(in *report.Input, o *protocol.RankOutcome) {
		kinds := []protocol.EntryKind{protocol.EntryAttached, protocol.EntryKind(protocol.EventStarted)}
		without(in, of(other, kinds...))
		o.Cause, o.Outcome = protocol.NeverStarted, nil
	}))
	lacks(t, r, "CTX_1")
	s := lasts(t, r, "CTX_1.0", "run", "2s", "1m56s")
	if attribute(s, "disagg.code") != nil || s.Message != "CTX_1.0: never_started" {
		t.Errorf("what nobody saw is told: %+v", s)
	}
}

// What a rank has printed does nothing to whoever shows it.
func TestWhatARankSaysIsHarmless(t *testing.T) {
	r := build(failing(func(_ *report.Input, o *protocol.RankOutcome) {
		o.Host, o.Outcome.Signal, o.Outcome.Headline = "n\x1b3", "SIG\x07", "lost \x1b[31mall"
	}))
	s, _ := find(t, r, "CTX_1.0")
	if s.Message != "CTX_1.0: child_signal: lost ·[31mall" || attribute(s, "disagg.host") != "n·3" ||
		attribute(s, "disagg.signal") != "SIG·" {
		t.Errorf("%+v", s)
	}
}

// A cause that names a subject, such as a host, is nobody's own: the rank that told it has not caused it.
func TestCauseOfASubject(t *testing.T) {
	in := runs.Died()
	in.Result.FirstCause.Subject, in.Result.FirstCause.Kind = "host n2", protocol.HostLost
	r := build(in)
	if s, _ := find(t, r, "GEN_0.1"); len(s.Events) > 0 || s.Status != telemetry.Failed {
		t.Errorf("the rank: %+v", s)
	}
	if root := r.Spans[0]; len(root.Events) != 1 || root.Status != telemetry.Failed {
		t.Errorf("the run: %+v", root)
	}
}

// The run holds all that belongs to it, also what was seen after its end or before its begin; what would end before it
// began lasts no time.
func TestRunHoldsItsSpans(t *testing.T) {
	in := failing(func(in *report.Input, _ *protocol.RankOutcome) {
		other := roles.Role{Kind: roles.Ctx, Index: 1}
		in.Entries = append(in.Entries, protocol.Entry{
			Schema: 1, Kind: protocol.EntryLost, Role: &other, At: runs.At(130),
		})
		in.Entries = append(in.Entries, protocol.Entry{
			Schema: 1, Kind: protocol.EntryLost, Role: &gen, Rank: 1, At: runs.At(-100),
		})
	})
	r := build(in)
	lasts(t, r, "run", "", "-1m40s", "2m10s")
	lasts(t, r, "CTX_1.0", "CTX_1", "1s", "2m10s")
	lasts(t, r, "GEN_0.1", "GEN_0", "1s", "1s")
}
