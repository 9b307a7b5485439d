package bench

import "fmt"

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
