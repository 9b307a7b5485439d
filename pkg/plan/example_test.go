package plan_test

import (
	"fmt"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

const sleepers = `
schema: 1
name: sleepers
values: {for: "600"}
roles:
  GEN: &any {tasks: gpu, command: [sleep, '{{.Values.for}}'], stop: {signal: TERM, to: group}}
  CTX: *any
  BENCHMARK:
    tasks: one
    needs: {ready: [GEN, CTX]}
    command: [bench]
    stop: {signal: INT, to: leader}
    results: {format: json, files: 'point-{index}.json'}
`

// A plan is made of a case, a recipe and a profile in one step, and checked as a whole.
func ExampleBuild() {
	r, err := recipe.Parse("sleepers.yaml", []byte(sleepers), nil)
	if err != nil {
		fmt.Println(err)
	}
	p, err := profile.Parse("mine.yaml", []byte("{schema: 1, name: mine, time: 1h, kill_wait: 30s}"))
	if err != nil {
		fmt.Println(err)
	}
	in := plan.Input{
		ID: "5f1c", RunDir: "/runs/a", Recipe: r, Profile: p,
		Case: roles.Case{
			Name: "a", TestID: "disagg-e2e-a", GPUsPerNode: 4,
			Servers: map[roles.Kind]roles.Server{roles.Gen: {Count: 1, GPUs: 8}, roles.Ctx: {Count: 1, GPUs: 4}},
		},
	}
	made, err := plan.Build(in)
	fmt.Println(made.Layout.TotalNodes, "nodes,", made.Layout.Tasks(), "ranks,", made.RunID(0), err)
	t := made.Timeouts
	fmt.Println("servers ready within", t.Ready, "and stopped within", t.Stop)

	in.Values = map[string]string{"far": "1"}
	_, err = plan.Build(in)
	fmt.Println(err)
	// Output:
	// 3 nodes, 13 ranks, 5f1c-0 <nil>
	// servers ready within 22m0s and stopped within 12s
	// cannot set value "far": recipe sleepers has no such value: it has for
}
