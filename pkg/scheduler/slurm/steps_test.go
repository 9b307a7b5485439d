package slurm

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// What a step needs to find its job, and a command its cluster, is kept, each by its name; options around them are not.
func TestVariablesThatStay(t *testing.T) {
	cluster := strings.Fields("SLURM_CONF SLURM_CONF_SERVER SLURM_JWT SLURM_CONFIG_FETCH")
	job := strings.Fields(`SLURM_JOB_ID SLURM_JOBID SLURM_JOB_NODELIST SLURM_NODELIST SLURM_JOB_NUM_NODES SLURM_NNODES
		SLURM_JOB_NAME SLURM_JOB_PARTITION SLURM_JOB_ACCOUNT SLURM_JOB_QOS SLURM_JOB_RESERVATION SLURM_JOB_USER
		SLURM_JOB_UID SLURM_JOB_GID SLURM_JOB_GROUP SLURM_JOB_CPUS_PER_NODE SLURM_JOB_START_TIME SLURM_JOB_END_TIME
		SLURM_JOB_GPUS SLURM_JOB_LICENSES SLURM_JOB_SEGMENT_SIZE SLURM_RESTART_COUNT SLURM_CLUSTER_NAME
		SLURM_WORKING_CLUSTER SLURM_SUBMIT_DIR SLURM_SUBMIT_HOST SLURM_TASKS_PER_NODE SLURM_NODE_ALIASES
		SLURM_TOPOLOGY_ADDR SLURM_TOPOLOGY_ADDR_PATTERN`)
	options := strings.Fields("SLURM_CONFX SLURM_JOB_IDX SLURM_MPI_TYPE SRUN_X SBATCH_X SALLOC_X SQUEUE_X SACCT_X " +
		"SCANCEL_X SCONTROL_X SINFO_X")
	env := slices.Concat(cluster, options, job, []string{"SACK_KEY", "MY_SLURM_X", "SLURMD_X"})
	others := []string{"SACK_KEY", "MY_SLURM_X", "SLURMD_X"}
	if diff := cmp.Diff(slices.Concat(cluster, others), cleanEnv(env)); diff != "" {
		t.Errorf("commands: %s", diff)
	}
	p := examinedPlan(t)
	p.Cluster.GPUs = profile.GPUsNone
	if diff := cmp.Diff(slices.Concat(cluster, job, others), jobEnv(env, p)); diff != "" {
		t.Errorf("steps: %s", diff)
	}
}

// Variables that have no effect are named in their order, without what they hold.
func TestLeftOutIsSorted(t *testing.T) {
	got := LeftOut([]string{"SBATCH_B=1", "A=SBATCH_C", "SBATCH_A=secret", "SLURM_X=1"})
	if !slices.Equal(got, []string{"SBATCH_A", "SBATCH_B"}) {
		t.Errorf("%q", got)
	}
}

// Every step leaves what fails to the agents, shares its nodes with the others, and takes no input.
func TestEveryStepsArguments(t *testing.T) {
	p := planIn(t, "/r", roles.Server{Count: 1, GPUs: 1}, roles.Server{}, defaults(t))
	p.Cluster.Install = "x"
	for _, pl := range p.Layout.Placements {
		args := StepArgs(p, pl, "7")
		for _, want := range []string{
			"--kill-on-bad-exit=0", "--wait=0", "--overlap", "--input=none", "--mem=0", "--export=ALL",
			"--job-name=" + pl.Role.String(),
		} {
			if !slices.Contains(args, want) {
				t.Errorf("%s: no %s in %q", pl.Role, want, args)
			}
		}
		if slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "--distribution") }) {
			t.Errorf("%s: ranks that fill their nodes are spread: %q", pl.Role, args)
		}
	}
	got := inJob().Install(p, []string{"A=b"})
	for _, want := range []string{
		"--job-name=install", "--input=none", "--kill-on-bad-exit=1", "--overlap", "--mpi=none", "--mem=0",
	} {
		if !slices.Contains(got.Args, want) {
			t.Errorf("install: no %s in %q", want, got.Args)
		}
	}
	if got.Env[len(got.Env)-1] != "A=b" {
		t.Errorf("install: %q", got.Env)
	}
}

// A container has only what the profile says, and of its variables disagg's own.
func TestContainersArguments(t *testing.T) {
	p := planIn(t, "/r", roles.Server{Count: 1, GPUs: 1}, roles.Server{}, defaults(t))
	p.Cluster.Container, p.Cluster.SrunArgs = &profile.Container{Image: "i"}, []string{"--container-env"}
	line := strings.Join(commonArgs(p, "7"), " ")
	if !strings.Contains(line, "--container-image=i --no-container-mount-home --container-env=DISAGG_PLAN,") ||
		!strings.HasSuffix(line, " --container-env") { // an option without a value is left as it is
		t.Error(line)
	}
	for _, not := range []string{"--container-name", "--container-mounts", "--container-workdir"} {
		if strings.Contains(line, not) {
			t.Errorf("%s in %s", not, line)
		}
	}
	names, others := exports([]string{"--container-env", "A", "--container-env=B,C", "--x"})
	for _, own := range []string{
		protocol.EnvPlan, protocol.EnvRole, protocol.EnvAttempt, protocol.EnvBatchStart, protocol.EnvInstalled,
		protocol.EnvBatch, protocol.EnvWrap, "A", "B", "C",
	} {
		if !slices.Contains(names, own) {
			t.Errorf("%s is not among %q", own, names)
		}
	}
	if !slices.Equal(others, []string{"--x"}) {
		t.Errorf("%q", others)
	}
}

