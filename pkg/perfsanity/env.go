package perfsanity

import (
	"maps"
	"slices"
	"strconv"

	"github.com/disagg/disagg/pkg/roles"
)

// env puts each role's variables together: what the mode adds, then the case's own. A later one wins, so that a case
// can override what its mode adds.
func (c config) env(f form, l roles.Load, t *Test) map[roles.Kind][]roles.Var {
	e := c.Environment
	env := f.env(l.Concurrency[0], t)
	for kind, own := range map[roles.Kind][]roles.Var{
		roles.Gen:         slices.Concat(e.Worker, e.GenWorker),
		roles.Ctx:         slices.Concat(e.Worker, e.CtxWorker),
		roles.Coordinator: slices.Concat(e.Server),
		roles.Benchmark:   slices.Concat(e.Benchmark, e.Client),
	} {
		env[kind] = append(env[kind], own...)
	}
	maps.DeleteFunc(env, func(_ roles.Kind, vars []roles.Var) bool { return len(vars) == 0 })
	return env
}

// env is what upstream adds for the modes that measure decode alone. Decode servers gather a point's requests before
// they begin, and limit that by themselves to what they can hold.
func (f form) env(concurrency int, t *Test) map[roles.Kind][]roles.Var {
	only := []roles.Var{{Name: "TRTLLM_DISAGG_BENCHMARK_GEN_ONLY", Value: "1"}}
	gathers := []roles.Var{
		{Name: "TRTLLM_DISABLE_KV_CACHE_TRANSFER_OVERLAP", Value: "1"},
		{Name: "TLLM_BENCHMARK_REQ_QUEUES_SIZE", Value: strconv.Itoa(concurrency)},
	}
	switch {
	case f.Mode == GenOnly && f.withoutCtx(t):
		return map[roles.Kind][]roles.Var{roles.Gen: slices.Concat(only, gathers), roles.Coordinator: only}
	case f.Mode == GenOnly:
		return map[roles.Kind][]roles.Var{roles.Gen: gathers}
	case f.Mode == GenOnlyNoContext:
		return map[roles.Kind][]roles.Var{roles.Gen: only, roles.Coordinator: only, roles.Benchmark: slices.Clone(only)}
	}
	return map[roles.Kind][]roles.Var{}
}
