package perfsanity

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/yamlfile"
)

// What becomes of the keys of a case that no role's engine reads:
//
//   - most are carried out: by the plan, or by upstream's test, which reads the run's copy of the case;
//   - some are refused where their value asks for what neither can do ([config.refused]);
//   - the others are ignored, and the plan names them ([config.ignored]).
//
// A case that is accepted says so, or does all that it asks for.

// fault is a value that is refused.
type fault struct{ key, problem string }

// refused lists what the case asks for and nobody here can do.
func (c config) refused() []fault {
	var faults []fault
	bad := func(key, problem string, args ...any) {
		faults = append(faults, fault{key, fmt.Sprintf(problem, args...)})
	}
	if client := c.Benchmark.Client; client != "" {
		bad("benchmark.benchmark_client", "%q is not supported: leave it out for TensorRT-LLM's client, or set "+
			"use_nv_sa_benchmark", client)
	}
	if !c.Benchmark.ABArms.Absent() {
		bad("benchmark.agreement_ab_arms", "a run with several arms is not supported: make a case of each")
	}
	if n, ok := c.ServerExtra.Get("num_workers").Scalar(); ok && n != "1" {
		bad("server_config_extra.num_workers", "%s: upstream's coordinator takes no more than 1 here", n)
	}
	if !c.ServerExtra.Get("disagg_coordinator_url").Absent() {
		bad("server_config_extra.disagg_coordinator_url", "a coordinator elsewhere is not supported")
	}
	for _, b := range []struct {
		key   string
		block yamlfile.Block
	}{{"worker_config.gen", c.WorkerConfig.Gen}, {"worker_config.ctx", c.WorkerConfig.Ctx}} {
		if url := b.block.Get("disagg_coordinator_url"); !url.Absent() {
			bad(b.key+".disagg_coordinator_url", "a coordinator elsewhere is not supported")
		}
	}
	return faults
}

// ignored tells, one line each, what the case says and nobody does here. Placeholders say nothing.
func (c config) ignored(t *Test) []string {
	list := c.ofTest(t)
	note := func(key, text string, args ...any) {
		list = append(list, key+" "+fmt.Sprintf(text, args...))
	}
	if on, _ := c.PrecheckSettings.Get("enabled").Scalar(); on == "true" {
		note("cache_transceiver_precheck", "is not run: the way between hosts is tried, the transfer of caches is not")
	}
	if on, _ := c.Profiling.Get("nsys_on").Scalar(); on == "true" {
		note("profiling.nsys_on", "is not carried out: put nsys before the workers with the recipe's launch value")
	}
	if !c.Sequence.Absent() {
		note("sequence", "is not read by upstream's test either: say benchmark.input_length and output_length")
	}
	if wait, limit := c.Slurm.serverTimeout(), roles.Duration(c.Slurm.JobTime); c.Slurm.Timeout > 0 && limit > 0 &&
		wait > limit {
		note("slurm.timeout", "(%v) is longer than slurm.job_time (%v): the job ends before", wait.Std(), limit.Std())
	}
	list = append(list, ofCluster(c.Slurm, c.Environment)...)
	if c.WorkerConfig.EPLBSlots.Line() > 0 {
		if n, _ := c.WorkerConfig.EPLBSlots.Scalar(); n != "" && n != "0" {
			note("worker_config.eplb_num_slots", "is not read by upstream's test either")
		}
	}
	return list
}

// ofCluster tells what the case says of a cluster, which neither upstream nor this tool takes from a case.
func ofCluster(s slurm, e environment) (list []string) {
	note := func(key, value, instead string) {
		if value != "" && value != "false" && !strings.HasPrefix(value, "<") {
			list = append(list, fmt.Sprintf("%s (%s) is not used, as upstream has it: use %s", key, value, instead))
		}
	}
	note("slurm.partition", s.Partition, "--partition or the profile")
	note("slurm.account", s.Account, "--account or the profile")
	note("slurm.extra_args", withoutGPUs(s.ExtraArgs), "sbatch_args of the profile")
	for _, key := range slices.Sorted(maps.Keys(e.Others)) {
		instead, known := insteadOf[key]
		if !known {
			instead = "the profile"
		}
		if value := e.Others[key]; value != nil {
			note("environment."+key, fmt.Sprint(value), instead)
		}
	}
	return list
}

// insteadOf are what takes the place of keys of a case's environment.
var insteadOf = map[string]string{
	"container_image": "container.image of the profile", "container_mount": "container.mounts of the profile",
	"model_path": "models_root of the profile", "trtllm_repo": "--trtllm-dir", "work_dir": "--run-dir",
	"build_wheel": "install of the profile", "cuda_architectures": "install of the profile",
	"trtllm_wheel_path": "install of the profile", "open_search_db_base_url": "--upload",
}

// ofTest lists what only upstream's test does, where it takes no part.
func (c config) ofTest(t *Test) (list []string) {
	if t != nil {
		return nil
	}
	b := c.Benchmark
	for _, k := range []struct {
		key  string
		says bool
	}{
		{"accuracy", c.Accuracy.Enabled}, {"benchmark.client_timeout_seconds", b.ClientTimeout > 0},
		{"benchmark.post_benchmark_drain_seconds", !b.Drain.Absent()},
		{"benchmark.expected_context_activations", !b.Activations.Absent()},
		{"benchmark.expected_peer_ready_mode", !b.PeerReady.Absent()},
		{"internal_request_auth_key", !c.InternalAuthKey.Absent()},
	} {
		if k.says {
			list = append(list, k.key+" is read by upstream's test alone, which this recipe does not run")
		}
	}
	return list
}

// withoutGPUs takes the requests for GPUs away, which the layout makes.
func withoutGPUs(args string) string {
	words := slices.DeleteFunc(strings.Fields(args), func(w string) bool {
		return strings.HasPrefix(w, "--gres=gpu") || strings.HasPrefix(w, "--gpus-per-node")
	})
	return strings.Join(words, " ")
}

// ownKeys are keys of a worker's block that upstream's test reads itself: they never reach the engine.
var ownKeys = [...]string{
	"mode", "concurrency", "name", "model_name", "disagg_run_type", "gpus", "gpus_per_node", "match_mode",
	"client_configs", "backend", "extra_llm_api_config_path", "server_env_var",
}
