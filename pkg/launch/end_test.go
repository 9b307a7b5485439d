package launch

import (
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/test/check"
)

// attemptBegun is the first attempt of a run that people start by hand, with its hub or without.
func attemptBegun(t *testing.T, hub bool) (plan.Plan, rundir.Attempt) {
	t.Helper()
	r := request(t)
	r.ByHand = true
	job, err := r.Make(t.Context())
	if err == nil {
		err = job.Prepare()
	}
	if err != nil {
		t.Fatal(err)
	}
	a := rundir.Dir(job.Plan.RunDir).Attempt(0)
	if _, err := rundir.OpenAttempt(a, job.Plan.Case.TestID); err != nil {
		t.Fatal(err)
	}
	if hub {
		err := rundir.Publish(a, protocol.Published{Task: roles.Hub(), Hub: "127.0.0.1:1", RunID: job.Plan.RunID(0)})
		if err != nil {
			t.Fatal(err)
		}
	}
	return job.Plan, a
}

// Every terminal is told why the run failed, by the verdict or, if that is late, by what the hub has found so far. What
// was measured is for the benchmark's terminal; a role that has met no hub is told nothing.
func TestEveryTerminalIsTold(t *testing.T) {
	cause := &protocol.Cause{Role: gen, Rank: 3, Host: "n2", Kind: protocol.ChildExit, Detail: "exited with code 1"}
	failed := protocol.Result{Schema: 1, Verdict: protocol.Failed, ExitCode: 1, FirstCause: cause}
	passed := protocol.Result{Schema: 1, Verdict: protocol.Passed}
	tests := map[string]struct {
		hub    bool
		result *protocol.Result
		state  *protocol.State
		role   roles.Role
		want   string
	}{
		"a verdict": {true, &failed, nil, gen, "failed GEN_0.3 on n2 exited with code 1"},
		"a verdict that is late": {
			true, nil, &protocol.State{Schema: 1, Cause: cause}, gen, "failed GEN_0.3 on n2 exited with code 1",
		},
		"nothing failed yet":            {true, nil, &protocol.State{Schema: 1}, gen, ""},
		"nothing is known":              {true, nil, nil, gen, ""},
		"it passed, in the benchmark's": {true, &passed, nil, bench, "passed"},
		"it passed, elsewhere":          {true, &passed, nil, gen, ""},
		"there is no hub":               {false, &failed, nil, gen, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, a := attemptBegun(t, tt.hub)
			if tt.state != nil {
				check.WriteJSON(t, a.State(), *tt.state)
			}
			if tt.result != nil {
				check.WriteJSON(t, a.Result(), *tt.result)
			}
			got := ""
			b := ByHand{Role: tt.role, OnEnd: func(m report.Model, _ rundir.Attempt) {
				if got = string(m.Run.Verdict); m.Failure != nil {
					got += " " + m.Failure.Headline()
				}
			}}
			b.tellEnd(p, a, 10*time.Millisecond)
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// The benchmark's terminal tells its verdict also when the hub of the next measurement has begun meanwhile: that has
// taken the place of its own in the folder of agents.
func TestVerdictIsToldBehindTheNextHub(t *testing.T) {
	p, a := attemptBegun(t, true)
	check.WriteJSON(t, a.Result(), protocol.Result{Schema: 1, Verdict: protocol.Passed})
	next := protocol.Published{Task: roles.Hub(), Hub: "127.0.0.1:2", RunID: p.RunID(1)}
	if err := rundir.Publish(a, next); err != nil {
		t.Fatal(err)
	}
	got := protocol.Verdict("")
	b := ByHand{Role: bench, OnEnd: func(m report.Model, _ rundir.Attempt) { got = m.Run.Verdict }}
	if b.tellVerdict(p, a, 0); got != protocol.Passed {
		t.Errorf("got %q", got)
	}
}
