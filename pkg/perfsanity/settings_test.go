package perfsanity_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/perfsanity"
	"github.com/disagg/disagg/pkg/roles"
)

// settable is a case whose workers share a part, and where a key says that it has nothing.
const settable = `# mine
x-common: {x-part: 1}
metadata: {model_name: m}
benchmark: {concurrency_list: '4 8', input_length: 64}
hardware: {gpus_per_node: 4, num_ctx_servers: 1, num_gen_servers: 1}
worker_config:
  gen:
    tensor_parallel_size: 4
    max_batch_size: 8
    kv_cache_config: &cache {free_gpu_memory_fraction: 0.8, dtype: auto}
    attention_dp_config: null
    print_iter_log: true
    sim_knob: 5
  ctx:
    max_batch_size: 16
    kv_cache_config: *cache
`

// loadSet loads that case with settings.
func loadSet(settings ...roles.Setting) (roles.Case, string, error) {
	c, kept, err := perfsanity.Load(perfsanity.Source{
		Name: "dir/c.yaml", Settings: settings, Read: func(string) ([]byte, error) { return []byte(settable), nil },
	})
	return c, string(kept), err
}

// set is settings from texts KEY=VALUE.
func set(texts ...string) (list []roles.Setting) {
	for _, text := range texts {
		key, value, _ := strings.Cut(text, "=")
		list = append(list, roles.Setting{Key: key, Value: value})
	}
	return list
}

// A case is loaded with what was asked for, which its copy and its hash have too. Keys may be the ends of paths; the
// case has them whole.
func TestSettings(t *testing.T) {
	plain, text, err := loadSet()
	if err != nil || text != settable || plain.Settings != nil {
		t.Fatalf("%v, %v", err, plain.Settings)
	}
	c, kept, err := loadSet(set("concurrency_list=1", "gen.kv_cache_config.free_gpu_memory_fraction=0.5",
		"worker_config.ctx.max_batch_size=32", "sim_knob=6", "gen.attention_dp_config.timeout_iters=7",
		"gen.enable_chunked_prefill=true", "input_length=128")...)
	if err != nil {
		t.Fatal(err)
	}
	want := set("benchmark.concurrency_list=1", "worker_config.gen.kv_cache_config.free_gpu_memory_fraction=0.5",
		"worker_config.ctx.max_batch_size=32", "worker_config.gen.sim_knob=6",
		"worker_config.gen.attention_dp_config.timeout_iters=7", "worker_config.gen.enable_chunked_prefill=true",
		"benchmark.input_length=128")
	if diff := cmp.Diff(want, c.Settings); diff != "" {
		t.Error(diff)
	}
	if c.Origin.SHA256 == plain.Origin.SHA256 || c.TestID != plain.TestID || c.Name != "c" {
		t.Errorf("%+v, %s", c.Origin, c.TestID)
	}
	if diff := cmp.Diff([]int{1}, c.Load.Concurrency); diff != "" || c.Load.InputLength != 128 {
		t.Errorf("%s %+v", diff, c.Load)
	}
	gen, ctx := c.WorkerConfig[roles.Gen], c.WorkerConfig[roles.Ctx]
	for text, in := range map[string]string{
		"free_gpu_memory_fraction: 0.5": gen, "sim_knob: 6": gen, "timeout_iters: 7": gen,
		"enable_chunked_prefill: true": gen, "max_batch_size: 8": gen,
		"free_gpu_memory_fraction: 0.8": ctx, "max_batch_size: 32": ctx, "# mine": kept, "concurrency_list: 1": kept,
	} {
		if !strings.Contains(in, text) {
			t.Errorf("no %q in\n%s", text, in)
		}
	}
}

// What cannot be set is refused by name, with what was perhaps meant; two keys of one end are told apart.
func TestSettingsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"concurency_list=1": "cannot set concurency_list: c.yaml has no such key: did you mean " +
			"benchmark.concurrency_list?",
		"gen.max_batchsize=1":              "did you mean worker_config.gen.max_batch_size?",
		"worker_conf.gen.max_batch_size=1": "did you mean worker_config.gen.max_batch_size?",
		"sim_knop=1":                       "did you mean worker_config.gen.sim_knob?",
		"nothing.like.it=1":                "cannot set nothing.like.it: c.yaml has no such key",
		"x-part=1":                         "cannot set x-part: c.yaml has no such key",
		"tensor_parallel_size=2": "cannot set tensor_parallel_size: it may be " +
			"worker_config.ctx.tensor_parallel_size, worker_config.gen.tensor_parallel_size: say which",
		"benchmark.mode=gen_only":  "cannot set benchmark.mode: choose with --mode",
		"benchmark_client=aiperf":  `benchmark.benchmark_client: "aiperf" is not supported`,
		"concurrency_list=many":    `"many" is not a concurrency`,
		"gen.max_batch_size=large": "cannot set worker_config.gen.max_batch_size to large: want a number, as the case",
		"print_iter_log=1":         "cannot set worker_config.gen.print_iter_log to 1: want true or false, as the case",
		"gen.max_batch_size=":      "cannot set worker_config.gen.max_batch_size: want a value after =",
		"input_length=[1":          "cannot set benchmark.input_length to [1: want a value as YAML has it: ",
		"input_length=[1]":         "c.yaml:4: benchmark.input_length: a list: want a whole number",
		"gen=5":                    "worker_config.gen: missing, or not a mapping",
		"gen.max_batch_size.x=5":   "cannot set gen.max_batch_size.x: c.yaml has no such key",
	} {
		_, _, err := loadSet(set(text)...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// Any key and value lead to a case or to an error; a case that is loaded has the settings.
func FuzzSettings(f *testing.F) {
	f.Add("concurrency_list", "1 2")
	f.Add("gen.kv_cache_config", "{dtype: fp8}")
	f.Add("worker_config.ctx.kv_cache_config.dtype", "null")
	f.Add("x", "*a")
	f.Fuzz(func(t *testing.T, key, value string) {
		c, kept, err := loadSet(roles.Setting{Key: key, Value: value})
		if err != nil {
			return
		}
		if len(c.Settings) != 1 || !roles.EndsWith(c.Settings[0].Key, key) || len(kept) == 0 {
			t.Errorf("%q=%q: %+v", key, value, c.Settings)
		}
	})
}
