package simulation

import (
	"fmt"
	"sync"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

// shapes are the layouts that are drawn from: how many servers of each kind, and GPUs of each; and the recipe that
// starts them, in which roles may be started early or not, and servers may leave by themselves once the benchmark has
// told them through a file.
var shapes = []struct {
	gen, genGPUs, ctx, ctxGPUs int
	recipe                     string
	early, leave               bool
}{
	{1, 1, 1, 1, "trtllm-serve", true, false}, {1, 4, 2, 2, "trtllm-serve", false, false},
	{2, 2, 1, 1, "trtllm-pytest", true, true}, {1, 8, 1, 2, "trtllm-serve", false, false},
}

// plans are made once: a plan is never changed.
var plans = sync.OnceValues(func() ([]plan.Plan, error) {
	var list []plan.Plan
	for _, s := range shapes {
		r, _, err := recipe.Load(s.recipe)
		if err != nil {
			return nil, err
		}
		for kind, spec := range r.Roles {
			spec.Needs.Early = s.early && spec.Needs.Early
			r.Roles[kind] = spec
		}
		p, err := plan.Build(plan.Input{
			Recipe: r, RunDir: "/run",
			Case: roles.Case{
				Name: "simulated", TestID: "t", GPUsPerNode: 4, TimeLimit: roles.Duration(30 * time.Minute),
				Load: roles.Load{Concurrency: []int{4}},
				Servers: map[roles.Kind]roles.Server{
					roles.Gen: {Count: s.gen, GPUs: s.genGPUs}, roles.Ctx: {Count: s.ctx, GPUs: s.ctxGPUs},
				},
			},
			Profile: profile.Profile{
				KillWait: roles.Duration(30 * time.Second), MPI: "pmix",
				Preflight: profile.Preflight{MaxSkew: roles.Duration(10 * time.Second)},
			},
		})
		if err != nil {
			return nil, fmt.Errorf("cannot plan: %w", err)
		}
		list = append(list, p)
	}
	return list, nil
})

// place gives every task a host: workers have hosts of their own, coordinator and benchmark are on the first.
func place(p plan.Plan) (hosts []*host, of map[roles.Task]*host) {
	of = map[roles.Task]*host{}
	add := func() *host {
		h := &host{name: fmt.Sprintf("n%d", len(hosts)+1)}
		hosts = append(hosts, h)
		return h
	}
	for _, pl := range p.Layout.Placements {
		if pl.Role.Kind == roles.Coordinator || pl.Role.Kind == roles.Benchmark {
			continue
		}
		var last *host
		for i, t := range pl.Tasks() {
			if i%max(pl.RanksPerNode, 1) == 0 {
				last = add()
			}
			of[t] = last
		}
	}
	for _, pl := range p.Layout.Placements {
		for _, t := range pl.Tasks() {
			if of[t] == nil {
				of[t] = hosts[0]
			}
		}
	}
	return hosts, of
}