// A step that enters a container of another's may find what it needs the next time; one that does not, will not.
func TestAttachedContainers(t *testing.T) {
	const said = "slurmstepd: " + attached + "\n"
	const missing = "slurmstepd: error: execve(): /a: No such file or directory\n"
	for log, want := range map[string]protocol.Meaning{
		said + missing: protocol.Transient, missing: protocol.Unexplained, missing + said: protocol.Unexplained,
		said + "slurmstepd: error: execve(): /a: Permission denied\n":         protocol.Unexplained,
		said + missing + "slurmstepd: error: Detected 1 oom-kill event\n":     protocol.OutOfMemory,
		said + missing + "slurmstepd: error: execve(): /b: Exec format error": protocol.Transient,
		"srun: error: Socket timed out\n" + "srun: error: other\n":            protocol.Transient,
		"slurmstepd: error: oom-kill event\nsrun: error: DUE TO TIME LIMIT":   protocol.OutOfMemory,
	} {
		if got := diagnose(log); got.Meaning != want {
			t.Errorf("%q: %q, want %q", log, got.Meaning, want)
		}
	}
}

// Each phrase that is known has its meaning, in an error of Slurm's alone: a child may print anything.
func TestPhrases(t *testing.T) {
	for _, p := range phrases {
		if protocol.GaveUp(p.text) {
			continue // an agent's own words need no "error:"
		}
		if got := diagnose("srun: error: x " + p.text + " y"); got.Meaning != p.meaning || got.Line == "" || got.Vague {
			t.Errorf("%s: %+v", p.text, got)
		}
		if got := diagnose("x " + p.text + " y"); got != (protocol.Diagnosis{}) {
			t.Errorf("a child's %s: %+v", p.text, got)
		}
	}
}

// Of two lines that tell as much the first counts; one that tells more comes later and wins.
func TestFirstOfEqualLines(t *testing.T) {
	for log, want := range map[string]string{
		"srun: error: a\nsrun: error: b\n":                                  "a",
		"srun: error: x: task 1: Killed\nsrun: fatal: b":                    "b",
		"srun: waiting for resources\nsrun: error: b":                       "b",
		"srun: error: b\nsrun: waiting for resources":                       "b",
		"slurmstepd-n1: error: a  b\t c \r\n":                               "a b c",
		"  srun: error: a":                                                  "a",
		"srun: a":                                                           "",
		"srunx: error: a":                                                   "",
		"slurmstepd: error: pyxis:   [INFO] x\nsrun: error: b":              "b",
		"slurmstepd: error: pyxis:   x\nslurmstepd: error: pyxis:   denied": "denied",
	} {
		got := diagnose(log).Line
		if got != want {
			t.Errorf("%q: %q, want %q", log, got, want)
		}
	}
}

// Numbers of tasks are read up to a bound; lists around one that cannot be read are not lost.
func TestTaskNumbers(t *testing.T) {
	for list, want := range map[string][]int{
		"0": {0}, "3-5": {3, 4, 5}, "5-3": nil, "1,,2": {1, 2}, "-1,4": {4}, "65536": {65536}, "65537": nil,
		"65536-65537,1": {1}, "99999999999999999999,2": {2}, "1-99999999999999999999,2": {2},
	} {
		r := Slurm{}.Reader()
		r.Line("srun: error: n1: tasks " + list + ": Exited with exit code 9\r\n")
		if got := r.Ranks()[9]; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", list, got, want)
		}
	}
}

// A task's place is read from its environment, where older versions tell the ranks by another name.
func TestIdentifyOlder(t *testing.T) {
	env := map[string]string{"SLURM_PROCID": "0", "SLURM_STEP_ID": "0", "SLURM_JOB_ID": "4", "SLURM_NTASKS": "1"}
	pl := roles.Placement{Role: roles.Hub().Role, Ranks: 1}
	id, err := Slurm{}.Identify(func(n string) string { return env[n] }, pl)
	if err != nil || id.Rank != 0 || id.Attempt != 0 || !id.Ends.IsZero() || id.Memory != 0 || id.Step != "4.0" {
		t.Errorf("%+v, %v", id, err)
	}
	env["SLURM_JOB_END_TIME"], env["SLURM_RESTART_COUNT"] = "-5", "x"
	_, err = Slurm{}.Identify(func(n string) string { return env[n] }, pl)
	for _, want := range []string{`SLURM_JOB_END_TIME is "-5": want a number`, `SLURM_RESTART_COUNT is "x": want`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// A command runs in the folder that is asked for, without options of the shell, in a group of its own.
func TestCommandsSurroundings(t *testing.T) {
	dir := t.TempDir()
	pretend(t, "sbatch", `pwd; echo "${SBATCH_X:-none} ${SLURM_CONF:-none}"; cut -d' ' -f5 /proc/$$/stat; echo $$`)
	t.Setenv("SBATCH_X", "1")
	t.Setenv("SLURM_CONF", "/c")
	out, err := Slurm{}.run(t.Context(), dir, "sbatch")
	words := strings.Fields(out)
	if err != nil || len(words) != 5 || words[0] != dir || words[1] != "none" || words[2] != "/c" ||
		words[3] != words[4] {
		t.Errorf("%q, %v", words, err)
	}
}

// What is asked for is bounded by what is asked for: a bound of its own wins over the standard one.
func TestBoundOfQuestions(t *testing.T) {
	pretend(t, "scontrol", "exec sleep 60")
	_, err := Slurm{Bound: 20 * time.Millisecond}.Grace(t.Context())
	if !errors.Is(err, errNoAnswer) {
		t.Errorf("%v", err)
	}
}
