package perfsanity

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/yamlfile"
)

// plainCase is a small case, by the blocks that tests change.
var plainCase = map[string]string{
	"metadata": "{model_name: m}", "benchmark": "{concurrency_list: 4}", "slurm": "{}",
	"hardware":      "{gpus_per_node: 4, num_ctx_servers: 1, num_gen_servers: 1}",
	"worker_config": "{gen: {x: 1}, ctx: {x: 1}}", "server_config_extra": "{}",
}

// loadBlocks loads the small case with some of its blocks changed, each "block: value".
func loadBlocks(blocks ...string) (roles.Case, error) {
	text := strings.Join(blocks, "\n") + "\n"
	for name, block := range plainCase {
		if !strings.HasPrefix(text, name+":") && !strings.Contains(text, "\n"+name+":") {
			text += name + ": " + block + "\n"
		}
	}
	c, _, err := Load(Source{Name: "c.yaml", Read: func(string) ([]byte, error) { return []byte(text), nil }})
	return c, err
}

// What a layout cannot be made without is missing by its key, and so is what is there with a value that is none.
func TestRequired(t *testing.T) {
	const gpus = "hardware.gpus_per_node: missing or below 1"
	const gen = "hardware.num_gen_servers: missing or below 1"
	const ctx = "hardware.num_ctx_servers: missing or below 0"
	for block, want := range map[string]string{
		"metadata: {precision: fp4}":                             "metadata.model_name: missing",
		"benchmark: {}":                                          "benchmark.concurrency_list: missing",
		"benchmark: {concurrency_list: 4, multi_round: -1}":      "benchmark.multi_round: -1: want 0 to 1000000",
		"benchmark: {concurrency_list: 4, multi_round: 1000001}": "multi_round: 1000001: want 0 to 1000000",
		"benchmark: {concurrency_list: 4, input_length: -1}":     "benchmark.input_length: -1: want at least 0",
		"benchmark: {concurrency_list: 4, output_length: -2}":    "benchmark.output_length: -2: want at least 0",
		"benchmark: {concurrency_list: 4, benchmark_ratio: -1}":  "benchmark.benchmark_ratio: -1: want a number",
		"benchmark: {concurrency_list: 4, benchmark_ratio: .nan}": "benchmark.benchmark_ratio: NaN: want a number, " +
			"at least 0",
		"benchmark: {concurrency_list: 4, benchmark_ratio: .inf}": "benchmark.benchmark_ratio: +Inf: want",
		"slurm: {timeout: -1}": "slurm.timeout: -1: want seconds, 0 " +
			"to",
		"slurm: {timeout: 315360001}": "315360001: want seconds, 0 to " +
			"315360000",
		"hardware: {num_ctx_servers: 1, num_gen_servers: 1}":                    gpus,
		"hardware: {gpus_per_node: -4, num_ctx_servers: 1}":                     gpus + " (and 1 more)",
		"hardware: {gpus_per_node: 4, num_ctx_servers: 1}":                      gen,
		"hardware: {gpus_per_node: 4, num_ctx_servers: 1, num_gen_servers: 0}":  gen,
		"hardware: {gpus_per_node: 4, num_gen_servers: 1}":                      ctx,
		"hardware: {gpus_per_node: 4, num_ctx_servers: -1, num_gen_servers: 1}": ctx,
		"hardware: {}":                      gpus + " (and 2 more)",
		"worker_config: {ctx: {x: 1}}":      "worker_config.gen: missing, or not a mapping",
		"worker_config: {gen: {x: 1}}":      "worker_config.ctx: missing, or not a mapping",
		"worker_config: {gen: 1, ctx: [1]}": "worker_config.gen: missing, or not a mapping (and 1 more)",
	} {
		_, err := loadBlocks(block)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "c.yaml:") {
			t.Errorf("%s: %v, want %s", block, err, want)
		}
	}
}

