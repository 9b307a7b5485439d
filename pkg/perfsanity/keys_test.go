package perfsanity

import (
	"io/fs"
	"reflect"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/yamlfile"
)

// samples are values that ask for something, by key. A key that is left to upstream's test, which reads the run's copy
// of the case, and one that says nothing about a run, say so.
var samples = map[string]string{
	"metadata.model_name": "other", "metadata.precision": "fp4", "metadata.model_dir_name": "folder",
	"metadata.supported_gpus": "[GB200]",
	"slurm.script_file":       saysNothing, "slurm.partition": "fast", "slurm.account": "ours",
	"slurm.job_time": "03:00:00",
	"slurm.job_name": saysNothing, "slurm.extra_args": "--constraint=x", "slurm.numa_bind": "true",
	"slurm.timeout":     "60",
	"slurm.set_segment": saysNothing, // the profile's segment
	"benchmark.mode":    "gen_only", "benchmark.use_nv_sa_benchmark": "true", "benchmark.multi_round": "7",
	"benchmark.benchmark_ratio": "0.5", "benchmark.streaming": "false", "benchmark.concurrency_list": "3",
	"benchmark.input_length": "5", "benchmark.output_length": "6", "benchmark.dataset_file": "x.json",
	"benchmark.only_run_accuracy": "true", "benchmark.benchmark_client": "agentx",
	"benchmark.client_timeout_seconds": ofTest, "benchmark.post_benchmark_drain_seconds": ofTest,
	"benchmark.expected_context_activations": ofTest, "benchmark.expected_peer_ready_mode": ofTest,
	"benchmark.agreement_ab_arms": "[{name: a}]", "benchmark.metrics": saysNothing,
	"sequence": "{input_length: 3}", "hardware.gpus_per_node": "8", "hardware.num_ctx_servers": "0",
	"hardware.num_gen_servers": "2", "hardware.gpus_per_ctx_server": "2", "hardware.gpus_per_gen_server": "2",
	"environment.worker_env_var": "A=1", "environment.ctx_worker_env_var": "A=1",
	"environment.gen_worker_env_var": "A=1",
	"environment.server_env_var":     "A=1", "environment.benchmark_env_var": "A=1",
	"environment.client_env_var": "A=1",
	"worker_config.gen":          "{a: 1}", "worker_config.ctx": "{a: 1}", "worker_config.eplb_num_slots": "288",
	"profiling": "{nsys_on: true}", "accuracy.enable_accuracy_test": ofTest, "server_config_extra": "{a: 1}",
	"router_config": "{a: 1}", "ctx_router_config": "{a: 1}", "gen_router_config": "{a: 1}",
	"internal_request_auth_key": ofTest, "cache_transceiver_precheck": "{enabled: true}",
}

const (
	ofTest      = "(read by upstream's test)"
	saysNothing = "(says nothing about a run)"
)

