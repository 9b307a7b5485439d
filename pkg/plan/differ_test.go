package plan_test

import (
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/roles"
)

// Two plans differ in what decides what runs, named by its place in the plan's file; not in when, by what and for how
// long each was made.
func TestDifferences(t *testing.T) {
	tests := map[string]struct {
		change func(*plan.Plan)
		want   []string
	}{
		"nothing": {func(*plan.Plan) {}, nil},
		"what is each plan's own": {func(p *plan.Plan) {
			p.ID, p.CreatedAt, p.Tool, p.Timeouts.Job = "other", time.Now(), "other", 1
		}, nil},
		"a text":             {func(p *plan.Plan) { p.Checkout = "/other" }, []string{"checkout"}},
		"a text that is new": {func(p *plan.Plan) { p.Agent = "/bin/agent" }, []string{"agent"}},
		"a member of a map": {func(p *plan.Plan) {
			p.Values = maps.Clone(p.Values)
			p.Values["more"], p.Values["serve"] = "x", "mine"
		}, []string{"values.more", "values.serve"}},
		"a whole block": {func(p *plan.Plan) { p.Cluster.Container = nil }, []string{"cluster.container"}},
		"a member of a block": {func(p *plan.Plan) {
			p.Cluster.Container = &profile.Container{Image: "b", Mounts: []string{"/x"}}
		}, []string{"cluster.container.image", "cluster.container.mounts"}},
		"a list": {func(p *plan.Plan) { p.Case.Load.Concurrency = []int{2} }, []string{"case.load.concurrency"}},
		"several": {func(p *plan.Plan) {
			p.RunDir, p.Case.Servers = "/other", map[roles.Kind]roles.Server{roles.Gen: {Count: 1, GPUs: 9}}
		}, []string{"case.servers.CTX", "case.servers.GEN.gpus", "run_dir"}},
	}
	in := input(t)
	in.Profile.Container = &profile.Container{Image: "a"}
	a, err := plan.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := a
			tt.change(&b)
			for _, pair := range [][2]plan.Plan{{a, b}, {b, a}} {
				if diff := cmp.Diff(tt.want, plan.Differences(pair[0], pair[1])); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}
