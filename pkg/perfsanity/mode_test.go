package perfsanity_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/perfsanity"
	"github.com/disagg/disagg/pkg/roles"
)

// The versions of the test, the oldest first.
var (
	oldestTest  = perfsanity.Test{}
	portsTest   = perfsanity.Test{ModeInID: true}
	addressTest = perfsanity.Test{ModeInID: true, ReportsAddress: true, StepTime: true}
	newestTest  = perfsanity.Newest()
)

// What is measured is decided once: the flag, the id and the config's mode give the id that the test is asked for, what
// the run's copy of the config says, the servers, the load and the variables, as the version of the test has them.
func TestModes(t *testing.T) {
	const only, overlap, queue = "TRTLLM_DISAGG_BENCHMARK_GEN_ONLY=1", "TRTLLM_DISABLE_KV_CACHE_TRANSFER_OVERLAP=1",
		"TLLM_BENCHMARK_REQ_QUEUES_SIZE="
	for name, tt := range map[string]struct {
		name, inConfig, asked string
		test                  *perfsanity.Test
		// want is mode, id, the copy's mode, decode and prefill servers, load, and what is added to decode's variables.
		want string
	}{
		"the config's": {
			"", "gen_only", "", &newestTest,
			"gen_only disagg-gen_only-c gen_only 2 1 4x1 " + overlap + " " + queue + "4",
		},
		"no mode at all": {"", "", "", &newestTest, "e2e disagg-e2e-c  2 1 4,8x3"},
		"the id's": {
			"disagg_upload-gen_only-c", "e2e", "", &newestTest,
			"gen_only disagg_upload-gen_only-c gen_only 2 1 4x1 " + overlap + " " + queue + "4",
		},
		"the flag's": {"disagg-gen_only-c", "e2e", "e2e", &newestTest, "e2e disagg-e2e-c e2e 2 1 4,8x3"},
		"the config may say more than the id": {
			"disagg-gen_only-c", "gen_only_no_context", "", &addressTest,
			"gen_only_no_context disagg-gen_only-c gen_only_no_context 2 0 4x1 " + only,
		},
		"the flag says less than the config": {
			"", "gen_only_no_context", "gen_only", &addressTest,
			"gen_only disagg-gen_only-c gen_only 2 1 4x1 " + overlap + " " + queue + "4",
		},
		"without context, by flag": {
			"", "e2e", "gen_only_no_context", &addressTest,
			"gen_only_no_context disagg-gen_only-c gen_only_no_context 2 0 4x1 " + only,
		},
		"without context, aggregated": {
			"", "e2e", "gen_only_no_context", &newestTest,
			"gen_only_no_context aggr-gen_only_no_context-c gen_only_no_context 1 0 4x1 " + only,
		},
		"without context, by its id": {
			"aggr_upload-gen_only_no_context-c", "e2e", "", &newestTest,
			"gen_only_no_context aggr_upload-gen_only_no_context-c gen_only_no_context 1 0 4x1 " + only,
		},
		"prefill alone": {"aggr-ctx_only-c", "e2e", "", &newestTest, "ctx_only aggr-ctx_only-c e2e 0 1 4,8x3"},
		"with a modifier": {
			"disagg-e2e-time_breakdown-c", "e2e", "", &newestTest, "e2e disagg-e2e-time_breakdown-c e2e 2 1 4,8x3",
		},
		"an id without a mode": {"disagg_upload-c", "e2e", "", &oldestTest, "e2e disagg_upload-c e2e 2 1 4,8x3"},
		"an id with a mode for the oldest test": {
			"disagg-e2e-c", "gen_only", "", &oldestTest, "e2e disagg-c e2e 2 1 4,8x3",
		},
		"the oldest gen_only has no prefill": {
			"", "e2e", "gen_only", &oldestTest,
			"gen_only disagg-c gen_only 2 0 8x3 " + only + " " + overlap + " " + queue + "8",
		},
		"ports": {
			"disagg-gen_only-c", "e2e", "", &portsTest,
			"gen_only disagg-gen_only-c gen_only 2 1 4x1 " + overlap + " " + queue + "4",
		},
		"another engine": {
			"", "e2e", "gen_only_no_context", nil,
			"gen_only_no_context disagg-gen_only_no_context-c gen_only_no_context 2 0 4x1 " + only,
		},
	} {
		c, kept, err := perfsanity.Load(sourceOf(tt.name, tt.inConfig, tt.asked, tt.test))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		vars := ""
		for _, v := range c.Env[roles.Gen] {
			vars += " " + v.Name + "=" + v.Value
		}
		points := strings.ReplaceAll(strings.Trim(fmt.Sprint(c.Load.Concurrency), "[]"), " ", ",")
		got := fmt.Sprintf("%s %s %s %d %d %sx%d%s", c.Mode, c.TestID, modeIn(kept), c.Servers[roles.Gen].Count,
			c.Servers[roles.Ctx].Count, points, c.Load.Rounds, vars)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// An id that the checkout's test does not know is refused, with the one that it knows.
func TestModesRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		name string
		test perfsanity.Test
		want string
	}{
		"no mode": {
			"disagg-c", newestTest, "cannot run disagg-c: the checkout's test wants the mode in the id: disagg-e2e-c",
		},
		"four roles": {
			"disagg-gen_only_no_context-c", newestTest, "the checkout's test wants aggr-gen_only_no_context-c",
		},
		"one test": {
			"aggr-gen_only_no_context-c", addressTest, "test runs gen_only_no_context with four roles: " +
				"pass the config's name and --mode gen_only_no_context",
		},
		"prefill alone": {"aggr-ctx_only-c", oldestTest, "the checkout's test knows no ctx_only"},
		"a modifier":    {"disagg-e2e-time_breakdown-c", addressTest, "the checkout's test knows no time_breakdown"},
	} {
		if _, _, err := perfsanity.Load(sourceOf(tt.name, "e2e", "", &tt.test)); err == nil ||
			!strings.HasSuffix(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}

// sourceOf is a small case that is given by a test id, or by the name of its config.
func sourceOf(name, inConfig, asked string, test *perfsanity.Test) perfsanity.Source {
	if name == "" {
		name = "c"
	}
	mode := ""
	if inConfig != "" {
		mode = "mode: " + inConfig + ", "
	}
	text := `metadata: {model_name: m}
benchmark: {` + mode + `concurrency_list: 4 8, multi_round: 3}
hardware: {gpus_per_node: 4, num_ctx_servers: 1, num_gen_servers: 2}
worker_config: {gen: {tensor_parallel_size: 2}, ctx: {}}
`
	return perfsanity.Source{
		Name: name, Mode: asked, Folder: "/configs", Test: test,
		Read: func(string) ([]byte, error) { return []byte(text), nil },
	}
}

// modeIn is the mode that a config says.
func modeIn(text []byte) string {
	_, rest, found := strings.Cut(string(text), "mode: ")
	if !found {
		return ""
	}
	mode, _, _ := strings.Cut(strings.ReplaceAll(rest, "\n", ","), ",")
	return strings.Trim(mode, "} ")
}

// A case's own variable wins over what its mode adds.
func TestCaseWinsOverMode(t *testing.T) {
	src := sourceOf("", "gen_only", "", &newestTest)
	read := src.Read
	src.Read = func(file string) ([]byte, error) {
		text, err := read(file)
		return append(text, "environment: {gen_worker_env_var: TLLM_BENCHMARK_REQ_QUEUES_SIZE=5}\n"...), err
	}
	c, _, err := perfsanity.Load(src)
	if err != nil {
		t.Fatal(err)
	}
	vars := c.Env[roles.Gen]
	if last := vars[len(vars)-1]; last.Value != "5" || len(vars) != 3 {
		t.Errorf("%v", vars)
	}
}

// What a test can do is read from its text, in every version.
func TestFindTest(t *testing.T) {
	const oldestText = `cmd = ["trtllm-serve", "--host"]; test_cases.append(f"{test_type}-{config_yml}")`
	const modes = "\n" + `test_cases.append(f"{test_type}-e2e-{config_yml}")`
	const address = "\n" + `cmd += ["--report_addr", file]; RE = "prev_device_step_time"
x = "gen_only_no_context" in mode`
	for name, tt := range map[string]struct {
		test, utils string
		want        perfsanity.Test
	}{
		"oldest":  {oldestText, "", oldestTest},
		"ports":   {oldestText + modes, "", portsTest},
		"address": {oldestText + modes + address, "", addressTest},
		"interim": {
			oldestText + modes + address, `DISAGG_BENCHMARK_MODES = ("e2e", GEN_ONLY_NO_CONTEXT_MODE)`,
			perfsanity.Test{ModeInID: true, ReportsAddress: true, StepTime: true, NoContext: perfsanity.NoContextInID},
		},
		"newest": {
			oldestText + address + "\nMODIFIERS = ('time_breakdown',)", `DISAGG_BENCHMARK_MODES = ("e2e", "gen_only")
AGGREGATED_DISAGG_YAML_MODES = ("ctx_only", "gen_only_no_context")`, newestTest,
		},
	} {
		got, err := perfsanity.FindTest("/co", func(file string) ([]byte, error) {
			switch {
			case file == "/co/"+perfsanity.TestFile:
				return []byte(tt.test), nil
			case tt.utils != "":
				return []byte(tt.utils), nil
			}
			return nil, os.ErrNotExist
		})
		got.Models = nil
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
	if _, err := perfsanity.FindTest("/co", func(string) ([]byte, error) { return nil, os.ErrNotExist }); err == nil {
		t.Error("no test is a test")
	}
}

// Prefill alone may say how many GPUs it has; elsewhere the sizes count.
func TestWorldSize(t *testing.T) {
	text := []byte("metadata: {model_name: m}\nbenchmark: {concurrency_list: 4}\n" +
		"hardware: {gpus_per_node: 4, num_ctx_servers: 1, num_gen_servers: 1}\n" +
		"worker_config: {gen: {tensor_parallel_size: 8, world_size: 16}, " +
		"ctx: {tensor_parallel_size: 4, world_size: 8}}\n")
	for mode, want := range map[perfsanity.Mode]int{perfsanity.CtxOnly: 8, "e2e": 4} {
		c, _, err := perfsanity.Load(perfsanity.Source{
			Name: "c.yaml", Mode: string(mode), Test: &newestTest,
			Read: func(string) ([]byte, error) { return text, nil },
		})
		if got := c.Servers[roles.Ctx].GPUs; err != nil || got != want {
			t.Errorf("%s: %d GPUs, want %d: %v", mode, got, want, err)
		}
	}
}
