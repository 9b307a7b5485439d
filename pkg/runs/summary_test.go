package runs

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

// facts are those of a run of two servers that was planned at a time.
func facts(planned time.Time) Facts {
	f := Facts{Dir: "/w/runs/x"}
	f.Plan = plan.Plan{ID: "a3f91b00-1111", CreatedAt: planned, Case: roles.Case{
		Name: "c", TestID: "t", Settings: []roles.Setting{{Key: "k", Value: "v"}},
		Load:    roles.Load{Concurrency: []int{4}},
		Servers: map[roles.Kind]roles.Server{roles.Gen: {Count: 1, GPUs: 4}, roles.Ctx: {Count: 2, GPUs: 2}},
	}}
	f.Plan.Provenance = protocol.Provenance{Tags: []string{"nightly"}, Note: "a\x1b[31mnote", Engine: "1.2"}
	return f
}

// A summary has what the plan says, and what submitting, the hub and the result know better.
func TestSummary(t *testing.T) {
	planned := time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)
	f := facts(planned)
	want := Summary{
		ID: "a3f91b", RunID: "a3f91b00-1111", Dir: "/w/runs/x", Case: "c", TestID: "t", Submitted: planned,
		State: NotSubmitted, Text: "not submitted", ExitCode: 75, GPUs: 8, Engine: "1.2", Tags: []string{"nightly"},
		Note: "a·[31mnote", Settings: f.Plan.Case.Settings,
	}
	if diff := cmp.Diff(want, Summarize(f)); diff != "" {
		t.Error(diff)
	}
	f.Submission = &protocol.Submission{JobID: "14", At: planned.Add(time.Minute)}
	f.Hub = hub(protocol.Measuring, nil)
	f.Result = &protocol.Result{
		Verdict: protocol.Failed, ExitCode: 124, EndedAt: planned.Add(time.Hour), Points: []protocol.Point{{
			Concurrency: 4, Successful: 8, Metrics: map[string]float64{"token_throughput": 800, "mean_tpot": 10},
		}},
	}
	f.Records = []results.Record{{GPUs: 6, Provenance: protocol.Provenance{Engine: "1.3"}}}
	got := Summarize(f)
	if got.Job != "14" || !got.Submitted.Equal(planned.Add(time.Minute)) || !got.Ended.Equal(planned.Add(time.Hour)) ||
		len(got.Roles) != 4 || got.GPUs != 6 || got.Engine != "1.3" || got.Best == nil || got.Best.Concurrency != 4 ||
		got.Verdict != protocol.Failed || got.ExitCode != 124 || got.State != Over {
		t.Errorf("%+v", got)
	}
}

// A word of the scheduler's acts on no terminal.
func TestTextIsPrintable(t *testing.T) {
	f := facts(time.Time{})
	f.Submission, f.Fault = &protocol.Submission{}, "squeue: \x1b]0;title\x07"
	if got := Summarize(f).Text; got != "unknown: squeue: ·]0;title·" {
		t.Errorf("%q", got)
	}
}

// What cannot come is told only of what waits for it.
func TestNever(t *testing.T) {
	f := facts(time.Time{})
	f.Submission = &protocol.Submission{}
	for phase, want := range map[protocol.JobPhase]bool{protocol.JobQueued: true, protocol.JobRunning: false} {
		f.Job = protocol.JobState{Phase: phase, Never: true}
		if got := Summarize(f).Never; got != want {
			t.Errorf("%v: %v", phase, got)
		}
	}
}

// All measurements of a run are its points.
func TestPointsOfAllMeasurements(t *testing.T) {
	f := Facts{Hub: hub(protocol.Measuring, nil)}
	f.Plan.Case.Load.Concurrency = []int{1, 2}
	for measurements, want := range map[int]string{0: "1 of 2", 1: "1 of 2", 3: "1 of 6"} {
		f.Plan.Policy.Measurements = measurements
		if got := Summarize(f).Text; got != "measuring: "+want+" points" {
			t.Errorf("%d measurements: %s", measurements, got)
		}
	}
}

// A run is over when there is a verdict, or can be none any more: nobody waits for it then, and for all others one may.
func TestIsOver(t *testing.T) {
	for _, s := range States() {
		if got, want := s.IsOver(), s == "over" || s == "no_verdict"; got != want {
			t.Errorf("%s: %v", s, got)
		}
	}
}

// A run that cannot be read is in the list all the same, with what is known of it and why.
func TestUnreadable(t *testing.T) {
	at := time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)
	k := protocol.KnownRun{At: at, ID: "a3f91b00-1111", Dir: "/w/x", Job: "14", Case: "c"}
	want := Summary{
		ID: "a3f91b", RunID: "a3f91b00-1111", Job: "14", Dir: "/w/x", Case: "c", Submitted: at, State: Unknown,
		Text: "unknown: its plan is cut", ExitCode: 75,
	}
	if diff := cmp.Diff(want, Unreadable(k, "its plan is cut")); diff != "" {
		t.Error(diff)
	}
}

// The title of a variant has its settings, and nothing that a terminal acts on.
func TestTitle(t *testing.T) {
	s := Summary{Case: "c\x07", Settings: []roles.Setting{{Key: "k", Value: "v"}}}
	if got := s.Title(); !strings.HasPrefix(got, "c·") || !strings.Contains(got, "k=v") {
		t.Errorf("%q", got)
	}
}

// What is not known is absent from JSON, so that nobody reads a zero for a fact.
func TestJSONOfUnknowns(t *testing.T) {
	data, err := json.Marshal(Summary{State: Unknown})
	want := `{"id":"","run_id":"","dir":"","case":"","test_id":"","state":"unknown","text":"","exit_code":0}`
	if err != nil || string(data) != want {
		t.Errorf("%v: %s", err, data)
	}
}

// The list of what a name may mean has an id, a time and a folder a line, the first ten of them, and says how many more
// there are.
func TestAmbiguous(t *testing.T) {
	at := time.Date(2026, 11, 27, 10, 0, 0, 0, time.Local)
	var known []protocol.KnownRun
	for i := range 12 {
		dir := fmt.Sprintf("/w/same-%d", i)
		known = append(known, protocol.KnownRun{At: at, ID: fmt.Sprintf("%06d-1", i), Dir: dir})
	}
	_, err := Match("same", known)
	if err == nil {
		t.Fatal("a name of twelve means one")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 12 || lines[0] != `"same" matches 12 runs: give an id` ||
		lines[1] != "  000000  2026-11-27 10:00  /w/same-0" || lines[11] != "  and 2 more" {
		t.Errorf("%v", err)
	}
	_, err = Match("same", known[:10])
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 11 || !strings.HasSuffix(lines[10], "/w/same-9") {
		t.Errorf("%v", err)
	}
	_, err = Match("", nil)
	if err == nil || err.Error() != "cannot find a run: none is known: name its folder" {
		t.Errorf("%v", err)
	}
}
