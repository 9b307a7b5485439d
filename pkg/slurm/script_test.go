package slurm_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/slurm"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// nasty is a run directory that survives only if it is quoted right for bash and for sbatch.
const nasty = `/shared/a b/$HOME/it's "17%j"/%s`

func plan(t *testing.T, dir string, gen, ctx roles.Server) roles.Plan {
	t.Helper()
	recipe, err := roles.LoadRecipe("trtllm-serve")
	if err != nil {
		t.Fatal(err)
	}
	recipe.Checkout = nil
	p := roles.Plan{
		Schema: 1, ID: "0f0e", RunDir: roles.RunDir(dir), Recipe: recipe, Launcher: "slurm",
		Case: roles.Case{
			Name: "case/1", TestID: "disagg-e2e-case", GPUsPerNode: 4, TimeLimit: roles.Duration(2 * time.Hour),
			Servers: map[roles.Kind]roles.Server{roles.Gen: gen, roles.Ctx: ctx}, Load: roles.Load{Concurrency: []int{1}},
		},
		Cluster: roles.Cluster{Name: "c", MPI: "pmix", KillWait: roles.Duration(30 * time.Second)},
	}
	if err := p.Complete(); err != nil {
		t.Fatal(err)
	}
	return p
}

func script(t *testing.T, p roles.Plan, prof slurm.Profile) string {
	t.Helper()
	text, err := slurm.Script(p, prof, "/opt/disagg/bin/disagg-agent")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestScriptGolden(t *testing.T) {
	defaults, err := slurm.LoadProfile("default")
	if err != nil {
		t.Fatal(err)
	}
	full := defaults
	full.Partition, full.Account, full.Segment, full.Install = "batch", "team", true, "pip install x"
	full.SbatchArgs, full.SrunArgs = []string{`--comment={"a": "b c"}`}, []string{"--export=ALL,X=1 2"}
	full.Container = &slurm.Container{Image: "/img/it's.sqsh", Name: "job", Mounts: []string{"/a:/a:ro", "/b c:/b"}, Dir: "/w"}
	tests := map[string]struct {
		plan    roles.Plan
		profile slurm.Profile
	}{
		"plain": {plan(t, "/shared/run", roles.Server{Count: 1, GPUs: 8}, roles.Server{Count: 2, GPUs: 4}), defaults},
		"nasty": {plan(t, nasty, roles.Server{Count: 14, GPUs: 6}, roles.Server{Count: 12, GPUs: 1}), full},
		"gen":   {plan(t, "/shared/run", roles.Server{Count: 1, GPUs: 4}, roles.Server{}), defaults},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := script(t, tt.plan, tt.profile)
			golden := filepath.Join("testdata", name+".sbatch")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("run with -update if this is meant:\n%s", diff)
			}
			if n := strings.Count(got, "\n"); n > 60 {
				t.Errorf("the script has %d lines: want at most 60", n)
			}
			if m := regexp.MustCompile(`(?m)^\s*(sleep|while|until)\b|\bsleep\b`).FindString(got); m != "" {
				t.Errorf("the script waits by %q", m)
			}
			shellcheck(t, golden)
		})
	}
}

func shellcheck(t *testing.T, file string) {
	t.Helper()
	bin, err := exec.LookPath("shellcheck")
	if err != nil {
		t.Skip("shellcheck is not installed")
	}
	if out, err := exec.Command(bin, "--shell=bash", "--severity=style", file).CombinedOutput(); err != nil {
		t.Errorf("shellcheck: %v\n%s", err, out)
	}
}

