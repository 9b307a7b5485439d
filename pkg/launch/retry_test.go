package launch

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// Only what tells of a machine is tried again: never what was tested, what a person ended, or the end of the time.
func TestInfrastructure(t *testing.T) {
	cause := func(k protocol.CauseKind, detail string) Outcome {
		return Outcome{Result: &protocol.Result{FirstCause: &protocol.Cause{Kind: k, Detail: detail, Host: "n7"}}}
	}
	for name, tt := range map[string]struct {
		out  Outcome
		host string
		ok   bool
	}{
		"a host is lost":           {cause(protocol.HostLost, ""), "n7", true},
		"the preflight":            {cause(protocol.PreflightFailed, ""), "n7", true},
		"a broken GPU":             {cause(protocol.ChildExit, "Xid 79: GPU has fallen off the bus"), "n7", true},
		"an engine's fault":        {cause(protocol.ChildExit, "RuntimeError: out of memory"), "n7", false},
		"cancelled":                {cause(protocol.CauseCancelled, ""), "n7", false},
		"out of time":              {cause(protocol.TimeLimit, ""), "n7", false},
		"passed":                   {Outcome{Result: &protocol.Result{}}, "", false},
		"no verdict, node failed":  {Outcome{End: protocol.JobState{Word: "NODE_FAIL"}}, "", true},
		"no verdict, never ran":    {Outcome{End: protocol.JobState{Word: "FAILED", NeverRan: true}}, "", true},
		"no verdict, as it failed": {Outcome{End: protocol.JobState{Word: "FAILED"}}, "", false},
	} {
		if host, ok := Infrastructure(tt.out); ok != tt.ok || ok && host != tt.host {
			t.Errorf("%s: %q, %t", name, host, ok)
		}
	}
}

// A job that is tried again has a run directory of its own, and leaves out every node that failed.
func TestAgain(t *testing.T) {
	r := request(t)
	r.Exclude = []string{"n1"}
	job, err := r.Make(t.Context())
	if err != nil || job.Plan.Cluster.Exclude != "n1" {
		t.Fatalf("%q, %v", job.Plan.Cluster.Exclude, err)
	}
	second, err := job.Again(t.Context(), 1, []string{"n2"})
	if err != nil || second.Plan.RunDir != job.Plan.RunDir+"-retry1" || second.Plan.Cluster.Exclude != "n1,n2" {
		t.Errorf("%s, %q, %v", second.Plan.RunDir, second.Plan.Cluster.Exclude, err)
	}
	third, err := second.Again(t.Context(), 2, []string{"n3"})
	if err != nil || filepath.Base(third.Plan.RunDir) != filepath.Base(job.Plan.RunDir)+"-retry2" ||
		third.Plan.Cluster.Exclude != "n1,n2,n3" || third.Plan.ID == job.Plan.ID {
		t.Errorf("%s, %q, %v", third.Plan.RunDir, third.Plan.Cluster.Exclude, err)
	}
}

// What a list says of a test's limit gets an allowance; a limit that was asked for for the whole job stands.
func TestLimitOfAList(t *testing.T) {
	profile := filepath.Join(t.TempDir(), "p.yaml")
	if err := os.WriteFile(profile, []byte("{schema: 1, name: p, allowance: 10m}"), 0o600); err != nil {
		t.Fatal(err)
	}
	const minute = roles.Duration(time.Minute)
	for name, tt := range map[string]struct {
		profile                    string
		limit, allowance, job, own roles.Duration
	}{
		"the usual":        {"default", 90 * minute, 0, 120 * minute, 0},
		"the profile's":    {profile, 90 * minute, 0, 100 * minute, 0},
		"one's own":        {profile, 90 * minute, 5 * minute, 95 * minute, 0},
		"the job's is set": {profile, 90 * minute, 5 * minute, 300 * minute, 300 * minute},
	} {
		r := request(t)
		r.Scheduler, r.Profile = nil, tt.profile
		r.Limit, r.Allowance, r.Timeouts.Job = tt.limit, tt.allowance, tt.own
		if job, err := r.Make(t.Context()); err != nil || job.Plan.Timeouts.Job != tt.job {
			t.Errorf("%s: %s, %v", name, job.Plan.Timeouts.Job, err)
		}
	}
}
