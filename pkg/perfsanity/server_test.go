package perfsanity

import (
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/roles"
)

// loadServer loads the server "s" of an aggregated config, with some keys of its own, of its one client and blocks.
func loadServer(keys, client string, blocks ...string) (roles.Case, error) {
	text := strings.Join(blocks, "\n") + "\n"
	for name, block := range map[string]string{
		"metadata": "{model_name: m, model_dir_name: d, precision: fp4, supported_gpus: [B100]}",
		"hardware": "{gpus_per_node: 4}",
	} {
		if !strings.Contains(text, name+":") {
			text += name + ": " + block + "\n"
		}
	}
	text += "server_configs:\n- {name: s, " + keys + ", client_configs: [{" + client + "}]}\n"
	test := Newest()
	c, _, err := Load(Source{
		Name: "aggr-cfg-s", Folder: "/own", Test: &test,
		Read: func(string) ([]byte, error) { return []byte(text), nil },
	})
	return c, err
}

// What an aggregated config says for all its servers holds for each; a server's own model and variables come last.
func TestServerOfConfig(t *testing.T) {
	c, err := loadServer("tensor_parallel_size: 8, server_env_var: B=2", "concurrency: 1",
		"slurm: {job_time: '00:30:00', timeout: 60, partition: fast}", "environment: {server_env_var: A=1}")
	if err != nil {
		t.Fatal(err)
	}
	if c.Model != "m" || c.Precision != "fp4" || !cmp.Equal(c.SupportedGPUs, []string{"B100"}) ||
		c.TimeLimit.Std() != 30*time.Minute || c.ServerTimeout.Std() != time.Minute ||
		c.Origin.Path != "/own/cfg.yaml" {
		t.Errorf("%+v", c)
	}
	if !cmp.Equal(c.ModelDirs, []string{"d", "m"}) || len(c.Notes) != 1 ||
		!strings.HasPrefix(c.Notes[0], "slurm.part") {
		t.Errorf("%v, %v", c.ModelDirs, c.Notes)
	}
	if want := []roles.Var{{Name: "A", Value: "1"}, {Name: "B", Value: "2"}}; !cmp.Equal(c.Env[roles.Gen], want) {
		t.Errorf("%v", c.Env)
	}
	if c.Document["s_server_env_var"] != "B=2" || c.Document["l_gpus_per_node"] != 4 ||
		c.Document["s_model_name"] != "m" {
		t.Errorf("%v", c.Document)
	}
	c, err = loadServer("world_size: 8, model_name: Own", "concurrency: 1")
	if err != nil || c.Model != "Own" || c.Document["s_model_name"] != "own" || c.TimeLimit != usualLimit ||
		!cmp.Equal(c.ModelDirs, []string{"d", "Own"}) {
		t.Errorf("%s, %v, %v, %v", c.Model, c.ModelDirs, c.TimeLimit.Std(), err)
	}
}

// A server's size is its world, else the product of its sizes, of which the document has each.
func TestServerSize(t *testing.T) {
	for keys, want := range map[string][2]int{
		"world_size: 12, tensor_parallel_size: 8":                                      {12, 8},
		"tensor_parallel_size: 2, pipeline_parallel_size: 3, context_parallel_size: 4": {24, 24},
		"world_size: 100000, max_batch_size: 1":                                        {100_000, 1},
	} {
		c, err := loadServer(keys, "concurrency: 1")
		if got := c.Servers[roles.Gen].GPUs; err != nil || got != want[0] || c.Document["l_gpus"] != want[1] {
			t.Errorf("%s: %d GPUs, %v by its document: %v", keys, got, c.Document["l_gpus"], err)
		}
	}
	c, err := loadServer("world_size: 8, max_batch_size: 5", "concurrency: 1")
	if err != nil || c.Document["l_max_batch_size"] != 5 || c.Document["s_runtime"] != "multi_node_aggr_server" {
		t.Errorf("%v, %v", c.Document, err)
	}
	if doc := aggregatedDocument(map[string]any{"l_gpus": 4, "l_gpus_per_node": 4}); doc["s_runtime"] != "aggr_server" {
		t.Errorf("a server that fills one node runs as %v", doc["s_runtime"])
	}
}

