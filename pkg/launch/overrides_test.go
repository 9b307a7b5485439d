package launch

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

// What a command line says in the place of profile, recipe or case is told; what none of them says, or says alike, is
// not.
func TestOverrides(t *testing.T) {
	file := profileFile(t, "partition: batch", "time: 2h", "values: {numactl: none}")
	p := plan.Plan{Recipe: recipe.Recipe{Name: "own", Values: map[string]string{"numactl": "x", "serve": "a", "e": ""}}}
	p.Case.TimeLimit = roles.Duration(time.Hour)
	p.Case.Settings = []roles.Setting{
		{Key: "numactl", Value: "none"}, {Key: "worker_config.gen.tp", Value: "2"}, {Key: "e", Value: "1"},
		{Key: "serve", Value: "b"},
	}
	r := Request{
		Profile: file, Partition: "fast", Account: "team",
		Timeouts: roles.Timeouts{Job: roles.Duration(time.Hour)},
	}
	got := overrides(t, Job{Plan: p, Request: r})
	if diff := cmp.Diff([]string{
		"--partition fast instead of batch (partition in profile cluster)",
		"--time 1:00:00 instead of 2:00:00 (time in profile cluster)",
		"--set worker_config.gen.tp=2 (in the case)",
		"--set e=1 instead of e=nothing (values in recipe own)",
		"--set serve=b instead of serve=a (values in recipe own)",
	}, got); diff != "" {
		t.Error(diff)
	}

	p.Case.TimeLimit, p.Case.Settings = roles.Duration(2*time.Hour), nil
	r = Request{Profile: profileFile(t), Partition: "fast", Timeouts: roles.Timeouts{Job: roles.Duration(time.Hour)}}
	got = overrides(t, Job{Plan: p, Request: r})
	if diff := cmp.Diff([]string{"--time 1:00:00 instead of 2:00:00 (the time of the case)"}, got); diff != "" {
		t.Error(diff)
	}
	if _, err := (Job{Request: Request{Profile: t.TempDir() + "/none.yaml"}}).Overrides(); err == nil {
		t.Error("a profile that is not there has no overrides")
	}
}

func overrides(t *testing.T, j Job) (texts []string) {
	t.Helper()
	list, err := j.Overrides()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range list {
		texts = append(texts, o.String())
	}
	return texts
}
