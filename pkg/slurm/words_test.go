package slurm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What Slurm 22.05 was seen to print, among what a server prints.
func TestWords(t *testing.T) {
	tests := map[string]struct {
		log  string
		want Words
	}{
		"nothing":     {"loading\nerror: of the server's own\n", Words{}},
		"no error":    {"srun: Job step aborted: Waiting up to 12 seconds for job step to finish.\n", Words{}},
		"plain error": {"srun: error: gpu1: task 0: Exited with exit code 3\n", Words{Line: "gpu1: task 0: Exited with exit code 3"}},
		"linuxproc": {
			"loading\nsrun: Job step aborted: Waiting up to 12 seconds for job step to finish.\n" +
				"slurmstepd-gpu1: error: *** STEP 1.4 ON gpu1 CANCELLED AT 2026-11-25T18:41:22 ***\n" +
				"slurmstepd-gpu1: error: StepId=1.4 exceeded memory limit (1728634880 > 1572864000), being killed\n" +
				"srun: error: gpu1: tasks 0-3: Killed\n",
			Words{OutOfMemory, "StepId=1.4 exceeded memory limit (1728634880 > 1572864000), being killed"},
		},
		"cgroup": {
			"slurmstepd: error: Detected 1 oom-kill event(s) in StepId=7.0. Some of your processes may have been killed by the cgroup out-of-memory handler.\n",
			Words{OutOfMemory, "Detected 1 oom-kill event(s) in StepId=7.0. Some of your processes may have been killed by the cgroup out-of-memory handler."},
		},
		"no such option": {
			"srun: unrecognized option '--container-image=x'\nTry \"srun --help\" for more information\n",
			Words{Line: "unrecognized option '--container-image=x'"},
		},
		"no such plugin": {
			"srun: error: cannot find mpi plugin for mpi/nonsense\nsrun: error: MPI: Cannot create context for mpi/nonsense\n",
			Words{Line: "cannot find mpi plugin for mpi/nonsense"},
		},
		"container race": {
			"srun: error: gpu1: task 0: Exited with exit code 1\nslurmstepd: error: pyxis: unable to open user namespace file: No such file or directory\n",
			Words{Transient, "pyxis: unable to open user namespace file: No such file or directory"},
		},
		"time limit": {
			"slurmstepd-gpu1: error: *** STEP 3.2 ON gpu1 CANCELLED AT 2026-11-25T18:41:22 DUE TO TIME LIMIT ***\n",
			Words{OutOfTime, "*** STEP 3.2 ON gpu1 CANCELLED AT 2026-11-25T18:41:22 DUE TO TIME LIMIT ***"},
		},
	}
	for name, tt := range tests {
		if got := findWords(tt.log); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", name, got, tt.want)
		}
	}
}

// Only the end of a log is read, and a log that is not there says nothing.
func TestReadWords(t *testing.T) {
	log := filepath.Join(t.TempDir(), "gen_server_0.log")
	if got := ReadWords(log); got != (Words{}) {
		t.Errorf("got %+v", got)
	}
	text := "srun: error: long ago\n" + strings.Repeat("iter = 1\n", maxWords/8) + "srun: error: just now\n"
	if err := os.WriteFile(log, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := ReadWords(log); got.Line != "just now" {
		t.Errorf("got %+v", got)
	}
}

func FuzzWords(f *testing.F) {
	f.Add("srun: error: x\n")
	f.Add("slurmstepd-: error: \nslurmstepd-a: error: oom-kill event")
	f.Fuzz(func(t *testing.T, log string) {
		if w := findWords(log); w.Meaning != Unexplained && w.Line == "" || !strings.Contains(log, w.Line) {
			t.Errorf("%q: %+v", log, w)
		}
	})
}