// Each fault of a server or its clients is told by the key and with the values.
func TestServerFaults(t *testing.T) {
	const big, clients = "world_size: 8", "/own/cfg.yaml: server_configs.s.client_configs: "
	for want, tt := range map[string]struct{ keys, client, block string }{
		"/own/cfg.yaml: hardware.gpus_per_node: missing or below 1": {
			big, "isl: 1", "hardware: {gpus_per_node: 0}",
		},
		"/own/cfg.yaml: server_configs: one server has more than 100000 GPUs": {"world_size: 100001", "isl: 1", ""},
		"server_configs: one server has more than 100000 GPUs ": {
			"world_size: 9000000000000", "isl: 1", "",
		},
		"/own/cfg.yaml: slurm.timeout: -1: want seconds, 0 to 315360000": {big, "isl: 1", "slurm: {timeout: -1}"},
		clients + "a client with concurrency -1 and 0 iterations":        {big, "concurrency: -1", ""},
		clients + "a client with concurrency 1000001 and 2 iterations": {
			big, "concurrency: 1000001, iterations: 2", "",
		},
		clients + "a client with concurrency 0 and -3 iterations":      {big, "iterations: -3", ""},
		clients + "a client with concurrency 0 and 1000001 iterations": {big, "iterations: 1000001", ""},
		clients + "a client with isl -1, osl 2 and random_range_ratio 0": {
			big, "isl: -1, osl: 2", "",
		},
		clients + "a client with isl 0, osl -2 and random_range_ratio 0":  {big, "osl: -2", ""},
		clients + "a client with isl 0, osl 0 and random_range_ratio NaN": {big, "random_range_ratio: .nan", ""},
		clients + "1001 clients: want 1 to 1000": {
			big, "concurrency: 1}" + strings.Repeat(", {concurrency: 1}", maxPoints-1) + ", {concurrency: 1", "",
		},
		"/own/cfg.yaml:5: slurm.job_time: ":         {big, "isl: 1", "slurm:\n\n\n\n  job_time: soon"},
		"it is an aggregated test on one node, in ": {"world_size: 4", "isl: 1", ""},
	} {
		_, err := loadServer(tt.keys, tt.client, tt.block)
		if err == nil || !strings.Contains(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("%+v: %v, want %s", tt, err, want)
		}
	}
	if _, err := loadServer("world_size: 4", "isl: 1", "hardware: {gpus_per_node: 1}"); err != nil {
		t.Errorf("four nodes of one GPU each: %v", err)
	}
}

// A client's point is what it says, with upstream's values for the rest; the largest values are taken.
func TestServersClient(t *testing.T) {
	c, err := loadServer("world_size: 8", "concurrency: 1000000, iterations: 1000000, isl: 3, osl: 4, "+
		"random_range_ratio: 0.5, dataset_file: d, use_nv_sa_benchmark: true, name: own, streaming: false, "+
		"use_chat_template: true, backend: b", "")
	want := roles.PointLoad{Rounds: 1_000_000, InputLength: 3, OutputLength: 4, RangeRatio: 0.5, Dataset: "d"}
	if err != nil || !cmp.Equal(c.Load.Of(0), want) || c.Load.Client != saClient {
		t.Fatalf("%+v, %v", c.Load, err)
	}
	for key, want := range map[string]any{
		"s_client_name": "own", "s_test_case_name": "s-own", "b_streaming": false, "b_use_chat_template": true,
		"s_backend": "b", "b_use_nv_sa_benchmark": true, "b_eos": false, "l_iterations": 1_000_000,
	} {
		if got := c.PointDocuments[0][key]; got != want {
			t.Errorf("%s: %v, want %v", key, got, want)
		}
	}
	c, err = loadServer("world_size: 8, speculative_config: {decoding_type: MTP}", "dataset_file: ''")
	if err != nil || !cmp.Equal(c.Load.Concurrency, []int{1}) || c.Load.Client != "" {
		t.Fatalf("%+v, %v", c.Load, err)
	}
	for key, want := range map[string]any{
		"s_client_name": "con1_iter1_isl1024_osl1024", "b_streaming": true, "b_use_chat_template": false,
		"s_backend": "openai", "b_use_nv_sa_benchmark": false, "b_eos": true, "l_concurrency": 1,
	} {
		if got := c.PointDocuments[0][key]; got != want {
			t.Errorf("%s: %v, want %v", key, got, want)
		}
	}
}

