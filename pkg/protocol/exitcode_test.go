package protocol_test

import (
	"testing"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// Every kind of cause leads to a verdict and an exit code, and none but a missing cause to success.
func TestJudge(t *testing.T) {
	if v, code := protocol.Judge(nil); v != protocol.Passed || code != 0 {
		t.Errorf("nothing failed: %s, %d", v, code)
	}
	type judgement struct {
		verdict protocol.Verdict
		code    int
	}
	special := map[protocol.CauseKind]judgement{
		protocol.CauseCancelled: {protocol.Cancelled, 130},
		protocol.ReadyTimeout:   {protocol.Failed, 124},
		protocol.Deadline:       {protocol.Failed, 124},
		protocol.TimeLimit:      {protocol.Failed, 124},
		protocol.Regression:     {protocol.Failed, 3},
		protocol.AgentError:     {protocol.Errored, 1},
	}
	for _, kind := range append(protocol.CauseKinds(), "unheard of") {
		want, ok := special[kind]
		if !ok {
			want = judgement{protocol.Failed, 1}
		}
		if v, code := protocol.Judge(&protocol.Cause{Kind: kind}); v != want.verdict || code != want.code {
			t.Errorf("%s: %s, %d, want %s, %d", kind, v, code, want.verdict, want.code)
		}
	}
}

// An agent passes its child's code through, unless it would read as one of the agent's own.
func TestChildCode(t *testing.T) {
	for name, tt := range map[string]struct {
		outcome protocol.Outcome
		want    int
	}{
		"it did its work":        {protocol.Outcome{Started: true}, 0},
		"it failed":              {protocol.Outcome{Started: true, Code: 1}, 1},
		"the highest of its own": {protocol.Outcome{Started: true, Code: 63}, 63},
		"reads as usage":         {protocol.Outcome{Started: true, Code: 64}, 1},
		"reads as a deadline":    {protocol.Outcome{Started: true, Code: 124}, 1},
		"reads as a signal":      {protocol.Outcome{Started: true, Code: 137}, 1},
		"a signal ended it":      {protocol.Outcome{Started: true, Code: 137, Signal: "SIGKILL"}, 137},
		"it was not found":       {protocol.Outcome{Code: 127}, 127},
		"it was never started":   {protocol.Outcome{Code: 125}, 125},
	} {
		if got := protocol.ChildCode(tt.outcome); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

// BENCHMARK's agent ends with its own child's code only if that was what failed first; a deadline stays one.
func TestHubCode(t *testing.T) {
	cancelled := &protocol.Cause{Kind: protocol.CauseCancelled}
	benchmark := &protocol.Cause{Role: roles.Hub().Role, Kind: protocol.BenchmarkFailed}
	worker := &protocol.Cause{Role: roles.Role{Kind: roles.Gen}, Kind: protocol.ChildExit}
	for name, tt := range map[string]struct {
		verdict protocol.Verdict
		code    int // the verdict's
		cause   *protocol.Cause
		own     int
		want    int
	}{
		"passed":                                {protocol.Passed, 0, nil, 0, 0},
		"passed, although it was stopped":       {protocol.Passed, 0, nil, 143, 0},
		"the benchmark failed":                  {protocol.Failed, 1, benchmark, 7, 7},
		"the benchmark failed with 1":           {protocol.Failed, 1, benchmark, 1, 1},
		"the benchmark ended well, but in vain": {protocol.Failed, 1, benchmark, 0, 1},
		"a worker failed":                       {protocol.Failed, 1, worker, 143, 1},
		"the time was over":                     {protocol.Failed, 124, benchmark, 7, 124},
		"cancelled":                             {protocol.Cancelled, 130, cancelled, 9, 1},
		"failed without a cause that is known":  {protocol.Failed, 1, nil, 9, 1},
		"worse than earlier results":            {protocol.Failed, 3, benchmark, 0, 3},
	} {
		if got := protocol.HubCode(tt.verdict, tt.code, tt.cause, tt.own); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

// A job that left no verdict has not passed, whatever its scheduler says.
func TestJobStateExitCode(t *testing.T) {
	for kind, want := range map[protocol.CauseKind]int{
		"": 1, protocol.CauseCancelled: 130, protocol.TimeLimit: 124, protocol.HostLost: 1,
	} {
		state := protocol.JobState{Phase: protocol.JobEnded, Word: "COMPLETED", Cause: kind}
		if got := state.ExitCode(); got != want {
			t.Errorf("cause %q: %d, want %d", kind, got, want)
		}
	}
}
