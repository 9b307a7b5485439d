package perfsanity_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/perfsanity"
	"github.com/disagg/disagg/pkg/roles"
)

const (
	newest = "testdata/b100_model-fp4_8k1k_con30_ctx2_tep2_gen1_dep6_eagle3_ccb-NIXL.yaml"
	oldest = "testdata/model-fp4_1k1k_ctx1_gen4_tep8_bs32_ccb-UCX.yaml"
)

// tryLoad loads a case from the disk.
func tryLoad(src perfsanity.Source) (roles.Case, error) {
	src.Read = os.ReadFile
	c, data, err := perfsanity.Load(src)
	if err == nil && len(data) == 0 {
		return c, errors.New("the case's text is missing")
	}
	return c, err
}

func load(t *testing.T, src perfsanity.Source) roles.Case {
	t.Helper()
	c, err := tryLoad(src)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLoadNewestSchema(t *testing.T) {
	c := load(t, perfsanity.Source{Name: newest, Checkout: "/co", ModelsRoot: "/models"})
	want := map[roles.Kind]roles.Server{roles.Gen: {Count: 1, GPUs: 6}, roles.Ctx: {Count: 2, GPUs: 2}}
	if diff := cmp.Diff(want, c.Servers); diff != "" {
		t.Error(diff)
	}
	if c.Mode != "e2e" || c.TestID != "disagg-e2e-"+c.Name || c.TimeLimit != roles.Duration(2*time.Hour) ||
		!c.NUMABind {
		t.Errorf("mode %s, id %s, limit %v, NUMA %v", c.Mode, c.TestID, time.Duration(c.TimeLimit), c.NUMABind)
	}
	load := roles.Load{
		Concurrency: []int{30}, Streaming: true,
		PointLoad: roles.PointLoad{Rounds: 10, InputLength: 8192, OutputLength: 1024},
	}
	if diff := cmp.Diff(load, c.Load); diff != "" {
		t.Error(diff)
	}
	if c.ServerExtra != "tool_parser: own\n" || c.Routers[roles.Gen] != "type: conversation\n" {
		t.Errorf("server extra %q, router %q", c.ServerExtra, c.Routers[roles.Gen])
	}
}

// Anchors are resolved, paths joined as upstream's test joins them, and everything else is left alone.
func TestWorkerConfigPassesThrough(t *testing.T) {
	c := load(t, perfsanity.Source{Name: newest, Checkout: "/co", ModelsRoot: "/models"})
	for _, kind := range []roles.Kind{roles.Gen, roles.Ctx} {
		text := c.WorkerConfig[kind]
		for _, want := range []string{
			"decoding_type: Eagle3", `speculative_model: "/models/eagle/hf"`, "batch_sizes: [1, 2, 4]",
			"unheard_of_key: yes",
			`load_balancer: "/co/tests/slots.yaml"`,
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is not in:\n%s", kind, want, text)
			}
		}
		if strings.ContainsAny(text, "&*") {
			t.Errorf("%s: an anchor or alias is left in:\n%s", kind, text)
		}
	}
}

func TestRoleEnvironments(t *testing.T) {
	c := load(t, perfsanity.Source{Name: newest})
	shared := []roles.Var{
		{Name: "LOG", Value: "INFO"}, {Name: "SIZE", Value: "1GiB"}, {Name: "PYTHONWARNINGS", Value: "ignore::X:a.b"},
	}
	want := map[roles.Kind][]roles.Var{
		roles.Gen:         append(shared[:3:3], roles.Var{Name: "ACCEPTED", Value: "1.78"}),
		roles.Ctx:         append(shared[:3:3], roles.Var{Name: "ALLOC", Value: "expandable_segments:True"}),
		roles.Coordinator: {{Name: "GC", Value: "1"}},
	}
	if diff := cmp.Diff(want, c.Env); diff != "" {
		t.Error(diff)
	}
}

