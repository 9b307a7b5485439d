package slurm

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
)

// What Slurm 22.05 was seen to print, among what a server prints.
func TestDiagnosis(t *testing.T) {
	tests := map[string]struct {
		log  string
		want protocol.Diagnosis
	}{
		"nothing": {"loading\nerror: of the server's own\n", protocol.Diagnosis{}},
		"no error": {
			"srun: Job step aborted: Waiting up to 12 seconds for job step to finish.\n", protocol.Diagnosis{},
		},
		"plain error": {
			"srun: error: gpu1: task 0: Exited with exit code 3\n",
			protocol.Diagnosis{Line: "gpu1: task 0: Exited with exit code 3", Vague: true},
		},
		"its agents heard nothing from the hub": {
			"disagg-agent: no sign of life from the hub for 5s: cannot reach the hub\nsrun: error: gpu1: task 0: " +
				"Exited with exit code 1\n",
			protocol.Diagnosis{
				Meaning: protocol.HubSilent,
				Line:    "disagg-agent: no sign of life from the hub for 5s: cannot reach the hub",
			},
		},
		"linuxproc": {
			"loading\nsrun: Job step aborted: Waiting up to 12 seconds for job step to finish.\n" +
				"slurmstepd-gpu1: error: *** STEP 1.4 ON gpu1 CANCELLED AT 2026-11-25T18:41:22 ***\n" +
				"slurmstepd-gpu1: error: StepId=1.4 exceeded memory limit (1728634880 > 1572864000), being killed\n" +
				"srun: error: gpu1: tasks 0-3: Killed\n",
			protocol.Diagnosis{
				Meaning: protocol.OutOfMemory,
				Line:    "StepId=1.4 exceeded memory limit (1728634880 > 1572864000), being killed",
			},
		},
		"cgroup": {
			"slurmstepd: error: Detected 1 oom-kill event(s) in StepId=7.0. Some of your processes may have been " +
				"killed by the cgroup out-of-memory handler.\n",
			protocol.Diagnosis{
				Meaning: protocol.OutOfMemory,
				Line: "Detected 1 oom-kill event(s) in StepId=7.0. Some of your processes may have been killed by " +
					"the cgroup out-of-memory handler.",
			},
		},
		"no such option": {
			"srun: unrecognized option '--container-image=x'\nTry \"srun --help\" for more information\n",
			protocol.Diagnosis{Line: "unrecognized option '--container-image=x'"},
		},
		"no such plugin": {
			"srun: error: cannot find mpi plugin for mpi/nonsense\nsrun: error: MPI: Cannot create context for " +
				"mpi/nonsense\n",
			protocol.Diagnosis{Line: "cannot find mpi plugin for mpi/nonsense"},
		},
		"container race": {
			"srun: error: gpu1: task 0: Exited with exit code 1\nslurmstepd: error: pyxis: unable to open user " +
				"namespace file: No such file or directory\n",
			protocol.Diagnosis{
				Meaning: protocol.Transient,
				Line:    "pyxis: unable to open user namespace file: No such file or directory",
			},
		},
		"time limit": {
			"slurmstepd-gpu1: error: *** STEP 3.2 ON gpu1 CANCELLED AT 2026-11-25T18:41:22 DUE TO TIME LIMIT ***\n",
			protocol.Diagnosis{
				Meaning: protocol.OutOfTime,
				Line:    "*** STEP 3.2 ON gpu1 CANCELLED AT 2026-11-25T18:41:22 DUE TO TIME LIMIT ***",
			},
		},
	}
	for name, tt := range tests {
		if got := diagnose(tt.log); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", name, got, tt.want)
		}
	}
}

// diagnose reads a whole log.
func diagnose(log string) protocol.Diagnosis {
	r := Slurm{}.Reader()
	for line := range strings.Lines(log) {
		r.Line(line)
	}
	return r.Diagnosis()
}