// The largest and the smallest values that are none too many are taken.
func TestLimitsAreReached(t *testing.T) {
	for _, block := range []string{
		"benchmark: {concurrency_list: 1000000, multi_round: 1000000, benchmark_ratio: 0.0}",
		"benchmark: {concurrency_list: '" + strings.Repeat("1 ", maxPoints) + "'}",
		"hardware: {gpus_per_node: 1, num_ctx_servers: 1, num_gen_servers: 1}",
		"worker_config: {gen: {tensor_parallel_size: 100000}, ctx: {}}",
		"slurm: {timeout: 315360000}", "slurm: {timeout: 0}",
		"hardware: {gpus_per_node: 4, num_ctx_servers: 0, num_gen_servers: 1}\nworker_config: {gen: {}}",
	} {
		c, err := loadBlocks(block)
		if err != nil {
			t.Errorf("%s: %v", block, err)
		}
		if c.ServerTimeout <= 0 || c.TimeLimit <= 0 {
			t.Errorf("%s: it waits %v of %v", block, c.ServerTimeout.Std(), c.TimeLimit.Std())
		}
	}
}

// What the tool gives to every role may stand nowhere in a case, and the error names the line.
func TestReserved(t *testing.T) {
	for block, want := range map[string]string{
		"server_config_extra:\n  a: 1\n  hostname: x": "c.yaml:3: server_config_extra.hostname: is set by the " +
			"tool",
		"server_config_extra:\n  port: 1":                     "c.yaml:2: server_config_extra.port: is set by the tool",
		"server_config_extra:\n  context_servers: {}":         "c.yaml:2: server_config_extra.context_servers: is set",
		"server_config_extra:\n  generation_servers: []":      "c.yaml:2: server_config_extra.generation_servers: is",
		"server_config_extra: {internal_request_auth_key: x}": "server_config_extra.internal_request_auth_key: is set",
		"worker_config:\n  ctx: {}\n  gen:\n    internal_request_auth_key: x": "c.yaml:4: worker_config.gen." +
			"internal_request_auth_key: is set by the tool and may not be given here",
		"worker_config:\n  gen: {}\n  ctx: {internal_request_auth_key: x}": "c.yaml:3: worker_config.ctx." +
			"internal_request_auth_key: is set",
		"worker_config: {gen: {disagg_coordinator_url: u}, ctx: {}}": "worker_config.gen.disagg_coordinator_url: a " +
			"coordinator elsewhere is not supported",
		"worker_config: {gen: {}, ctx: {disagg_coordinator_url: u}}": "worker_config.ctx.disagg_coordinator_url: a",
	} {
		_, err := loadBlocks(block)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", block, err, want)
		}
	}
}

