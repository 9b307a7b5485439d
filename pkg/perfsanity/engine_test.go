package perfsanity

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/yamlfile"
)

// inEngine is what the engine reads of a worker's block, in a checkout with some files.
func inEngine(t *testing.T, text string, src Source, files map[string]string) (string, error) {
	t.Helper()
	b, err := yamlfile.ParseBlock("c.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	src.Read = func(name string) ([]byte, error) {
		if data, ok := files[name]; ok {
			return []byte(data), nil
		}
		return nil, fs.ErrNotExist
	}
	b, err = engineBlock(b, src)
	if err != nil {
		return "", err
	}
	return b.Text()
}

// None of the keys that upstream's test reads itself reaches the engine, whatever else a block has.
func TestOwnKeysNeverReachTheEngine(t *testing.T) {
	for _, key := range strings.Fields("mode concurrency name model_name disagg_run_type gpus gpus_per_node " +
		"match_mode client_configs backend server_env_var") {
		text, err := inEngine(t, key+": x\nmax_batch_size: 4\n", Source{}, nil)
		if err != nil || text != "max_batch_size: 4\n" {
			t.Errorf("%s: %q, %v", key, text, err)
		}
	}
}

// Paths are relative to what upstream's test has them relative to; without that, and when whole, they stay.
func TestEnginePaths(t *testing.T) {
	const draft, balancer = "speculative_config:\n  speculative_model: a/b\n", "moe_config:\n  load_balancer: x.yaml\n"
	for _, tt := range []struct {
		text string
		src  Source
		want string
	}{
		{draft, Source{ModelsRoot: "/m"}, `"/m/a/b"`},
		{draft, Source{Checkout: "/co"}, "model: a/b"},
		{balancer, Source{Checkout: "/co"}, `"/co/x.yaml"`},
		{balancer, Source{ModelsRoot: "/m"}, "balancer: x.yaml"},
		{"moe_config:\n  load_balancer: /abs/x.yaml\n", Source{Checkout: "/co"}, "/abs/x.yaml"},
		{"moe_config:\n  load_balancer:\n    num_slots: 4\n", Source{Checkout: "/co"}, "num_slots: 4"},
	} {
		text, err := inEngine(t, tt.text, tt.src, nil)
		if err != nil || !strings.Contains(text, tt.want) {
			t.Errorf("%+v: %q, %v, want %s", tt.src, text, err, tt.want)
		}
	}
}

// Defaults are a file of the checkout or a whole path. One that is missing or no YAML is an error that says whose it
// is.
func TestEngineDefaultsFile(t *testing.T) {
	files := map[string]string{
		"/co/d.yaml": "a: 2\n", "/abs/d.yaml": "a: 3\n", "/co/bad.yaml": "a: [", "/co/list.yaml": "[1]",
		"/co/empty.yaml": "\n",
	}
	for file, want := range map[string]string{
		"d.yaml": "a: 2\n", "/abs/d.yaml": "a: 3\n", "''": "{}\n",
		"none.yaml": "cannot read the engine's defaults (extra_llm_api_config_path): ", "bad.yaml": "/co/bad.yaml",
		"list.yaml": "/co/list.yaml:1: want keys and values", "empty.yaml": "{}\n",
	} {
		text, err := inEngine(t, "extra_llm_api_config_path: "+file+"\n", Source{Checkout: "/co"}, files)
		if err != nil {
			text = err.Error()
		}
		if !strings.Contains(text, want) {
			t.Errorf("%s: %q, want %s", file, text, want)
		}
	}
	_, err := inEngine(t, "extra_llm_api_config_path: none.yaml", Source{Checkout: "/co"}, nil)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// A fault in the engine's defaults fails the case: it is not left to the engine, hours later.
func TestEngineFaultFailsTheCase(t *testing.T) {
	text := "metadata: {model_name: m}\nbenchmark: {concurrency_list: 4}\n" +
		"hardware: {gpus_per_node: 4, num_ctx_servers: 1, num_gen_servers: 1}\n" +
		"worker_config: {gen: {}, ctx: {extra_llm_api_config_path: none.yaml}}\n"
	_, _, err := Load(Source{Name: "c.yaml", Read: func(name string) ([]byte, error) {
		if name == "c.yaml" {
			return []byte(text), nil
		}
		return nil, fs.ErrPermission
	}})
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v", err)
	}
}

