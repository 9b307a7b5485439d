package perfsanity

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

// Each key of a cluster is named with what takes its place here.
func TestInsteadOfClusterKeys(t *testing.T) {
	for key, instead := range map[string]string{
		"slurm.partition": "--partition or the profile", "slurm.account": "--account or the profile",
		"slurm.extra_args":            "sbatch_args of the profile",
		"environment.container_image": "container.image of the profile",
		"environment.container_mount": "container.mounts of the profile",
		"environment.model_path":      "models_root of the profile", "environment.trtllm_repo": "--trtllm-dir",
		"environment.work_dir": "--run-dir", "environment.build_wheel": "install of the profile",
		"environment.cuda_architectures":      "install of the profile",
		"environment.trtllm_wheel_path":       "install of the profile",
		"environment.open_search_db_base_url": "--upload", "environment.unheard_of": "the profile",
	} {
		want := key + " (value) is not used, as upstream has it: use " + instead
		if c, err := loadWith(key, "value"); err != nil || len(c.Notes) != 1 || c.Notes[0] != want {
			t.Errorf("%q, %v, want %q", c.Notes, err, want)
		}
	}
}

// Several notes of the environment come in the order of their keys, so that a plan is the same each time.
func TestNotesHaveAnOrder(t *testing.T) {
	c, err := loadBlocks("environment: {work_dir: w, container_image: i, model_path: m, none: null}")
	if err != nil || len(c.Notes) != 3 || !strings.HasPrefix(c.Notes[0], "environment.container_image (i)") ||
		!strings.HasPrefix(c.Notes[1], "environment.model_path (m)") {
		t.Errorf("%q, %v", c.Notes, err)
	}
}

// Of the extra arguments only requests for GPUs are the layout's.
func TestWithoutGPUs(t *testing.T) {
	for args, want := range map[string]string{
		"": "", "--gres=gpu:4": "", "--gpus-per-node=4 --x": "--x", "-a  --gres=gpu -b": "-a -b",
		"--gres=other:1": "--gres=other:1", "--gpus=4": "--gpus=4",
	} {
		if got := withoutGPUs(args); got != want {
			t.Errorf("%q: %q, want %q", args, got, want)
		}
	}
}

// What the servers may take and the job's limit are compared only where both are said.
func TestTimeoutNote(t *testing.T) {
	const longer = "slurm.timeout (2h0m0s) is longer than slurm.job_time (1h0m0s): the job ends before"
	for block, want := range map[string]string{
		"{timeout: 7200, job_time: '01:00:00'}": longer, "{timeout: 3600, job_time: '01:00:00'}": "",
		"{timeout: 60, job_time: '01:00:00'}": "", "{timeout: 20000}": "", "{job_time: '00:01:00'}": "",
	} {
		c, err := loadBlocks("slurm: " + block)
		if err != nil || strings.Join(c.Notes, ", ") != want {
			t.Errorf("%s: %q, %v, want %q", block, c.Notes, err, want)
		}
	}
}

// What nobody reads is named, unless it says nothing.
func TestUnreadKeys(t *testing.T) {
	for block, want := range map[string]string{
		"worker_config: {eplb_num_slots: 288, gen: {}, ctx: {}}": "worker_config.eplb_num_slots is not read by " +
			"upstream's test either",
		"worker_config: {eplb_num_slots: 0, gen: {}, ctx: {}}":  "",
		"worker_config: {eplb_num_slots: '', gen: {}, ctx: {}}": "",
		"sequence: {input_length: 1}": "sequence is not read by upstream's test either: say benchmark.input_length " +
			"and output_length",
		"profiling: {other: true}": "",
	} {
		c, err := loadBlocks(block)
		if err != nil || strings.Join(c.Notes, ", ") != want {
			t.Errorf("%s: %q, %v, want %q", block, c.Notes, err, want)
		}
	}
}

// Where upstream's test takes no part, each key that only it reads is named, and none that says nothing.
func TestKeysOfUpstreamsTest(t *testing.T) {
	for block, key := range map[string]string{
		"accuracy: {enable_accuracy_test: true}":                            "accuracy",
		"benchmark: {concurrency_list: 4, client_timeout_seconds: 1}":       "benchmark.client_timeout_seconds",
		"benchmark: {concurrency_list: 4, post_benchmark_drain_seconds: 0}": "benchmark.post_benchmark_drain_seconds",
		"benchmark: {concurrency_list: 4, expected_context_activations: 1}": "benchmark.expected_context_activations",
		"benchmark: {concurrency_list: 4, expected_peer_ready_mode: x}":     "benchmark.expected_peer_ready_mode",
		"internal_request_auth_key: x":                                      "internal_request_auth_key",
		"accuracy: {enable_accuracy_test: false, tasks: {a: 1}}":            "",
		"benchmark: {concurrency_list: 4, client_timeout_seconds: 0}":       "",
	} {
		want := ""
		if key != "" {
			want = key + " is read by upstream's test alone, which this recipe does not run"
		}
		c, err := loadBlocks(block)
		if err != nil || strings.Join(c.Notes, ", ") != want {
			t.Errorf("%s: %q, %v, want %q", block, c.Notes, err, want)
		}
	}
}

// A dictionary of models ends where it is closed, or where the text is cut off; its name elsewhere, as in an import, is
// none.
func TestDictionary(t *testing.T) {
	for text, want := range map[string]map[string]string{
		"": {}, "x = MODEL_PATH_DICT[name]\n\"a\": \"A\"\n": {},
		"from m import MODEL_PATH_DICT\nMODEL_PATH_DICT = {\n \"a\": \"A\",\n}\n\"b\": \"B\"":  {"a": "A"},
		"MODEL_PATH_DICT = {\n\"a\": (\n \"A\"\n)":                                             {"a": "A"},
		"MODEL_PATH_DICT = {\n\"a\": \"1\",\n}\nMODEL_PATH_DICT: dict = {\n\"a\": \"2\",\n}\n": {"a": "2"},
	} {
		got := dictionary(text)
		if len(got) != len(want) || got["a"] != want["a"] {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// A file of the checkout that is there and cannot be read is an error; the second and the models' may be missing.
func TestFindTestUnreadable(t *testing.T) {
	for unreadable, want := range map[string]string{
		testFiles[0]:  "cannot see what the checkout's test can do: ",
		testFiles[1]:  "cannot see what the checkout's test can do: ",
		modelFiles[1]: "cannot read the checkout's models: ",
		"none":        "",
	} {
		_, err := FindTest("/co", func(file string) ([]byte, error) {
			switch file {
			case "/co/" + unreadable:
				return nil, fs.ErrPermission
			case "/co/" + TestFile:
				return []byte("text"), nil
			}
			return nil, fs.ErrNotExist
		})
		if want == "" && err != nil || want != "" && (!errors.Is(err, fs.ErrPermission) ||
			!strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%s: %v, want %s", unreadable, err, want)
		}
	}
}
