package perfsanity

import (
	"maps"
	"slices"
	"strconv"

	"github.com/disagg/disagg/pkg/roles"
)

// env puts each role's variables together: the case's own, then those that the mode adds. A later one wins.
func (c config) env(m Mode, gen parallel) map[roles.Kind][]roles.Var {
	e := c.Environment
	own := map[roles.Kind][]roles.Var{
		roles.Gen:         slices.Concat(e.Worker, e.GenWorker),
		roles.Ctx:         slices.Concat(e.Worker, e.CtxWorker),
		roles.Coordinator: slices.Concat(e.Server),
		roles.Benchmark:   slices.Concat(e.Benchmark, e.Client),
	}
	for kind, added := range c.modeEnv(m, gen) {
		own[kind] = append(own[kind], added...)
	}
	maps.DeleteFunc(own, func(_ roles.Kind, vars []roles.Var) bool { return len(vars) == 0 })
	return own
}

// modeEnv is what upstream adds for the modes that measure decode alone.
func (c config) modeEnv(m Mode, gen parallel) map[roles.Kind][]roles.Var {
	switch m {
	case GenOnly:
		return map[roles.Kind][]roles.Var{roles.Gen: {
			{Name: "TRTLLM_DISABLE_KV_CACHE_TRANSFER_OVERLAP", Value: "1"},
			{Name: "TLLM_BENCHMARK_REQ_QUEUES_SIZE", Value: strconv.Itoa(gen.queue(c.Benchmark.Concurrency[0]))},
		}}
	case GenOnlyNoContext:
		only := []roles.Var{{Name: "TRTLLM_DISAGG_BENCHMARK_GEN_ONLY", Value: "1"}}
		return map[roles.Kind][]roles.Var{roles.Gen: only, roles.Coordinator: only, roles.Benchmark: only}
	}
	return nil
}

// queue is how many requests a decode server gathers before it starts: no more than it can hold, or it would wait for
// ever.
func (p parallel) queue(concurrency int) int {
	if p.MaxBatch == 0 {
		return concurrency
	}
	holds := p.MaxBatch
	if p.AttentionDP {
		holds *= max(p.Tensor, 1)
	}
	return min(concurrency, holds)
}
