package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/disagg/disagg/test/check"
	"github.com/disagg/disagg/test/tool"
)

// The examples for CI systems do what they say: their commands plan and run a list, and keep what a reader needs.
func TestCIExamples(t *testing.T) {
	if testing.Short() {
		t.Skip("runs jobs of the simulated engine")
	}
	python := python(t)
	if python == "" {
		t.Skip("the simulated engine needs python3 >= 3.11 with pytest and PyYAML")
	}
	bin := t.TempDir()
	if err := tool.Build(bin); err != nil {
		t.Fatal(err)
	}
	for name, commands := range map[string][]string{
		"jenkins": ofJenkins(t), "github": ofGitHub(t),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			followCI(t, bin, environment(t, python), commands)
		})
	}
}

// followCI runs the commands of an example, one after the other, as a CI system does.
func followCI(t *testing.T, bin string, env, commands []string) {
	t.Helper()
	dir := t.TempDir()
	checkout := filepath.Join(dir, "checkout")
	if err := os.CopyFS(checkout, os.DirFS(filepath.Join(tool.Root(), "examples/sim"))); err != nil {
		t.Fatal(err)
	}
	// A cluster's part is played by this machine, whatever Slurm it may have.
	local := "#!/bin/sh\ncommand=$1\nshift\n[ $command != run ] || set -- --launcher local \"$@\"\n" +
		"exec " + bin + "/disagg-submit $command \"$@\"\n"
	const test = "perf/test_perf_sanity.py::test_e2e"
	for file, text := range map[string]string{
		"checkout/tests/scripts/perf-sanity/disaggregated/tiny.yaml": "metadata: {model_name: tiny}\n" +
			"benchmark: {concurrency_list: 1, input_length: 64, output_length: 16}\n" +
			"hardware: {gpus_per_node: 4, num_ctx_servers: 1, num_gen_servers: 1}\n" +
			"worker_config: {gen: {tensor_parallel_size: 1}, ctx: {tensor_parallel_size: 1}}\n",
		"checkout/tests/integration/test_lists/qa/list.txt": test + "[disagg-e2e-tiny]\n" +
			test + "[aggr-ctx_only-tiny]\n",
		"checkout/tests/integration/test_lists/waives.txt": test + "[aggr-ctx_only-tiny] SKIP (slow)\n",
		"bin/disagg-submit": local,
	} {
		check.Script(t, filepath.Join(dir, file), text)
	}
	profile := filepath.Join(tool.Root(), "examples/profiles/sim.yaml")
	for _, command := range commands {
		cmd := exec.Command("bash", "-eo", "pipefail", "-c", command)
		cmd.Dir = dir
		cmd.Env = slices.Concat(env, []string{
			"DISAGG=" + filepath.Join(dir, "bin"), "RUNS=" + filepath.Join(dir, "runs"), "PARALLEL=2",
			"TESTLIST=qa/list.txt", "CHECKOUT=" + checkout, "DISAGG_TRTLLM_DIR=" + checkout,
			"PROFILE=" + profile, "DISAGG_PROFILE=" + profile,
		})
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v:\n%s", command, err, out)
		}
	}
	for file, want := range map[string]string{
		"junit.xml":                                  `tests="2" failures="0" errors="0" skipped="1"`,
		"kept/001-disagg-e2e-tiny/result.json":       `"verdict": "passed"`,
		"kept/001-disagg-e2e-tiny/report/index.html": "disagg-e2e-tiny",
	} {
		if data, err := os.ReadFile(filepath.Join(dir, file)); err != nil || !strings.Contains(string(data), want) {
			t.Errorf("%s: %v: %s", file, err, data)
		}
	}
}

// ofJenkins are the shell commands of the Jenkinsfile, as Groovy hands them over.
func ofJenkins(t *testing.T) (commands []string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(tool.Root(), "examples/jenkins/Jenkinsfile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?s)sh '''(.*?)'''`).FindAllStringSubmatch(string(data), -1) {
		commands = append(commands, strings.NewReplacer("\\\n", "", `\\`, `\`).Replace(m[1]))
	}
	return commands
}

// ofGitHub are the commands of the workflow. Its programs lie where the Jenkinsfile's do.
func ofGitHub(t *testing.T) (commands []string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(tool.Root(), "examples/github/perf.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct{ Run string }
		}
	}
	if err := yaml.Unmarshal(data, &workflow); err != nil {
		t.Fatal(err)
	}
	for _, s := range workflow.Jobs["run"].Steps {
		if s.Run != "" {
			commands = append(commands, strings.ReplaceAll(s.Run, "/shared/disagg/bin", "$DISAGG"))
		}
	}
	return commands
}