// The script is run by a real bash, with an srun that writes down what it was asked for.
func TestScriptRuns(t *testing.T) {
	dir := filepath.Join(t.TempDir(), nasty)
	bin := t.TempDir()
	fake := "#!/bin/bash\n{ printf '%s\\n' \"$DISAGG_SERVING_TYPE\" \"$@\"; } >" + bin + "/$DISAGG_SERVING_TYPE.args\n" +
		"echo hello from $DISAGG_SERVING_TYPE\n[ \"$DISAGG_SERVING_TYPE\" != BENCHMARK ] || exit ${CODE:-0}\n"
	if err := os.WriteFile(filepath.Join(bin, "srun"), []byte(fake), 0o755); err != nil {
		t.Fatal(err)
	}
	prof, err := slurm.LoadProfile("default")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	text := script(t, plan(t, dir, roles.Server{Count: 2, GPUs: 6}, roles.Server{Count: 1, GPUs: 2}), prof)
	for code, want := range map[string]int{"0": 0, "7": 7} {
		if err := os.RemoveAll(filepath.Join(dir, "attempt-0")); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("bash")
		cmd.Stdin = strings.NewReader(text)
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "CODE="+code)
		if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != want {
			t.Fatalf("exit code %d, want BENCHMARK's %d: %s", cmd.ProcessState.ExitCode(), want, out)
		}
	}
	for role, want := range map[string][]string{
		"GEN_1":         {"--relative=2", "--nodes=2", "--ntasks=6", "--ntasks-per-node=4", "--distribution=plane=4", "--mpi=pmix", "--job-name=GEN_1"},
		"CTX_0":         {"--relative=4", "--nodes=1", "--ntasks=2", "--mpi=pmix"},
		"DISAGG_SERVER": {"--relative=0", "--ntasks=1", "--mpi=none", "--overlap"},
		"BENCHMARK":     {"--relative=0", "--ntasks=1", "--mpi=none", "--input=none"},
	} {
		args, err := os.ReadFile(filepath.Join(bin, role+".args"))
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(string(args), "\n"+w+"\n") {
				t.Errorf("%s: %s is not among srun's arguments:\n%s", role, w, args)
			}
		}
	}
	log, err := os.ReadFile(filepath.Join(dir, "current", "logs", "gen_server_1.log"))
	if err != nil || string(log) != "hello from GEN_1\n" {
		t.Errorf("GEN_1's log holds %q, %v", log, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "attempt-0", "logs", "gen_server_1.done")); err != nil {
		t.Error(err)
	}
}

func TestProfileFaults(t *testing.T) {
	tests := map[string]string{
		"schema: 1\nname: x\npartitoin: y\n":              ":3: partitoin: unknown key",
		"schema: 3\nname: x\n":                            "schema: 3 is not supported",
		"schema: 1\n":                                     "name: missing",
		"schema: 1\nname: x\ngpus: some\n":                `gpus: "some": want gpus-per-node, gres or none`,
		"schema: 1\nname: x\nsrun_args: [x]\n":            `sbatch_args, srun_args: "x"`,
		"schema: 1\nname: x\ncontainer: {name: y}\n":      "container.image: missing",
		"schema: 1\nname: x\nkill_wait: 30\n":             "kill_wait",
		"schema: 1\nname: x\nsbatch_args: [\"-x\\ny\"]\n": "want one option an item",
	}
	for text, want := range tests {
		file := filepath.Join(t.TempDir(), "p.yaml")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := slurm.LoadProfile(file); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), file) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestStepFromEnv(t *testing.T) {
	env := map[string]string{
		"SLURM_PROCID": "3", "SLURM_STEP_ID": "2", "SLURM_JOB_ID": "41", "SLURM_STEP_NUM_TASKS": "8", "SLURMD_NODENAME": "n1", "SLURM_RESTART_COUNT": "1",
	}
	got, ok, err := slurm.StepFromEnv(func(n string) string { return env[n] })
	want := slurm.Step{JobID: "41", StepID: "2", Rank: 3, Ranks: 8, Node: "n1", Attempt: 1}
	if diff := cmp.Diff(want, got); diff != "" || !ok || err != nil {
		t.Error(diff, ok, err)
	}
	if _, ok, err := slurm.StepFromEnv(func(string) string { return "" }); ok || err != nil {
		t.Errorf("outside a step: %v, %v", ok, err)
	}
	for name, value := range map[string]string{"SLURM_JOB_ID": "", "SLURM_PROCID": "x", "SLURM_STEP_NUM_TASKS": "-1", "SLURM_RESTART_COUNT": "y"} {
		_, _, err := slurm.StepFromEnv(func(n string) string {
			if n == name {
				return value
			}
			return env[n]
		})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%q: got %v", name, value, err)
		}
	}
}
