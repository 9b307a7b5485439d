package plan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

// The index of a point stands where the pattern's last mark is: a folder's name may look like one.
func TestPointFile(t *testing.T) {
	for pattern, want := range map[string]string{
		"/run/client.{index}.log":          "/run/client.12.log",
		"/run/{index}/client.{index}.json": "/run/{index}/client.12.json",
		"/run/all.log":                     "/run/all.log",
	} {
		if got := plan.PointFile(pattern, 12); got != want {
			t.Errorf("%s: %s, want %s", pattern, got, want)
		}
	}
}

// A plan knows what is wanted of each point, and which file of an attempt has it.
func TestPoints(t *testing.T) {
	in := input(t)
	in.Case.Load = roles.Load{
		Concurrency: []int{4, 8}, StepTime: true, Each: []roles.PointLoad{{Rounds: 2}, {Rounds: 3}},
	}
	p, err := plan.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	want := results.Want{Index: 1, Concurrency: 8, Requests: 24, StepTime: true}
	if diff := cmp.Diff(want, p.Want(1)); diff != "" {
		t.Error(diff)
	}
	files, err := p.PointFiles(p.RunID(0), recipe.Dirs{Test: "/r/attempt-0/output/t"})
	logs := []string{"/r/attempt-0/output/t/trtllm-benchmark.0.0.log", "/r/attempt-0/output/t/trtllm-benchmark.0.1.log"}
	if diff := cmp.Diff(logs, files); diff != "" || err != nil {
		t.Error(err, diff)
	}
	p.Case.Load.AccuracyOnly = true
	if files, err := p.PointFiles("r", recipe.Dirs{}); len(files) > 0 || err != nil {
		t.Errorf("a run that measures nothing has results in %v, %v", files, err)
	}
	if files, err := (plan.Plan{}).PointFiles("r", recipe.Dirs{}); len(files) > 0 || err != nil {
		t.Errorf("a recipe without results has them in %v, %v", files, err)
	}
}