// A text that cannot be read is refused on the line where it stands, also in a list.
func TestErrorsNameLines(t *testing.T) {
	for block, want := range map[string]string{
		"benchmark:\n  concurrency_list:\n  - 1\n  - x": `benchmark.concurrency_list: "x" is not a ` +
			`concurrency`,
		"benchmark:\n  concurrency_list: 1 -2": `c.yaml:2: benchmark.concurrency_list: "-2" is ` +
			`not`,
		"benchmark:\n  concurrency_list: 0x4": `"0x4" is not a concurrency: want whole numbers from ` +
			`1`,
		"benchmark:\n  concurrency_list: ''": "c.yaml:2: benchmark.concurrency_list: no " +
			"concurrency",
		"benchmark:\n  concurrency_list: 4\n  mode: x": `c.yaml:3: benchmark.mode: unknown mode "x": want e2e, ` +
			`gen_only`,
		"slurm:\n  job_time: 0": `c.yaml:2: slurm.job_time: "0" is not a time ` +
			`limit`,
		"slurm:\n  job_time: -1": `c.yaml:2: slurm.job_time: "-1" is not a time ` +
			`limit`,
		"slurm:\n  job_time: 99999999999": `slurm.job_time: "99999999999" is not a time ` +
			`limit`,
		"environment:\n  server_env_var: A='x": "c.yaml:2: environment.server_env_var: cannot " +
			"split",
		"environment:\n  client_env_var: '=x'": `c.yaml:2: environment.client_env_var: "=x" is not ` +
			`NAME=VALUE`,
		"environment:\n  worker_env_var: [A=1]": "c.yaml:2: environment.worker_env_var: a list: " +
			"want one text of NAME=VALUE",
		"environment:\n  server_env_var: {A: 1}": "environment.server_env_var: keys and values: " +
			"want one text",
		"benchmark:\n  concurrency_list: 4\n  mode: [e2e]": "c.yaml:3: benchmark.mode: a list: want a mode",
		"benchmark:\n  concurrency_list: {4: 8}": "benchmark.concurrency_list: keys and values: " +
			"want whole numbers",
		"environment:\n  worker_env_var: A{=1":                            `"A{=1" is not NAME=VALUE`,
		"environment:\n  worker_env_var: A:=1":                            `"A:=1" is not NAME=VALUE`,
		"environment:\n  worker_env_var: A/=1":                            `"A/=1" is not NAME=VALUE`,
		"environment:\n  worker_env_var: ä=1":                             `"ä=1" is not NAME=VALUE`,
		"environment:\n  worker_env_var: 9=1":                             `"9=1" is not NAME=VALUE`,
		"environment:\n  worker_env_var: 0A=1":                            `"0A=1" is not NAME=VALUE`,
		"worker_config:\n  gen:\n    tensor_parallel_size: -1\n  ctx: {}": "c.yaml:3: worker_config.gen: a size of -1",
	} {
		_, err := loadBlocks(block)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %s", block, err, want)
		}
	}
	if _, ok := errors.AsType[*yamlfile.Error](oneLine([]error{&yamlfile.Error{Key: "first"}, errors.New("x")})); !ok {
		t.Error("of several faults the first is lost")
	}
}

// Letters of every case, digits behind the first and underscores make a name; a value may be empty or have an "=".
func TestVariablesNames(t *testing.T) {
	c, err := loadBlocks("environment: {worker_env_var: 'aZ09=1 _= zA=b=c'}")
	want := []roles.Var{{Name: "aZ09", Value: "1"}, {Name: "_", Value: ""}, {Name: "zA", Value: "b=c"}}
	if got := c.Env[roles.Gen]; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
}

// A list of concurrencies may be a YAML list too.
func TestConcurrencyList(t *testing.T) {
	c, err := loadBlocks("benchmark: {concurrency_list: [4, '8']}")
	if err != nil || len(c.Load.Concurrency) != 2 || c.Load.Concurrency[1] != 8 {
		t.Errorf("%v, %v", c.Load.Concurrency, err)
	}
}

// A limit is as Slurm has it. What YAML 1.1 makes of an unquoted 12:00:00 is seconds; a smaller number is minutes.
func TestTimes(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"{job_time: 90}": 90 * time.Minute, "{job_time: 43199}": 43199 * time.Minute,
		"{job_time: 43200}":     12 * time.Hour,
		"{job_time: 315360000}": 315360000 * time.Second, "{job_time: 1-02:00:00}": 26 * time.Hour, "{}": 2 * time.Hour,
	} {
		c, err := loadBlocks("slurm: " + text)
		if err != nil || c.TimeLimit.Std() != want || c.ServerTimeout.Std() != 3*time.Hour {
			t.Errorf("%s: %v and %v for servers, want %v: %v", text, c.TimeLimit.Std(),
				c.ServerTimeout.Std(), want, err)
		}
	}
	c, err := loadBlocks("slurm: {timeout: 60}")
	if err != nil || c.ServerTimeout.Std() != time.Minute {
		t.Errorf("%v, %v", c.ServerTimeout.Std(), err)
	}
}