// A kind's router is its own, else the one for both.
func TestRouters(t *testing.T) {
	c, err := loadBlocks("router_config: {type: a}", "ctx_router_config: {type: b}")
	if err != nil || c.Routers[roles.Gen] != "{type: a}\n" || c.Routers[roles.Ctx] != "{type: b}\n" {
		t.Errorf("%q, %v", c.Routers, err)
	}
	c, err = loadBlocks("gen_router_config: {type: c}")
	if err != nil || c.Routers[roles.Gen] != "{type: c}\n" || c.Routers[roles.Ctx] != "" {
		t.Errorf("%q, %v", c.Routers, err)
	}
}

// A server's size is the product of three sizes. Generation 0 says it itself, where the sizes do not.
func TestSizes(t *testing.T) {
	for text, want := range map[string]struct {
		explicit, gpus int
		fault          string
	}{
		"{}": {0, 1, ""},
		"{tensor_parallel_size: 2, pipeline_parallel_size: 3, context_parallel_size: 4}": {0, 24, ""},
		"{tensor_parallel_size: 0, pipeline_parallel_size: 3}": {
			0, 3, "gen.tensor_parallel_size: 0: want at least 1",
		},
		"{x: 1}":                        {8, 8, ""},
		"{tensor_parallel_size: 1}":     {8, 8, ""},
		"{tensor_parallel_size: 8}":     {8, 8, ""},
		"{tensor_parallel_size: 2}":     {8, 2, "its sizes multiply to 2 GPUs, but hardware says 8"},
		"{moe_expert_parallel_size: 4}": {0, 1, ""},
		"{context_parallel_size: -1}":   {0, 1, "a size of -1: want at least 1"},
		"{pipeline_parallel_size: -3}":  {0, 1, "a size of -3"},
		"{world_size: -2}":              {0, 1, "a size of -2"},
		"{tensor_parallel_size: 3}":     {-1, 3, "a size of -1"},
		"{world_size: 100000}":          {0, 1, ""},
		"{world_size: 100001}":          {0, 1, "one server has more than 100000 GPUs"},
		"{y: 1}":                        {100_001, 100_001, "one server has more than 100000 GPUs"},
		"{z: 1}":                        {9_000_000_000, 100_001, "one server has more than 100000 GPUs"},
		"{tensor_parallel_size: 100000, pipeline_parallel_size: 100000, context_parallel_size: 100000}": {
			0, 100_001, "one server has more",
		},
	} {
		b, err := yamlfile.ParseBlock("c.yaml", text)
		if err != nil {
			t.Fatal(err)
		}
		p, err := size(b, want.explicit, "c.yaml", "worker_config.gen")
		if p.gpus() != want.gpus {
			t.Errorf("%s, %d: %d GPUs, want %d", text, want.explicit, p.gpus(), want.gpus)
		}
		fault := ""
		if err != nil {
			fault = err.Error()
		}
		if (want.fault == "") != (fault == "") || !strings.Contains(fault, want.fault) {
			t.Errorf("%s, %d: %q, want %q", text, want.explicit, fault, want.fault)
		}
	}
}

// A fault of the second block is one of the case too.
func TestSizeOfPrefill(t *testing.T) {
	_, err := loadBlocks("worker_config: {gen: {}, ctx: {tensor_parallel_size: -1}}")
	if err == nil || !strings.Contains(err.Error(), "worker_config.ctx: a size of -1") {
		t.Errorf("%v", err)
	}
}