// Every folder in which upstream kept configs is searched, the newest first, each kind's in its own.
func TestConfigFolders(t *testing.T) {
	for _, tt := range []struct {
		name, folders string
	}{
		{"disagg-e2e-c", "scripts/perf-sanity/disaggregated scripts/perf/disaggregated " +
			"integration/defs/perf/disagg/test_configs/disagg/perf-sanity " +
			"integration/defs/perf/disagg/test_configs/disagg/perf " +
			"integration/defs/perf/disagg/test_configs/wideep/perf"},
		{"aggr-c-s", "scripts/perf-sanity/aggregated scripts/perf/aggregated"},
	} {
		var asked []string
		_, _, err := Load(Source{Name: tt.name, Checkout: "/co", Read: func(file string) ([]byte, error) {
			asked = append(asked, strings.TrimSuffix(strings.TrimPrefix(file, "/co/tests/"), "/c.yaml"))
			return nil, fs.ErrNotExist
		}})
		if diff := cmp.Diff(strings.Fields(tt.folders), asked); diff != "" || err == nil {
			t.Errorf("%s: %v %s", tt.name, err, diff)
		}
	}
}

// What cannot be found or read says why, and what to pass instead.
func TestNotFound(t *testing.T) {
	for _, tt := range []struct {
		src  Source
		want string
	}{
		{Source{}, "cannot find a case: its name is empty"},
		{Source{Name: "c"}, `cannot find case "c": pass its path, or --trtllm-dir DIR`},
		{Source{Name: "a/c", Checkout: "/co"}, `cannot find case "a/c": a config's name has no folders`},
		{Source{Name: "disagg-e2e-../c", Checkout: "/co"}, `"disagg-e2e-../c": a config's name has no folders`},
		{Source{Name: "x.yaml"}, "cannot read case: permission denied"},
		{Source{Name: "dir/x.yml"}, "cannot read case: permission denied"},
		{Source{Name: "c", Folder: "/own"}, "cannot read case: permission denied"},
		{Source{Name: "disagg-e2e-"}, `cannot read test id "disagg-e2e-": it names no config`},
		{Source{Name: "disagg-ctx_only-c"}, "ctx_only is run by an aggregated test: want aggr-ctx_only-c"},
		{Source{Name: "test_x.py -k y"}, `cannot run "test_x.py -k y": it is not a perf-sanity test`},
		{Source{Name: "a::b"}, `cannot run "a::b": it is not a perf-sanity test`},
	} {
		tt.src.Read = func(string) ([]byte, error) { return nil, fs.ErrPermission }
		if _, _, err := Load(tt.src); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.src.Name, err, tt.want)
		}
	}
}

// A mode that is none is refused before anything else is decided; a setting for a case that cannot be read says so.
func TestLoadStopsAtTheFirstFault(t *testing.T) {
	src := Source{Name: "c.yaml", Mode: "fast", Read: func(string) ([]byte, error) {
		return []byte("metadata: {model_name: m}\nbenchmark: {concurrency_list: 4}\nworker_config: {gen: {}}\n" +
			"hardware: {gpus_per_node: 4, num_ctx_servers: 0, num_gen_servers: 1}\n"), nil
	}}
	if _, _, err := Load(src); err == nil || !strings.HasPrefix(err.Error(), `unknown mode "fast": want e2e`) {
		t.Errorf("%v", err)
	}
	src.Settings = []roles.Setting{{Key: "multi_round", Value: "2"}}
	src.Read = func(string) ([]byte, error) { return []byte("a: ["), nil }
	if _, _, err := Load(src); err == nil || !strings.HasPrefix(err.Error(), "c.yaml:") {
		t.Errorf("%v", err)
	}
}

// Where an aggregated config is set, its own keys may be, with those that only its kind has.
func TestSettingsOfServers(t *testing.T) {
	test := Newest()
	src := Source{Name: "aggr-cfg-s", Folder: "/own", Test: &test, Read: func(string) ([]byte, error) {
		return []byte("metadata: {model_name: m}\nhardware: {gpus_per_node: 4}\nserver_configs:\n" +
			"- {name: s, world_size: 8, client_configs: [{isl: 1}]}\n"), nil
	}}
	src.Settings = []roles.Setting{{Key: "job_time", Value: "00:10:00"}}
	if c, _, err := Load(src); err != nil || c.TimeLimit.Std() != 10*time.Minute {
		t.Errorf("%v, %v", c.TimeLimit.Std(), err)
	}
	src.Settings = []roles.Setting{{Key: "gen.tensor_parallel_size", Value: "2"}}
	if _, _, err := Load(src); err == nil || !strings.Contains(err.Error(), "cfg.yaml has no such key") {
		t.Errorf("%v", err)
	}
}
