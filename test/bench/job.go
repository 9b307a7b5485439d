package bench

import (
	"fmt"
	"strings"
)

// Recipe runs the same program in every role: nothing has to load, and readiness is not asked for.
func Recipe(program string) string {
	return fmt.Sprintf(`schema: 1
name: bench
about: the same process in every role
roles:
  GEN: &worker {tasks: gpu, command: [%[1]s], stop: {signal: TERM, to: group, grace: 1s}}
  CTX: *worker
  DISAGG_SERVER: {tasks: one, command: [%[1]s], stop: {signal: TERM, to: group, grace: 1s}}
  BENCHMARK:
    tasks: one
    needs: {ready: [GEN, CTX, DISAGG_SERVER]}
    command: [%[1]s]
    stop: {signal: TERM, to: group, grace: 1s}
    results: {format: trtllm, files: '{{joinpath .Dirs.Work "client.{index}.log"}}'}
`, program)
}

// Job is the size of a job: how many servers it has, and how many GPUs each of them uses.
type Job struct {
	Gen, Ctx         int
	GenGPUs, CtxGPUs int
	GPUsPerNode      int
}

// Case is a perf-sanity case of that size.
func (j Job) Case() string {
	return fmt.Sprintf(`metadata: {model_name: none}
slurm: {job_time: 00:10:00}
benchmark: {mode: e2e, concurrency_list: 1, input_length: 1, output_length: 1}
hardware: {gpus_per_node: %d, num_ctx_servers: %d, num_gen_servers: %d}
worker_config:
  gen: {tensor_parallel_size: %d}
  ctx: {tensor_parallel_size: %d}
`, j.GPUsPerNode, j.Ctx, j.Gen, j.GenGPUs, j.CtxGPUs)
}

// ResultBlock is what TensorRT-LLM's benchmark client prints for a point that counts: so many requests, all answered.
func ResultBlock(requests int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "============ Serving Benchmark Result ============\nSuccessful requests: %d\nFailed requests: 0\n",
		requests)
	for _, name := range []string{
		"Request throughput (req/s)", "Output token throughput (tok/s)", "Total Token throughput (tok/s)",
		"User throughput (tok/s)",
	} {
		fmt.Fprintf(&b, "%s: 1.0\n", name)
	}
	for _, stat := range []string{"Mean", "Median", "P99"} {
		for _, of := range []string{"TTFT", "TPOT", "ITL", "E2EL"} {
			fmt.Fprintf(&b, "%s %s (ms): 1.0\n", stat, of)
		}
	}
	return b.String() + strings.Repeat("=", 50) + "\n"
}
