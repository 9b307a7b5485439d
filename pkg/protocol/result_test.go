package protocol_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

var (
	noon = time.Date(2026, 1, 2, 12, 0, 0, 500, time.UTC)
	gen3 = roles.Task{Role: roles.Role{Kind: roles.Gen}, Rank: 3}
)

// ended is an outcome with every kind of detail.
func ended() protocol.Outcome {
	return protocol.Outcome{
		Started: true, Code: 137, Signal: "SIGKILL", StartedAt: noon, EndedAt: noon.Add(time.Second),
		OOM: true, MemoryLimit: 1 << 40, PeakRSS: 1 << 39, CPU: time.Hour,
		Headline: "out of memory", Excerpt: []string{"before", "out of memory"}, Tail: []string{"last", "words"},
		Orphans:   []protocol.Orphan{{PID: 2, Comm: "a", Status: "exit 0", PeakRSS: 1, CPU: 1, At: noon}},
		Survivors: []protocol.Survivor{{PID: 3, Comm: "b", State: "D", WChan: "nfs_wait"}},
	}
}

// failed is a verdict with every kind of detail.
func failed() protocol.Result {
	o := ended()
	return protocol.Result{
		Schema: 1, RunID: "r-0", JobID: "7", Case: "c", TestID: "t", Verdict: protocol.Failed, ExitCode: 1,
		FirstCause: &protocol.Cause{
			Role: gen3.Role, Rank: 3, Host: "n2", Kind: protocol.OOM, Detail: "out of memory", At: noon,
			Excerpt: []string{"out of memory"}, LogTail: []string{"words"},
		},
		Secondary: []protocol.Cause{{Role: roles.Hub().Role, Kind: protocol.BenchmarkFailed, At: noon}},
		StartedAt: noon, EndedAt: noon.Add(time.Hour), Phases: protocol.PhaseTimes{Queue: 1.5, Upload: 0.25},
		Roles:  []protocol.RankOutcome{{Role: gen3.Role, Rank: 3, Cause: protocol.OOM, FirstSeen: noon, Outcome: &o}},
		Points: []protocol.Point{{Index: 1, Concurrency: 8, Metrics: map[string]float64{"mean_ttft": 1.5}}},
		Upload: &protocol.UploadReport{URL: "sqlite:///x", Pending: 1, Error: "away"}, Lost: "3 journal entries",
	}
}

// The short form of a verdict or an outcome leaves out only what explains it, and leaves the long form as it was.
func TestBrief(t *testing.T) {
	long := failed()
	brief := long.Brief()
	if diff := cmp.Diff(failed(), long); diff != "" {
		t.Errorf("the long form was changed: %s", diff)
	}
	want := failed()
	want.Roles, want.Secondary = []protocol.RankOutcome{}, nil
	want.FirstCause.Excerpt, want.FirstCause.LogTail = nil, nil
	if diff := cmp.Diff(want, brief); diff != "" {
		t.Error(diff)
	}
	passed := protocol.Result{Verdict: protocol.Passed, Roles: []protocol.RankOutcome{}}
	if diff := cmp.Diff(passed, passed.Brief()); diff != "" {
		t.Error(diff)
	}
	outcome := ended()
	outcome.Tail, outcome.Excerpt = nil, nil
	if diff := cmp.Diff(outcome, ended().Brief()); diff != "" {
		t.Error(diff)
	}
}

// A process did its work if it ran and ended with 0.
func TestClean(t *testing.T) {
	for _, tt := range []struct {
		outcome protocol.Outcome
		want    bool
	}{
		{protocol.Outcome{Started: true}, true},
		{protocol.Outcome{Started: true, Code: 1}, false},
		{protocol.Outcome{}, false},
	} {
		if got := tt.outcome.Clean(); got != tt.want {
			t.Errorf("%+v: %v", tt.outcome, got)
		}
	}
}

// A cause is told in one line: who, where, what.
func TestCauseString(t *testing.T) {
	c := failed().FirstCause
	if got, want := c.String(), "GEN_0.3 on n2: out of memory"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	lost := protocol.Cause{Subject: "host n3", Kind: protocol.HostLost, Detail: "silent"}
	if got, want := lost.String(), "host n3: lost: silent"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	c.Host = ""
	if got, want := c.String(), "GEN_0.3: out of memory"; got != want || c.Task() != gen3 {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What one program writes another reads as it was, also under the names that other tools know.
func TestRoundTrips(t *testing.T) {
	role := gen3.Role
	roundTrip(t, failed(), `"first_cause":{"role":"GEN_0","rank":3,"host":"n2","kind":"oom"`)
	roundTrip(t, protocol.Entry{
		Schema: 1, Seq: 2, At: noon, Kind: protocol.EntryPoint, Role: &role, Rank: 3, Point: &protocol.Point{Index: 1},
	}, `"role":"GEN_0"`)
	roundTrip(t, protocol.State{
		Schema: 1, At: noon, Phase: protocol.Readying, Cause: failed().FirstCause,
		Roles: []protocol.RoleState{{Role: role, Ranks: 4, Address: "n2:1"}}, Points: []protocol.Point{{Index: 1}},
	}, `"phase":"readying"`)
	roundTrip(t, protocol.Published{
		Schema: 1, Task: gen3, RunID: "r-0", StartedAt: noon,
	}, `"task":{"role":"GEN_0","rank":3}`)
	found := []protocol.Finding{{Check: protocol.CheckGPUs, Fatal: true}}
	roundTrip(t, protocol.Preflight{
		Schema: 1, Hosts: []protocol.HostFindings{{Role: role, Findings: found}},
		Reach: map[string]map[string]string{"GEN_0": {"CTX_0": "refused"}},
	}, `"reach":{"GEN_0":{"CTX_0":"refused"}}`)
	roundTrip(t, protocol.StepReport{
		Role: role, RunID: "r-0", Ended: true, Ranks: []int{1}, JobEnds: noon,
	}, `"job_ends":"2026`)
}

func roundTrip[T any](t *testing.T, want T, part string) {
	t.Helper()
	data, err := json.Marshal(want)
	if err != nil || !strings.Contains(string(data), part) {
		t.Errorf("%v: %s has no %s", err, data, part)
	}
	var got T
	if err := json.Unmarshal(data, &got); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
