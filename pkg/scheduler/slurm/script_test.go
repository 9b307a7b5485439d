package slurm

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

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/test/check"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// nasty is a run directory that survives only if it is quoted right for bash and for sbatch.
const nasty = `/shared/a b/$HOME/it's "17%j"/%s`

func defaults(t *testing.T) profile.Profile {
	t.Helper()
	prof, _, err := profile.Load("default")
	if err != nil {
		t.Fatal(err)
	}
	prof.KillWait = roles.Duration(30 * time.Second)
	return prof
}

func planIn(t *testing.T, dir string, gen, ctx roles.Server, prof profile.Profile) plan.Plan {
	t.Helper()
	r, _, err := recipe.Load("trtllm-serve")
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Build(plan.Input{
		ID: "0f0e0d0c", RunDir: dir, Recipe: r, Launcher: "slurm", Agent: "/opt/disagg/bin/disagg-agent", Profile: prof,
		Case: roles.Case{
			Name: "case 1", TestID: "disagg-e2e-case", GPUsPerNode: 4, TimeLimit: roles.Duration(2 * time.Hour),
			Servers: map[roles.Kind]roles.Server{
				roles.Gen: gen, roles.Ctx: ctx,
			}, Load: roles.Load{Concurrency: []int{1}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func script(t *testing.T, p plan.Plan) string {
	t.Helper()
	text, err := Slurm{}.Script(p)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestScriptGolden(t *testing.T) {
	full := defaults(t)
	full.Partition, full.Account, full.Segment, full.Install = "batch", "team one", true, "pip install x"
	full.SbatchArgs, full.SrunArgs = []string{`--comment={"a": "b c\d"}`, "--requeue"}, []string{"--export=ALL,X=1 2"}
	full.Container = &profile.Container{
		Image: "/img/it's.sqsh", Name: "job", Mounts: []string{"/a:/a:ro", "/b c:/b"}, Dir: "/w",
	}
	tests := map[string]plan.Plan{
		"plain": planIn(t, "/shared/run", roles.Server{Count: 1, GPUs: 8}, roles.Server{Count: 2, GPUs: 4},
			defaults(t)),
		"nasty": planIn(t, nasty, roles.Server{Count: 14, GPUs: 6}, roles.Server{Count: 12, GPUs: 1}, full),
		"gen":   planIn(t, "/shared/run", roles.Server{Count: 1, GPUs: 4}, roles.Server{}, defaults(t)),
	}
	for name, p := range tests {
		t.Run(name, func(t *testing.T) {
			got := script(t, p)
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
			if n := strings.Count(got, "\n"); n > 40 {
				t.Errorf("the script has %d lines: want at most 40", n)
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

// The script is run by a real bash: it becomes the agent, with the plan's path unharmed.
func TestScriptRuns(t *testing.T) {
	dir := filepath.Join(t.TempDir(), nasty)
	p := planIn(t, dir, roles.Server{Count: 2, GPUs: 6}, roles.Server{Count: 1, GPUs: 2}, defaults(t))
	p.Agent = filepath.Join(t.TempDir(), "it's an agent")
	fake := "#!/bin/bash\nprintf '%s\\n' \"$PPID\" \"$DISAGG_PLAN\" \"$DISAGG_BATCH_START\" \"$@\"\nexit 7\n"
	check.Script(t, p.Agent, fake)
	cmd := exec.Command("bash")
	cmd.Stdin = strings.NewReader(script(t, p))
	out, _ := cmd.Output()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if cmd.ProcessState.ExitCode() != 7 || len(lines) != 4 || lines[1] != filepath.Join(dir, "plan.json") ||
		lines[3] != "batch" {
		t.Fatalf("code %d: %q", cmd.ProcessState.ExitCode(), lines)
	}
	if !regexp.MustCompile(`^\d+\.\d{6}$`).MatchString(lines[2]) {
		t.Errorf("the batch script began at %q", lines[2])
	}
}

// What could end a line, or a directive's value, is refused or quoted, whoever it comes from.
func TestInjection(t *testing.T) {
	for name, change := range map[string]func(*plan.Plan){
		"partition": func(p *plan.Plan) { p.Cluster.Partition = "a\ntouch INJECTED" },
		"argument":  func(p *plan.Plan) { p.Cluster.SbatchArgs = []string{"--comment=x\rtouch"} },
		"test id":   func(p *plan.Plan) { p.Case.TestID = "a\ntouch INJECTED" },
		"bash":      func(p *plan.Plan) { p.Cluster.Bash = "/bin/bash\ntouch" },
	} {
		p := planIn(t, "/r", roles.Server{Count: 1, GPUs: 1}, roles.Server{}, defaults(t))
		change(&p)
		if text, err := (Slurm{}).Script(p); err == nil {
			t.Errorf("%s: it was rendered: %s", name, text)
		}
	}
	p := planIn(t, "/r", roles.Server{Count: 1, GPUs: 1}, roles.Server{}, defaults(t))
	p.Cluster.Account = `a b" --nodes=99`
	if text := script(t, p); !strings.Contains(text, `#SBATCH --account="a b\" --nodes=99"`+"\n") {
		t.Errorf("the account is not quoted:\n%s", text)
	}
}

func TestStepArgs(t *testing.T) {
	p := planIn(t, "/r", roles.Server{Count: 2, GPUs: 6}, roles.Server{Count: 1, GPUs: 2}, defaults(t))
	for role, want := range map[string][]string{
		"GEN_1": {
			"--relative=2", "--nodes=2", "--ntasks=6", "--ntasks-per-node=4", "--distribution=plane=4", "--mpi=pmix",
			"--job-name=GEN_1",
		},
		"CTX_0":         {"--relative=4", "--nodes=1", "--ntasks=2", "--mpi=pmix"},
		"DISAGG_SERVER": {"--relative=0", "--ntasks=1", "--mpi=none", "--overlap"},
		"BENCHMARK":     {"--relative=0", "--ntasks=1", "--mpi=none", "--input=none"},
	} {
		r, err := roles.ParseRole(role)
		if err != nil {
			t.Fatal(err)
		}
		cmds, err := Slurm{Environ: []string{"A=b", "SLURM_CPU_BIND=x", "SLURM_JOB_ID=7"}}.Steps(p, r, []string{"C=d"})
		if err != nil || len(cmds) != 1 {
			t.Fatalf("%v, %v", cmds, err)
		}
		args := "\n" + strings.Join(cmds[0].Args, "\n") + "\n"
		for _, w := range append(want, p.Agent) {
			if !strings.Contains(args, "\n"+w+"\n") {
				t.Errorf("%s: %s is not among srun's arguments:\n%s", role, w, args)
			}
		}
		if diff := cmp.Diff([]string{"A=b", "SLURM_JOB_ID=7", "C=d"}, cmds[0].Env); diff != "" {
			t.Errorf("environment: %s", diff)
		}
	}
	if _, err := (Slurm{}).Steps(p, roles.Role{Kind: roles.Gen, Index: 9}, nil); err == nil {
		t.Error("a role that is not there is started")
	}
	if _, err := (Slurm{Environ: []string{}}).Steps(p, roles.Hub().Role, nil); err == nil {
		t.Error("a role is started in no job")
	}
	if (Slurm{}).Install(p, nil) != nil {
		t.Error("there is nothing to install, but it is")
	}
	p.Cluster.Install = "x"
	args := strings.Join(Slurm{}.Install(p, nil).Args, " ")
	if !strings.Contains(args, "--nodes=5 --ntasks-per-node=1") || !strings.HasSuffix(args, "disagg-agent install") {
		t.Errorf("install: %s", args)
	}
}

func TestIdentify(t *testing.T) {
	env := map[string]string{
		"SLURM_PROCID": "3", "SLURM_STEP_ID": "2", "SLURM_JOB_ID": "41", "SLURM_STEP_NUM_TASKS": "8",
		"SLURM_RESTART_COUNT": "1",
		"SLURM_JOB_END_TIME":  "1000", "SLURM_MEM_PER_NODE": "2",
	}
	getenv := func(n string) string { return env[n] }
	pl := roles.Placement{Role: roles.Role{Kind: roles.Gen}, Ranks: 8}
	got, err := Slurm{}.Identify(getenv, pl)
	want := scheduler.Identity{
		JobID: "41", JobVar: "SLURM_JOB_ID", Step: "41.2", Rank: 3, Attempt: 1, Ends: time.Unix(1000, 0),
		Memory: 2 << 20,
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if _, err := (Slurm{}).Identify(func(string) string { return "" }, pl); err == nil {
		t.Error("outside a step there is no task")
	}
	for name, value := range map[string]string{
		"SLURM_JOB_ID": "", "SLURM_PROCID": "x", "SLURM_STEP_NUM_TASKS": "-1", "SLURM_RESTART_COUNT": "y",
		"SLURM_JOB_END_TIME": "soon",
	} {
		_, err := Slurm{}.Identify(func(n string) string {
			if n == name {
				return value
			}
			return env[n]
		}, pl)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%q: got %v", name, value, err)
		}
	}
	pl.Ranks = 4
	if _, err := (Slurm{}).Identify(getenv, pl); err == nil ||
		!strings.Contains(err.Error(), "the step has 8 ranks but the plan gives GEN_0 4") {
		t.Errorf("another shape: %v", err)
	}
}

// Variables of the host that a profile wants in the container come into one list with disagg's own: Slurm passes on the
// last list alone.
func TestOneListOfVariables(t *testing.T) {
	p := planIn(t, "/r", roles.Server{Count: 1, GPUs: 1}, roles.Server{}, defaults(t))
	p.Cluster.Container = &profile.Container{Image: "i"}
	p.Cluster.SrunArgs = []string{"-v", "--container-env=A,B", "--container-env", "C", "--cpu-bind=none"}
	cmds, err := Slurm{Environ: []string{"SLURM_JOB_ID=7"}}.Steps(p, roles.Hub().Role, nil)
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Join(cmds[0].Args, " ")
	if strings.Count(line, "--container-env") != 1 || !strings.Contains(line, ",DISAGG_WRAP,A,B,C -v --cpu-bind=") {
		t.Error(line)
	}
}

// The container that steps share is made before they begin, although there is nothing to install; one that each step
// has for itself is not, nor one of Apptainer's.
func TestSharedContainerIsMadeFirst(t *testing.T) {
	p := planIn(t, "/r", roles.Server{Count: 1, GPUs: 1}, roles.Server{}, defaults(t))
	s := Slurm{Environ: []string{"SLURM_JOB_ID=7"}}
	for name, tt := range map[string]struct {
		container *profile.Container
		want      bool
	}{
		"none":      {nil, false},
		"named":     {&profile.Container{Image: "i", Name: "c"}, true},
		"unnamed":   {&profile.Container{Image: "i"}, false},
		"apptainer": {&profile.Container{Kind: profile.Apptainer, Image: "i"}, false},
	} {
		p.Cluster.Container = tt.container
		cmd := s.Install(p, nil)
		if (cmd != nil) != tt.want {
			t.Errorf("%s: %v", name, cmd)
		}
		if cmd != nil && !strings.Contains(strings.Join(cmd.Args, " "), " --container-name=c-7 ") {
			t.Errorf("%s: %v", name, cmd.Args)
		}
	}
}

// Apptainer is a program before the agent; pyxis is options of srun, with a name that no other job has.
func TestContainers(t *testing.T) {
	p := planIn(t, "/r", roles.Server{Count: 1, GPUs: 1}, roles.Server{}, defaults(t))
	for kind, want := range map[string]string{
		"":                  " --container-name=c-7 --container-mounts=/a,/b:/b --container-workdir=/w ",
		profile.Apptainer:   " apptainer exec --nv --bind /a --bind /b:/b --pwd /w image " + p.Agent,
		profile.Singularity: " singularity exec --nv --bind /a --bind /b:/b --pwd /w image " + p.Agent,
	} {
		c := profile.Container{Kind: kind, Image: "image", Mounts: []string{"/a", "/b:/b"}, Dir: "/w"}
		if c.Exec() == nil {
			c.Name = "c"
		} else {
			c.Args = []string{"--nv"}
		}
		p.Cluster.Container, p.Cluster.Install = &c, "x"
		s := Slurm{Environ: []string{"SLURM_JOB_ID=7"}}
		cmds, err := s.Steps(p, roles.Hub().Role, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, cmd := range append(cmds, s.Install(p, nil)) {
			if line := strings.Join(cmd.Args, " ") + " "; !strings.Contains(line, want) {
				t.Errorf("%q: %s", kind, line)
			}
		}
	}
}