func TestLoadOldestSchema(t *testing.T) {
	c := load(t, perfsanity.Source{Name: oldest, Mode: "e2e"})
	if diff := cmp.Diff([]int{1, 2, 4, 8}, c.Load.Concurrency); diff != "" {
		t.Error(diff)
	}
	if c.Load.InputLength != 1024 || c.Load.OutputLength != 1024 || c.Load.Dataset != "sets/x.json" {
		t.Errorf("upstream's test measures with lengths of its own, whatever the sequence block says: %+v", c.Load)
	}
	if c.TimeLimit != roles.Duration(12*time.Hour) {
		t.Errorf("an unquoted 12:00:00 is %v", time.Duration(c.TimeLimit))
	}
}

// The places where a case is looked for, by base name and by test id.
func TestFind(t *testing.T) {
	checkout := t.TempDir()
	dir := filepath.Join(checkout, "tests/scripts/perf-sanity/disaggregated")
	data, err := os.ReadFile(newest)
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "a-b_c.yaml"), data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"a-b_c", "disagg_upload-e2e-a-b_c", "perf/test_perf_sanity.py::test_e2e[disagg-e2e-a-b_c]",
	} {
		c := load(t, perfsanity.Source{Name: name, Checkout: checkout})
		if c.Name != "a-b_c" || c.Upload != strings.Contains(name, "upload") {
			t.Errorf("%s: %s, upload %v", name, c.Name, c.Upload)
		}
	}
	_, err = tryLoad(perfsanity.Source{Name: "none", Checkout: checkout})
	if err == nil || !strings.Contains(err.Error(), `cannot find case "none"`) {
		t.Errorf("got %v", err)
	}
}

// Bad input gets one line that names the file, the key and, where it stands in the file, the line.
func TestFaults(t *testing.T) {
	good, err := os.ReadFile(newest)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ old, new, want string }{
		"missing model": {"  model_name: own_model\n", "", "metadata.model_name: missing"},
		"misspelt key":  {"  num_gen_servers:", "  num_gen_server:", "hardware.num_gen_server: unknown key"},
		"bool concurrency": {
			"concurrency_list: '30'", "concurrency_list: true",
			`benchmark.concurrency_list: "true" is not a concurrency`,
		},
		"zero concurrency": {"concurrency_list: '30'", "concurrency_list: 0", "benchmark.concurrency_list"},
		"empty list": {
			"concurrency_list: '30'", "concurrency_list: []", "benchmark.concurrency_list: no concurrency",
		},
		"bad time":        {"job_time: 02:00:00", "job_time: soon", `slurm.job_time: "soon" is not a time limit`},
		"bad mode":        {"mode: e2e", "mode: e3e", `:20: benchmark.mode: unknown mode "e3e"`},
		"no gpus":         {"gpus_per_node: 4", "gpus_per_node: 0", "hardware.gpus_per_node: missing or below 1"},
		"reserved":        {"tool_parser: own", "port: 1", "server_config_extra.port: is set by the tool"},
		"shell expansion": {"LOG=INFO", "LOG=$HOME", ":41: environment.worker_env_var: cannot split"},
		"not a variable":  {"LOG=INFO", "LOG", `:41: environment.worker_env_var: "LOG" is not NAME=VALUE`},
		"no shell's name": {"LOG=INFO", "'A B=1'", `:41: environment.worker_env_var: "A B=1" is not NAME=VALUE`},
		"a number's name": {"LOG=INFO", "1A=1", `"1A=1" is not NAME=VALUE`},
		"of the tool": {
			"LOG=INFO", "DISAGG_GUARD=1",
			":41: environment.worker_env_var: DISAGG_GUARD is set by the tool and may not be given here",
		},
		"large concurrency": {"concurrency_list: '30'", "concurrency_list: 1000001", "from 1 to 1000000"},
		"many points": {
			"concurrency_list: '30'", "concurrency_list: '" + strings.Repeat("1 ", 1001) + "'",
			"benchmark.concurrency_list: 1001 points: want at most 1000",
		},
		"a comma": {
			"concurrency_list: '30'", "concurrency_list: '4, 8'",
			`benchmark.concurrency_list: "4," is not a concurrency`,
		},
		"another client": {
			"use_nv_sa_benchmark: false", "benchmark_client: agentx",
			`benchmark.benchmark_client: "agentx" is not supported`,
		},
		"arms":              {"use_nv_sa_benchmark: false", "agreement_ab_arms: [{a: b}]", "agreement_ab_arms: a run"},
		"many coordinators": {"tool_parser: own", "num_workers: 2", "server_config_extra.num_workers: 2: upstream's"},
		"a fleet":           {"tool_parser: own", "disagg_coordinator_url: x", "extra.disagg_coordinator_url"},
		"two sizes": {
			"gpus_per_node: 4", "gpus_per_node: 4\n  gpus_per_gen_server: 4",
			"worker_config.gen: its sizes multiply to 6 GPUs, but hardware says 4: remove one of them",
		},
		"below none": {
			"tensor_parallel_size: 6", "tensor_parallel_size: -6", "worker_config.gen: a size of -6: want at least 1",
		},
		"a product that is not a number": {
			"tensor_parallel_size: 6", "tensor_parallel_size: 4611686018427387904",
			"worker_config.gen: one server has more than 100000 GPUs",
		},
		"text for a number": {
			"tensor_parallel_size: 6", "tensor_parallel_size: six",
			":60: worker_config.gen.tensor_parallel_size: \"six\": want a whole number",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(string(good), tt.old, tt.new, 1)
			if text == string(good) {
				t.Fatal("the test changes nothing")
			}
			file := filepath.Join(t.TempDir(), "c.yaml")
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := tryLoad(perfsanity.Source{Name: file})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), file) ||
				strings.Contains(err.Error(), "\n") {
				t.Errorf("got  %v\nwant %s: … %s", err, file, tt.want)
			}
		})
	}
}

