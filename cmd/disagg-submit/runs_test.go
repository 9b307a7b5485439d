package main

import (
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/runs"
)

func TestParseAge(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"7d": 7 * 24 * time.Hour, "12h": 12 * time.Hour, "90m": 90 * time.Minute, "0s": 0,
	} {
		if got, err := parseAge(text); got != want || err != nil {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "7", "-1h", "1.5d", "99999999d"} {
		if got, err := parseAge(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// A line of status says when a job may start, for how long a run has gone on, and no more than fits.
func TestPrintStatus(t *testing.T) {
	now := time.Date(2026, 11, 27, 10, 0, 0, 0, time.Local)
	list := []runs.Summary{
		{
			ID: "a3f91b", Job: "14", Text: "pending: waits for free nodes", Submitted: now.Add(-3 * time.Minute),
			Case: "c", Starts: now.Add(4 * time.Hour),
		},
		{
			ID: "77b1d0", Job: "15", Text: "pending: waits", Submitted: now.Add(-30 * time.Second), Case: "c",
			Starts: now.Add(24 * time.Hour),
		},
		{ID: "51aa07", Text: strings.Repeat("long ", 40), Ended: now.Add(-90 * time.Minute), Case: "c"},
		{ID: "51aa08", Text: "passed", Ended: now.AddDate(0, 0, -5), Case: "c"},
	}
	var out strings.Builder
	if err := printStatus(&out, list, now, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"pending: waits for free nodes, starts about 14:00 ", " 3 min ", "starts about 2026-11-28 10:00 ", " 30 s ",
		"51aa07  –    long long", "lo…", " 1 h ago ", " 5 days ago ",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// A run is called by its job where that is short and has no other run.
func TestShortName(t *testing.T) {
	one := plan.Plan{ID: "a3f91b00-1111"}
	series, part := one, one
	series.Series, part.Followed = &plan.Series{}, true
	for _, tt := range []struct {
		plan plan.Plan
		job  string
		want string
	}{
		{one, "14", "14"}, {one, "4211-88123-4026531836", "a3f91b"}, {one, "", "a3f91b"}, {series, "14", "a3f91b"},
		{part, "14", "a3f91b"},
	} {
		if got := shortName(tt.plan, tt.job); got != tt.want {
			t.Errorf("job %q: %s, want %s", tt.job, got, tt.want)
		}
	}
}

func TestFilter(t *testing.T) {
	now := time.Now()
	f := filter{glob: "sim_*", after: now.Add(-time.Hour), failed: true, tags: []string{"a"}}
	for _, tt := range []struct {
		run  protocol.KnownRun
		want bool
	}{
		{protocol.KnownRun{Case: "sim_1", At: now}, true}, {protocol.KnownRun{Case: "x", At: now}, false},
		{protocol.KnownRun{Case: "sim_1", At: now.Add(-2 * time.Hour)}, false},
	} {
		if got := f.may(tt.run); got != tt.want {
			t.Errorf("%+v: %v", tt.run, got)
		}
	}
	for _, tt := range []struct {
		run  runs.Summary
		want bool
	}{
		{runs.Summary{State: runs.Over, Verdict: protocol.Failed, Tags: []string{"b", "a"}}, true},
		{runs.Summary{State: runs.NoVerdict, Tags: []string{"a"}}, true},
		{runs.Summary{State: runs.Over, Verdict: protocol.Passed, Tags: []string{"a"}}, false},
		{runs.Summary{State: runs.Loading, Tags: []string{"a"}}, false},
		{runs.Summary{State: runs.Over, Verdict: protocol.Failed}, false},
	} {
		if got := f.fits(tt.run); got != tt.want {
			t.Errorf("%+v: %v", tt.run, got)
		}
	}
}
