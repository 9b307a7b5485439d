package perfsanity

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/yamlfile"
)

// env puts each role's variables together: the case's own, then those that the mode adds.
func (c config) env(m Mode) (map[roles.Kind][]roles.Var, error) {
	e := c.Environment
	own := []struct {
		kind roles.Kind
		key  string
		text string
	}{
		{roles.Gen, "worker_env_var", e.Worker}, {roles.Gen, "gen_worker_env_var", e.GenWorker},
		{roles.Ctx, "worker_env_var", e.Worker}, {roles.Ctx, "ctx_worker_env_var", e.CtxWorker},
		{roles.Coordinator, "server_env_var", e.Server},
		{roles.Benchmark, "benchmark_env_var", e.Benchmark}, {roles.Benchmark, "client_env_var", e.Client},
	}
	out := map[roles.Kind][]roles.Var{}
	for _, o := range own {
		vars, err := parseVars(o.text)
		if err != nil {
			return nil, fmt.Errorf("environment.%s: %w", o.key, err)
		}
		out[o.kind] = append(out[o.kind], vars...)
	}
	added, err := c.modeEnv(m)
	for kind, vars := range added {
		out[kind] = append(out[kind], vars...)
	}
	return out, err
}

// parseVars reads "K=V K2='a b'" as a shell would.
func parseVars(text string) ([]roles.Var, error) {
	words, err := roles.SplitWords(text)
	if err != nil {
		return nil, err
	}
	var vars []roles.Var
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			return nil, fmt.Errorf("%q is not NAME=VALUE", w)
		}
		vars = append(vars, roles.Var{Name: name, Value: value})
	}
	return vars, nil
}

// modeEnv is what upstream adds for the modes that measure decode alone.
func (c config) modeEnv(m Mode) (map[roles.Kind][]roles.Var, error) {
	switch m {
	case GenOnly:
		queue, err := c.genQueueSize()
		return map[roles.Kind][]roles.Var{roles.Gen: {
			{Name: "TRTLLM_DISABLE_KV_CACHE_TRANSFER_OVERLAP", Value: "1"},
			{Name: "TLLM_BENCHMARK_REQ_QUEUES_SIZE", Value: strconv.Itoa(queue)},
		}}, err
	case GenOnlyNoContext:
		only := []roles.Var{{Name: "TRTLLM_DISAGG_BENCHMARK_GEN_ONLY", Value: "1"}}
		return map[roles.Kind][]roles.Var{roles.Gen: only, roles.Coordinator: only, roles.Benchmark: only}, nil
	}
	return nil, nil
}

// genQueueSize is how many requests a decode server gathers before it starts: no more than it can hold, or it would
// wait for ever.
func (c config) genQueueSize() (int, error) {
	var p parallel
	if err := c.WorkerConfig.Gen.Decode(&p); err != nil {
		return 0, fmt.Errorf("worker_config.gen: %w", err)
	}
	queue := c.Benchmark.Concurrency[0]
	if p.MaxBatch == 0 {
		return queue, nil
	}
	holds := p.MaxBatch
	if attentionDP(c.WorkerConfig.Gen) {
		holds *= max(p.Tensor, 1)
	}
	return min(queue, holds), nil
}

func attentionDP(b yamlfile.Block) bool {
	v, _ := b.Get("enable_attention_dp").Scalar()
	return v == "true" || v == "True"
}