// TestRealConfigs reads a folder of real configs, where there is one: their names tell how many servers they have.
func TestRealConfigs(t *testing.T) {
	dir := os.Getenv("DISAGG_TEST_CONFIGS")
	if dir == "" {
		t.Skip("DISAGG_TEST_CONFIGS names no folder of real configs")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s holds no config: %v", dir, err)
	}
	for _, f := range files {
		c := load(t, perfsanity.Source{Name: f})
		for kind, mark := range map[roles.Kind]string{roles.Ctx: "_ctx", roles.Gen: "_gen"} {
			if want := fmt.Sprintf("%s%d", mark, c.Servers[kind].Count); !strings.Contains(f, want) {
				t.Errorf("%s: it has %d %s servers", f, c.Servers[kind].Count, kind)
			}
		}
	}
}

func FuzzLoad(f *testing.F) {
	for _, file := range []string{newest, oldest} {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add([]byte(strings.Replace(string(data), "max_batch_size: ", "max_batch_size: .nan # ", 1)))
		f.Add([]byte(strings.Replace(string(data), "max_batch_size: ", "max_batch_size: {1: 2} # ", 1)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		c, err := tryLoad(perfsanity.Source{Name: file})
		if err != nil && !strings.HasPrefix(err.Error(), file) {
			t.Errorf("the error does not name the file: %v", err)
		}
		gen, ctx := c.Servers[roles.Gen], c.Servers[roles.Ctx]
		if err == nil && (gen.Count+ctx.Count < 1 || gen.Count > 0 && gen.GPUs < 1 || len(c.Load.Concurrency) < 1) {
			t.Errorf("an impossible case was accepted: %+v", c)
		}
		if _, problem := json.Marshal(c); err == nil && problem != nil {
			t.Errorf("a case was accepted that no plan can hold: %v", problem)
		}
	})
}