// Every key of the schema is carried out, refused or named: none is accepted and dropped.
func TestNoKeyIsDropped(t *testing.T) {
	base, err := loadWith("", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keysOf(reflect.TypeFor[config](), "") {
		value, known := samples[key]
		if !known {
			t.Errorf("%s: it is not known what becomes of it", key)
		}
		if value == ofTest || value == saysNothing {
			continue
		}
		with, err := loadWith(key, value)
		if err == nil && reflect.DeepEqual(with, base) {
			t.Errorf("%s: %s is accepted and changes nothing", key, value)
		}
	}
}

// keysOf lists the keys of a struct as they stand in a file.
func keysOf(t reflect.Type, above string) (keys []string) {
	for i := range t.NumField() {
		name, option, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		path, typ := above+name, t.Field(i).Type
		switch {
		case option == "inline":
		case typ.Kind() == reflect.Struct && typ != reflect.TypeFor[yamlfile.Block]():
			keys = append(keys, keysOf(typ, path+".")...)
		default:
			keys = append(keys, path)
		}
	}
	return keys
}

// loadWith is a small case in which one key has a value. Where it comes from is left out.
func loadWith(key, value string) (roles.Case, error) {
	text := []byte(`metadata: {model_name: m}
slurm: {}
benchmark: {concurrency_list: 4}
hardware: {gpus_per_node: 4, num_ctx_servers: 1, num_gen_servers: 1}
environment: {}
accuracy: {enable_accuracy_test: true}
worker_config: {gen: {x: 1}, ctx: {x: 1}}
`)
	if key != "" {
		mark, err := yamlfile.ParseBlock("marker", marker)
		if err != nil {
			return roles.Case{}, err
		}
		if text, err = yamlfile.Set("c.yaml", text, mark, strings.Split(key, ".")...); err != nil {
			return roles.Case{}, err
		}
		text = []byte(strings.Replace(string(text), marker, value, 1))
	}
	test := Newest()
	c, _, err := Load(Source{
		Name: "c.yaml", Test: &test, Read: func(string) ([]byte, error) { return text, nil },
	})
	c.Origin = roles.Origin{}
	return c, err
}

const marker = "VALUE"

// What is ignored is named with what to do instead; what asks for nothing is not named.
func TestIgnored(t *testing.T) {
	for key, tt := range map[string]struct{ value, want string }{
		"cache_transceiver_precheck": {"{enabled: true}", "cache_transceiver_precheck is not run"},
		"profiling":                  {"{nsys_on: true}", "profiling.nsys_on is not carried out"},
		"slurm.extra_args": {
			"--gres=gpu:4 --constraint=x",
			"slurm.extra_args (--constraint=x) is not used, as upstream has it: use sbatch_args",
		},
		"slurm.partition": {"fast", "slurm.partition (fast) is not used"},
		"environment.model_path": {
			"/models", "environment.model_path (/models) is not used, as upstream has it: use models_root",
		},
		"environment.build_wheel": {"true", "environment.build_wheel (true) is not used"},
		"environment.mine":        {"7", "environment.mine (7) is not used"},
	} {
		c, err := loadWith(key, tt.value)
		if err != nil || len(c.Notes) != 1 || !strings.HasPrefix(c.Notes[0], tt.want) {
			t.Errorf("%s: %v, %v", key, c.Notes, err)
		}
	}
	for key, value := range map[string]string{
		"cache_transceiver_precheck": "{enabled: false}", "profiling": "{nsys_on: false}",
		"slurm.extra_args": "--gres=gpu:4",
		"slurm.partition":  "<partition>", "environment.work_dir": "<full_path_to_work_dir>",
		"environment.trtllm_repo": "''", "environment.build_wheel": "false", "worker_config.eplb_num_slots": "0",
	} {
		if c, err := loadWith(key, value); err != nil || len(c.Notes) != 0 {
			t.Errorf("%s: %v, %v", key, c.Notes, err)
		}
	}
}

// What only upstream's test does is named where the recipe does not run it.
func TestWithoutUpstreamsTest(t *testing.T) {
	text := `metadata: {model_name: m}
benchmark: {concurrency_list: 4, client_timeout_seconds: 9}
hardware: {gpus_per_node: 4, num_ctx_servers: 0, num_gen_servers: 1}
worker_config: {gen: {a: 1}}
accuracy: {enable_accuracy_test: true}
`
	c, _, err := Load(Source{Name: "c.yaml", Read: func(string) ([]byte, error) { return []byte(text), nil }})
	if err != nil || len(c.Notes) != 2 || !strings.HasPrefix(c.Notes[0], "accuracy is read by upstream's test alone") {
		t.Errorf("%q, %v", c.Notes, err)
	}
}

// A trait is what not every recipe can do.
func TestTraits(t *testing.T) {
	for key, tt := range map[string]struct {
		value string
		want  roles.Trait
	}{
		"benchmark.use_nv_sa_benchmark": {"true", roles.SAClient},
		"benchmark.only_run_accuracy":   {"true", roles.AccuracyOnly},
		"worker_config.gen":             {"{num_serve_frontends: 2}", roles.Frontends},
	} {
		if c, err := loadWith(key, tt.value); err != nil || len(c.Traits) != 1 || c.Traits[0] != tt.want {
			t.Errorf("%s: %v, %v", key, c.Traits, err)
		}
	}
	if c, err := loadWith("", ""); err != nil || len(c.Traits) != 0 {
		t.Errorf("%v, %v", c.Traits, err)
	}
}

// Keys that upstream's test reads itself do not reach the engine, and the back end is an argument.
func TestEngineBlock(t *testing.T) {
	c, err := loadWith("worker_config.gen", "{backend: _autodeploy, match_mode: scenario, gpus: 8, real: 1}")
	if err != nil || strings.TrimSpace(c.WorkerConfig[roles.Gen]) != "{real: 1}" ||
		c.Backends[roles.Gen] != "_autodeploy" || c.Backends[roles.Ctx] != "" {
		t.Errorf("%q, %v, %v", c.WorkerConfig[roles.Gen], c.Backends, err)
	}
}

// A file of defaults that a worker's block names is read from the checkout; what the block says itself wins.
func TestEngineDefaults(t *testing.T) {
	files := map[string]string{
		"c.yaml": `metadata: {model_name: m}
benchmark: {concurrency_list: 4}
hardware: {gpus_per_node: 4, num_ctx_servers: 0, num_gen_servers: 1}
worker_config: {gen: {extra_llm_api_config_path: engine/defaults.yaml, a: 1}}
`,
		"/co/engine/defaults.yaml": "a: 2\nb: {c: 3}\n",
	}
	c, _, err := Load(Source{
		Name: "c.yaml", Checkout: "/co", Read: func(name string) ([]byte, error) { return []byte(files[name]), nil },
	})
	if err != nil || c.WorkerConfig[roles.Gen] != "b: {c: 3}\na: 1\n" {
		t.Errorf("%q, %v", c.WorkerConfig[roles.Gen], err)
	}
}

// A model is looked for where the profile says, then where the checkout says, then in a folder of its own name.
func TestModelDirs(t *testing.T) {
	files := map[string]string{
		"/co/" + TestFile: `from x import MODEL_PATH_DICT as _BASE
MODEL_PATH_DICT = {
    **_BASE,
    "m": "own/folder/",  # the test's own
}
OTHER = {"m": "not a model"}
`,
		"/co/tests/integration/defs/perf/_model_paths.py": `MODEL_PATH_DICT = {
    "a": "A",
    "m":
        "long/folder",
}
`,
	}
	test, err := FindTest("/co", func(name string) ([]byte, error) {
		if text, ok := files[name]; ok {
			return []byte(text), nil
		}
		return nil, fs.ErrNotExist
	})
	if err != nil {
		t.Fatal(err)
	}
	src := Source{Test: &test, Models: map[string]string{"m": "of/profile"}}
	dirs := src.modelDirs(metadata{ModelName: "m", ModelDirName: "named"})
	if want := "of/profile own/folder long/folder named m"; strings.Join(dirs, " ") != want {
		t.Errorf("%v, want %s", dirs, want)
	}
	src.Test, src.Models = nil, nil
	if dirs = src.modelDirs(metadata{ModelName: "m"}); strings.Join(dirs, " ") != "m" {
		t.Errorf("%v", dirs)
	}
}

// Of two files of one name in two folders the first is taken, and the other named; a folder that was chosen is the only
// one.
func TestTwoFolders(t *testing.T) {
	const text = "metadata: {model_name: m}\nbenchmark: {concurrency_list: 4}\n" +
		"hardware: {gpus_per_node: 4, num_ctx_servers: 0, num_gen_servers: 1}\nworker_config: {gen: {a: 1}}\n"
	files := map[string]string{
		"/co/" + configFolders[0] + "/c.yaml": text,
		"/co/" + configFolders[1] + "/c.yaml": text + "# another\n",
		"/co/" + configFolders[2] + "/c.yaml": text,
		"/own/c.yaml":                         text,
	}
	src := Source{Name: "c", Checkout: "/co", Read: func(name string) ([]byte, error) {
		if text, ok := files[name]; ok {
			return []byte(text), nil
		}
		return nil, fs.ErrNotExist
	}}
	c, _, err := Load(src)
	if err != nil || c.Origin.Path != "/co/"+configFolders[0]+"/c.yaml" || len(c.Origin.SHA256) != 64 ||
		len(c.Notes) != 1 ||
		!strings.Contains(c.Notes[0], configFolders[1]+"/c.yaml has the same name and other contents") {
		t.Errorf("%+v, %v, %v", c.Origin, c.Notes, err)
	}
	src.Folder = "/own"
	if c, _, err = Load(src); err != nil || c.Origin.Path != "/own/c.yaml" || len(c.Notes) != 0 {
		t.Errorf("%+v, %v, %v", c.Origin, c.Notes, err)
	}
	src.Folder = "/none"
	if _, _, err = Load(src); err == nil || !strings.Contains(err.Error(), "no c.yaml in /none: pass its path") {
		t.Errorf("%v", err)
	}
}
