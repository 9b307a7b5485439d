package slurm

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/protocol"
)

// listed are cases that differ in what measures them: 3 nodes of four, or 2 of them.
var listed = map[string]string{
	"disaggregated/tiny": listedCase("", ""),
	"disaggregated/sa":   listedCase("use_nv_sa_benchmark: true, ", ""),
	"disaggregated/accuracy": listedCase("only_run_accuracy: true, ",
		"accuracy: {enable_accuracy_test: true, tasks: gsm8k}\n"),
	"aggregated/two_nodes": `metadata: {model_name: tiny}
hardware: {gpus_per_node: 4}
server_configs:
- name: dep8
  tensor_parallel_size: 8
  client_configs:
  - {name: first, concurrency: 2, iterations: 2, isl: 16, osl: 4, backend: openai}
  - {name: second, concurrency: 4, iterations: 1, isl: 16, osl: 4, backend: openai}
`,
}

func listedCase(benchmark, more string) string {
	return "metadata: {model_name: tiny}\n" +
		"benchmark: {mode: e2e, multi_round: 2, " + benchmark +
		"concurrency_list: 2, input_length: 16, output_length: 8}\n" +
		"hardware: {gpus_per_node: 4, num_ctx_servers: 1, num_gen_servers: 1}\n" + more +
		"worker_config: {gen: {tensor_parallel_size: 8, print_iter_log: true}, ctx: {tensor_parallel_size: 4}}\n"
}

// checkout makes a checkout with these cases, of the newest version of upstream's test or of another.
func (c *cluster) checkout(t *testing.T, version string) string {
	t.Helper()
	dir := filepath.Join(c.Shared(), "checkout-"+version)
	sim := filepath.Join(c.examples(), "sim")
	if err := os.CopyFS(dir, os.DirFS(sim)); err != nil {
		t.Fatal(err)
	}
	if version != "newest" {
		cmd := exec.Command("cp", "-r", filepath.Join(sim, "versions", version)+"/.", dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	for name, text := range listed {
		file := filepath.Join(dir, "tests/scripts/perf-sanity", name+".yaml")
		err := os.MkdirAll(filepath.Dir(file), 0o755)
		if err = errors.Join(err, os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// runList runs a list of tests to its end, and returns its exit code and what was printed.
func (c *cluster) runList(t *testing.T, version, name string, ids []string, flags ...string) (code int, out string) {
	t.Helper()
	var text strings.Builder
	for _, id := range ids {
		fmt.Fprintf(&text, "perf/test_perf_sanity.py::test_e2e[%s]\n", id)
	}
	list := c.write(t, name+".txt", text.String())
	args := append([]string{
		"run", "--launcher", "slurm", "--testlist", list, "--run-dir", filepath.Join(c.Shared(), "runs-"+name),
		"--trtllm-dir", c.checkout(t, version), "--profile", filepath.Join(c.examples(), "profiles", "sim.yaml"),
	}, flags...)
	cmd := c.command(t.Context(), "disagg-submit", args...)
	data, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(data)
}

// Each kind of client and mode, and each version of upstream's test, passes as a job.
func TestLists(t *testing.T) {
	o := standard(true)
	o.Hosts = 9
	c := start(t, o)
	for version, ids := range map[string][]string{
		"newest": {
			"disagg_upload-e2e-tiny", "disagg_upload-gen_only-tiny", "disagg_upload-e2e-time_breakdown-tiny",
			"aggr_upload-ctx_only-tiny", "aggr_upload-gen_only_no_context-tiny", "disagg-e2e-sa", "disagg-e2e-accuracy",
			"aggr_upload-two_nodes-dep8",
		},
		"report-addr": {"disagg_upload-e2e-tiny", "disagg_upload-gen_only-tiny", "aggr_upload-two_nodes-dep8"},
		"ports":       {"disagg_upload-e2e-tiny", "disagg_upload-gen_only-tiny"},
		"oldest":      {"disagg_upload-tiny"},
	} {
		t.Run(version, func(t *testing.T) {
			code, out := c.runList(t, version, version, ids, "--parallel", "3", "--time", "5m")
			if passed := regexp.MustCompile(`(?m)^passed `).FindAllString(out, -1); code != protocol.ExitPassed ||
				len(passed) != len(ids) {
				t.Errorf("code %d, %d of %d passed:\n%s", code, len(passed), len(ids), out)
			}
			c.nothingLeft(t)
		})
	}
}

// In a list a failure is one of its tests alone; jobs come one after the other unless more are wanted.
func TestListWithAFailure(t *testing.T) {
	c := start(t, standard(true))
	ids := []string{"disagg-e2e-tiny", "disagg-e2e-missing", "aggr-ctx_only-tiny"}
	text := c.write(t, "waives.txt", "perf/test_perf_sanity.py::test_e2e[aggr-ctx_only-tiny] SKIP (slow)\n")
	code, out := c.runList(t, "newest", "failing", ids, "--time", "5m", "--waives", text)
	for _, want := range []string{
		`(?m)^passed .*disagg-e2e-tiny$`, `(?m)^refused .*disagg-e2e-missing +cannot find case`,
		`(?m)^waived .*aggr-ctx_only-tiny`, `(?m)^3 tests: 1 passed, 1 refused, 1 waived$`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("nothing says %s:\n%s", want, out)
		}
	}
	if code != protocol.ExitFailed {
		t.Errorf("code %d", code)
	}
	c.nothingLeft(t)
}

// Two servers of two GPUs share a node of four. Each sees its own, and the job passes.
func TestPacked(t *testing.T) {
	c := start(t, standard(true))
	runDir := filepath.Join(c.Shared(), "packed")
	if code, out := c.submit(t, runDir, smallCase, nil, "--pack"); code != protocol.ExitPassed {
		t.Fatalf("code %d:\n%s", code, out)
	}
	p, r := readPlan(t, runDir), readResult(t, runDir)
	if p.Layout.TotalNodes != 2 {
		t.Errorf("%d nodes", p.Layout.TotalNodes)
	}
	ranksAreWherePlanned(t, p, r)
	for role, want := range map[string]string{"CTX_0": "0,1", "CTX_1": "2,3"} {
		file := filepath.Join(runDir, "current", "logs", "agents", role+".0.log")
		if data, err := os.ReadFile(file); err != nil || !strings.Contains(string(data), "CUDA_VISIBLE_DEVICES="+want) {
			t.Errorf("%s does not see %s: %v", role, want, err)
		}
	}
	c.nothingLeft(t)
}