// Containers that do not start are explained below the line that says so; srun's waiting and an agent that gives up are
// told in their own words.
func TestDiagnosisOfSteps(t *testing.T) {
	const pyxis = "slurmstepd: error: pyxis:"
	tests := map[string]struct {
		lines []string
		want  protocol.Diagnosis
	}{
		"the registry refuses": {
			[]string{
				pyxis + " child 77 failed with error code: 1", pyxis + " failed to import docker image",
				pyxis + " printing enroot log file:",
				pyxis + "     [INFO] Fetching image manifest",
				pyxis + "     [ERROR] URL https://r/v2/x returned error code: 401 Unauthorized",
				pyxis + " couldn't start container", "srun: error: n1: task 0: Exited with exit code 1",
			},
			protocol.Diagnosis{
				Meaning: protocol.Transient, Line: "[ERROR] URL https://r/v2/x returned error code: 401 Unauthorized",
			},
		},
		"a registry fails, pyxis 0.24": {
			[]string{
				pyxis + " container was not started successfully by another task",
				pyxis + " child 77 failed with error code: 1", pyxis + " failed to import docker image: r/x:1",
				pyxis + " printing enroot log file:",
				pyxis + "     [ERROR] URL https://r/v2/x/manifests/1 returned error code: 503 Service Unavailable",
				"slurmstepd: error: spank: required plugin spank_pyxis.so: task_init() failed with rc=-1",
				"slurmstepd: error: Failed to invoke spank plugin stack",
			},
			protocol.Diagnosis{
				Meaning: protocol.Transient,
				Line:    "[ERROR] URL https://r/v2/x/manifests/1 returned error code: 503 Service Unavailable",
			},
		},
		"another step holds the container": {
			[]string{
				pyxis + " container start failed with error code: 1", pyxis + " printing enroot log file:",
				pyxis + "     [ERROR] Could not acquire rootfs lock",
				pyxis + " container was not started successfully by another task",
			},
			protocol.Diagnosis{Meaning: protocol.Transient, Line: "[ERROR] Could not acquire rootfs lock"},
		},
		"another step makes the container": {
			[]string{
				pyxis + " child 77 failed with error code: 1",
				pyxis + " failed to create container filesystem for image: /i.sqsh",
				pyxis + " printing enroot log file:",
				pyxis + "     [ERROR] File already exists: /data/pyxis_c-7",
			},
			protocol.Diagnosis{Line: "[ERROR] File already exists: /data/pyxis_c-7"},
		},
		"the container has just ended": {
			[]string{
				pyxis + " unable to open mount namespace file: No such file or directory",
				pyxis + " couldn't get container namespaces",
			},
			protocol.Diagnosis{
				Meaning: protocol.Transient,
				Line:    "pyxis: unable to open mount namespace file: No such file or directory",
			},
		},
		"another step's container has not what is mounted": {
			[]string{
				"pyxis: ignoring --container-mounts when attaching to a running container",
				"srun: error: n1: task 0: Exited with exit code 2",
				"slurmstepd-n1: error: execve(): /opt/disagg-agent: No such file or directory",
			},
			protocol.Diagnosis{
				Meaning: protocol.Transient, Line: "execve(): /opt/disagg-agent: No such file or directory",
			},
		},
		"a mount's source is missing, pyxis 0.24": {
			[]string{
				pyxis + " container was not started successfully by another task",
				pyxis + " --container-mounts: source path does not exist: /data",
				pyxis + " couldn't create enroot start configuration script",
			},
			protocol.Diagnosis{Line: "pyxis: --container-mounts: source path does not exist: /data"},
		},
		"a mount's source is missing": {
			[]string{
				pyxis + " container start failed with error code: 1", pyxis + " printing enroot log file:",
				pyxis + "     enroot-mount: failed to mount: /data: No such file or directory",
				pyxis + " couldn't start container",
			},
			protocol.Diagnosis{Line: "enroot-mount: failed to mount: /data: No such file or directory"},
		},
		"srun waits": {
			[]string{"srun: Job 101 step creation temporarily disabled, retrying (Requested nodes are busy)"},
			protocol.Diagnosis{Line: "Job 101 step creation temporarily disabled, retrying (Requested nodes are busy)"},
		},
		"the agent gives up": {
			[]string{
				"srun: error: n2: task 1: Exited with exit code 64",
				"disagg-agent CTX_0.1: cannot reach the hub at 10.0.0.1:5: timeout",
			},
			protocol.Diagnosis{Line: "disagg-agent CTX_0.1: cannot reach the hub at 10.0.0.1:5: timeout"},
		},
		"the agent's runtime gives up": {
			[]string{
				"runtime: failed to create new OS thread (have 7 already; errno=11)",
				"runtime: may need to increase max user processes (ulimit -u)", "fatal error: newosproc",
				"srun: error: n2: task 1: Exited with exit code 2",
			},
			protocol.Diagnosis{Line: "runtime: may need to increase max user processes (ulimit -u)"},
		},
		"the program is not there": {
			[]string{
				"slurmstepd-n2: error: *** STEP 8.0 ON n1 CANCELLED AT 2026-11-27T08:09:19 ***", // as n1 has failed
				"slurmstepd: error: execve(): /opt/disagg-agent: No such file or directory",
				"srun: error: n1: task 0: Exited with exit code 2",
			},
			protocol.Diagnosis{Line: "execve(): /opt/disagg-agent: No such file or directory"},
		},
		"an end comes before its reason": {
			[]string{
				"srun: error: n1: task 0: Out Of Memory", "slurmstepd: error: Detected 1 oom_kill event in StepId=7.0.",
			},
			protocol.Diagnosis{Meaning: protocol.OutOfMemory, Line: "Detected 1 oom_kill event in StepId=7.0."},
		},
	}
	for name, tt := range tests {
		if got := diagnose(strings.Join(tt.lines, "\n")); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", name, got, tt.want)
		}
	}
}

// srun says which tasks ended although their step goes on.
func TestTaskEnds(t *testing.T) {
	r := Slurm{}.Reader()
	for _, line := range []string{
		"srun: error: gpu1: task 3: Exited with exit code 64",
		"srun: error: gpu2: tasks 5-7,9: Exited with exit code 64",
		"srun: error: gpu2: task 1: Exited with exit code 1",
		"srun: error: gpu2: tasks 0-99999999: Exited with exit code 1",
		"srun: error: gpu2: task x: Exited with exit code 1", "gpu2: task 8: Exited with exit code 1",
	} {
		r.Line(line)
	}
	if diff := cmp.Diff(map[int][]int{64: {3, 5, 6, 7, 9}, 1: {1}}, r.Ranks()); diff != "" {
		t.Error(diff)
	}
}

func FuzzReader(f *testing.F) {
	f.Add("srun: error: x\n")
	f.Add("slurmstepd-: error: \nslurmstepd-a: error: oom-kill event")
	f.Fuzz(func(t *testing.T, log string) {
		if d := diagnose(log); d.Meaning != protocol.Unexplained && d.Line == "" {
			t.Errorf("%q: %+v", log, d)
		}
	})
}
