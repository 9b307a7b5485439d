package runs

import (
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// hub is the view of a hub of two servers, the coordinator and the benchmark.
func hub(phase protocol.Phase, change func(gen, ctx, server, bench *protocol.RoleState)) *protocol.State {
	list := []protocol.RoleState{
		{Role: roles.Role{Kind: roles.Gen}, Ranks: 4}, {Role: roles.Role{Kind: roles.Ctx}, Ranks: 2},
		{Role: roles.Role{Kind: roles.Coordinator}, Ranks: 1},
		{Role: roles.Role{Kind: roles.Benchmark}, Ranks: 1, Attached: 1},
	}
	if change != nil {
		change(&list[0], &list[1], &list[2], &list[3])
	}
	return &protocol.State{Phase: phase, Roles: list, Points: []protocol.Point{{}}}
}

// A run is as far as its directory says, else as its scheduler does; what neither says is unknown.
func TestState(t *testing.T) {
	submitted := &protocol.Submission{JobID: "14"}
	const queued = protocol.JobQueued
	running, ending := protocol.JobState{Phase: protocol.JobRunning}, protocol.JobState{Phase: protocol.JobEnding}
	genReady := func(gen, _, _, _ *protocol.RoleState) { gen.Ready = true }
	genHere := func(gen, _, _, _ *protocol.RoleState) { gen.Attached = 4 }
	for name, tt := range map[string]struct {
		facts Facts
		state State
		text  string
		code  int
	}{
		"prepared": {Facts{}, NotSubmitted, "not submitted", 75},
		"by hand, before the benchmark": {
			Facts{Serving: []roles.Role{{Kind: roles.Gen}, {Kind: roles.Ctx}}},
			Starting, "starting: BENCHMARK is not yet here; servers: GEN_0, CTX_0", 75,
		},
		"by hand, its servers stay": {
			Facts{
				Serving: []roles.Role{{Kind: roles.Gen}},
				Result:  &protocol.Result{Verdict: protocol.Cancelled, ExitCode: 130},
			},
			Kept, "cancelled; its servers stay", 130,
		},
		"by hand, its hub is gone": {
			Facts{Hub: hub(protocol.Measuring, nil), Lost: "its benchmark has ended"},
			NoVerdict, "no verdict: its benchmark has ended", 1,
		},
		"by hand, its hub is gone, its servers stay": {
			Facts{
				Hub: hub(protocol.Measuring, nil), Lost: "its benchmark has ended",
				Serving: []roles.Role{{Kind: roles.Gen}},
			},
			Kept, "no verdict: its benchmark has ended; its servers stay", 75,
		},
		"it waits": {
			Facts{Submission: submitted, Job: protocol.JobState{Phase: queued, Why: "waits for free nodes"}},
			Pending, "pending: waits for free nodes", 75,
		},
		"it waits for a word of Slurm's to come": {
			Facts{Submission: submitted, Job: protocol.JobState{Phase: queued, Reason: "Moonphase"}},
			Pending, "pending: Moonphase", 75,
		},
		"it waits for something": {
			Facts{Submission: submitted, Job: protocol.JobState{Phase: queued}},
			Pending, "pending: its scheduler does not say for what", 75,
		},
		"it can never start": {
			Facts{Submission: submitted, Job: protocol.JobState{
				Phase: queued, Never: true, Why: "asks for 9 nodes, partition batch has 4",
			}},
			Pending, "pending: NEVER: asks for 9 nodes, partition batch has 4", 75,
		},
		"it has just begun": {
			Facts{Submission: submitted, Job: running}, Starting, "starting: nothing has been heard of any role", 75,
		},
		"agents arrive": {
			Facts{Submission: submitted, Job: running, Hub: hub(protocol.Launching, genHere)},
			Starting, "starting: 5 of 8 ranks are there, not yet here: CTX_0, DISAGG_SERVER", 75,
		},
		"hosts are checked": {
			Facts{Submission: submitted, Job: running, Hub: hub(protocol.Checking, nil)},
			Starting, "starting: the hosts are being checked", 75,
		},
		"it loads": {
			Facts{Submission: submitted, Job: running, Hub: hub(protocol.Readying, genReady)},
			Loading, "loading: 1 of 3 servers are ready", 75,
		},
		"by hand, and one role is missing": {
			Facts{Hub: hub(protocol.Launching, func(gen, ctx, server, _ *protocol.RoleState) {
				gen.Attached, gen.Started, gen.Ready, ctx.Attached, ctx.Started, ctx.Ready = 4, 4, true, 2, 2, true
			})},
			Loading, "loading: 2 of 3 servers are ready, not yet here: DISAGG_SERVER", 75,
		},
		"it measures": {
			Facts{Submission: submitted, Job: running, Hub: hub(protocol.Measuring, nil)},
			Measuring, "measuring: 1 of 3 points", 75,
		},
		"it ends": {
			Facts{Submission: submitted, Job: ending, Hub: hub(protocol.Stopping, nil)},
			Ending, "ending: the roles are being stopped", 75,
		},
		"it has passed": {
			Facts{Submission: submitted, Result: &protocol.Result{Verdict: protocol.Passed}}, Over, "passed", 0,
		},
		"it has failed": {
			Facts{Submission: submitted, Result: &protocol.Result{
				Verdict: protocol.Failed, ExitCode: 1,
				FirstCause: &protocol.Cause{
					Role: roles.Role{Kind: roles.Gen}, Host: "n1", Kind: protocol.OOM, Detail: "\x1b[31mno room",
				},
			}},
			Over, "failed: GEN_0.0 on n1: ·[31mno room", 1,
		},
		"its servers stay": {
			Facts{Submission: submitted, Job: running, Result: &protocol.Result{Verdict: protocol.Passed, Kept: true}},
			Kept, "passed; its servers stay", 0,
		},
		"nobody knows whether its servers stay": {
			Facts{
				Submission: submitted, Fault: "squeue: no answer in time",
				Result: &protocol.Result{Verdict: protocol.Passed, Kept: true},
			},
			Kept, "passed; whether its servers stay is not known: squeue: no answer in time", 0,
		},
		"its servers stayed, and are gone": {
			Facts{
				Submission: submitted, Job: protocol.JobState{Phase: protocol.JobEnded},
				Result: &protocol.Result{Verdict: protocol.Passed, Kept: true},
			},
			Over, "passed", 0,
		},
		"its job goes on without them": {
			Facts{Submission: submitted, Job: running, Result: &protocol.Result{Verdict: protocol.Passed}},
			Over, "passed", 0,
		},
		"its job is gone": {
			Facts{Submission: submitted, Job: protocol.JobState{Phase: protocol.JobEnded}, Lost: "the job ended"},
			NoVerdict, "no verdict: the job ended", 1,
		},
		"its job was cancelled before it began": {
			Facts{
				Submission: submitted, Lost: "the job ended",
				Job: protocol.JobState{Phase: protocol.JobEnded, Cause: protocol.CauseCancelled},
			},
			NoVerdict, "no verdict: the job ended", 130,
		},
		"nobody knows": {
			Facts{Submission: submitted, Fault: "squeue: no answer in time"},
			Unknown, "unknown: squeue: no answer in time", 75,
		},
	} {
		t.Run(name, func(t *testing.T) {
			tt.facts.Plan.ID = "a3f91b00-1111"
			tt.facts.Plan.Case.Load.Concurrency = []int{1, 2, 4}
			s := Summarize(tt.facts)
			if s.State != tt.state || s.Text != tt.text || s.ExitCode != tt.code {
				t.Errorf("%s, %q, %d; want %s, %q, %d", s.State, s.Text, s.ExitCode, tt.state, tt.text, tt.code)
			}
			if s.ID != "a3f91b" {
				t.Errorf("it is called %s", s.ID)
			}
		})
	}
}

// Of many roles that are missing some are named.
func TestMissing(t *testing.T) {
	c := count{absent: []string{"GEN_0", "GEN_1", "CTX_0", "CTX_1", "DISAGG_SERVER"}}
	if got := c.missing(); got != ", not yet here: GEN_0, GEN_1, CTX_0 and 2 more" {
		t.Error(got)
	}
}

// When a job is expected to start is told only while it waits.
func TestStarts(t *testing.T) {
	f := Facts{Submission: &protocol.Submission{}}
	f.Job = protocol.JobState{Phase: protocol.JobQueued, Starts: time.Unix(9, 0)}
	if s := Summarize(f); !s.Starts.Equal(time.Unix(9, 0)) {
		t.Errorf("it starts at %v", s.Starts)
	}
	f.Job.Phase = protocol.JobRunning
	if s := Summarize(f); !s.Starts.IsZero() {
		t.Errorf("what runs starts at %v", s.Starts)
	}
}
