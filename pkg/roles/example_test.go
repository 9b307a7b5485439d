package roles_test

import (
	"fmt"

	"github.com/disagg/disagg/pkg/roles"
)

// One decode server of eight GPUs and two prefill servers of two, on nodes of four; the benchmark has a node of its
// own, and there is no coordinator.
func ExampleNewLayout() {
	gen, ctx := roles.Server{Count: 1, GPUs: 8}, roles.Server{Count: 2, GPUs: 2}
	l, err := roles.NewLayout(roles.Nodes{GPUs: 4}, gen, ctx, func(k roles.Kind) roles.Shape {
		switch k {
		case roles.Gen, roles.Ctx:
			return roles.Shape{Tasks: roles.PerGPU}
		case roles.Benchmark:
			return roles.Shape{On: roles.OwnNode}
		}
		return roles.Shape{None: true}
	})
	if err != nil {
		fmt.Println(err)
	}
	for _, p := range l.Placements {
		fmt.Printf("%s: %d ranks on %d nodes from node %d\n", p.Role, p.Ranks, p.Nodes, p.FirstNode)
	}
	// Output:
	// GEN_0: 8 ranks on 2 nodes from node 0
	// CTX_0: 2 ranks on 1 nodes from node 2
	// CTX_1: 2 ranks on 1 nodes from node 3
	// BENCHMARK: 1 ranks on 1 nodes from node 4
}

// Limits may be written as for Slurm, or as Go writes durations.
func ExampleParseLimit() {
	for _, text := range []string{"90", "02:00:00", "1-12", "2h", "soon"} {
		d, err := roles.ParseLimit(text)
		fmt.Println(d, err)
	}
	// Output:
	// 1h30m0s <nil>
	// 2h0m0s <nil>
	// 36h0m0s <nil>
	// 2h0m0s <nil>
	// 0s "soon" is not a time limit: want for example 02:00:00, 1-12:00:00, 90 (minutes) or 2h
}
