package slurm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/test/check"
)

// pretend puts a command of Slurm's into the way that prints or says something.
func pretend(t *testing.T, name, script string) {
	t.Helper()
	dir := t.TempDir()
	check.Script(t, filepath.Join(dir, name), "#!/bin/sh\n"+script+"\n")
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// somePlan is a plan with a run directory that is there.
func somePlan(t *testing.T) plan.Plan {
	t.Helper()
	return plan.Plan{ID: "0f0e0d0c", RunDir: t.TempDir(), Case: roles.Case{Name: "c"}}
}

// A job's id is found among whatever a site's wrapper prints, and its cluster is kept.
func TestSubmit(t *testing.T) {
	tests := map[string]struct {
		prints  string
		id      string
		cluster string
	}{
		"the id":                    {"17", "17", ""},
		"on another cluster":        {"17;east", "17", "east"},
		"a note above":              {"Note: 42 GPU hours are left\\n17", "17", ""},
		"thanks below":              {"17\\nThank you", "17", ""},
		"the sentence":              {"Submitted batch job 17", "17", ""},
		"the sentence on a cluster": {"Submitted batch job 17 on cluster east", "17", "east"},
		"a dated line above":        {"2026-11-26 [INFO] auks: credential added\\n17;lab", "17", "lab"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			pretend(t, "sbatch", fmt.Sprintf(`printf '%s\n'`, tt.prints))
			job, err := Slurm{}.Submit(t.Context(), somePlan(t))
			if diff := cmp.Diff(scheduler.Job{ID: tt.id, Cluster: tt.cluster, Name: "d0f0e0d-c"}, job); diff != "" ||
				err != nil {
				t.Errorf("%v %s", err, diff)
			}
		})
	}
}

// A submission whose outcome is unclear is looked for by its name; only a clear refusal means that there is no job.
func TestUnclearSubmission(t *testing.T) {
	const timeout = `echo "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation" >&2
exit 1`
	tests := map[string]struct {
		sbatch, squeue string
		id             string
		unavailable    bool
	}{
		"refused": {
			`echo "sbatch: error: invalid partition specified: x" >&2; exit 1`, "exit 1", "", true,
		},
		"timed out, but it is there": {timeout, `case "$*" in *--name=d0f0e0d-c*) echo 23;; esac`, "23", false},
		"no id, but it is there":     {"echo hello", "echo 23", "23", false},
		"timed out":                  {timeout, "exit 0", "", false},
		"refused, but it is there":   {`echo "error: Invalid account" >&2; exit 1`, "echo 23", "23", false},
		"an id, and an error": {
			`echo 23; echo "wrapper: cannot write its log" >&2; exit 1`,
			`case "$*" in *--name=d0f0e0d-c*) echo 23;; esac`, "23", false,
		},
		"an id, an error, no job": {`echo 23; echo "wrapper: no" >&2; exit 1`, "exit 0", "", false},
		"on another cluster": {
			`echo "23;east"; echo "wrapper: no" >&2; exit 1`,
			`case "$*" in *--clusters=east*) echo "CLUSTER: east"; echo 23;; esac`, "23", false,
		},
		"no id in the queue's answer": {timeout, `echo "Note: the queue is long"`, "", false},
		"killed":                      {"kill -9 $$", "exit 1", "", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			pretend(t, "sbatch", tt.sbatch)
			pretend(t, "squeue", tt.squeue)
			ctx := t.Context()
			if tt.id == "" && !tt.unavailable { // looking for it takes some tries
				bounded, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
				defer cancel()
				ctx = bounded
			}
			job, err := Slurm{}.Submit(ctx, somePlan(t))
			if job.ID != tt.id || (err == nil) != (tt.id != "") ||
				errors.Is(err, scheduler.ErrUnavailable) != tt.unavailable {
				t.Errorf("job %+v, %v", job, err)
			}
			if err != nil && !tt.unavailable && !strings.Contains(err.Error(), "squeue -n d0f0e0d-c") {
				t.Errorf("the message does not say how to look: %v", err)
			}
		})
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := (Slurm{}).Submit(t.Context(), somePlan(t)); !errors.Is(err, scheduler.ErrUnavailable) {
		t.Errorf("without sbatch: %v", err)
	}
}

// A controller that takes no jobs for now is told from one that refuses.
func TestBusyController(t *testing.T) {
	for said, want := range map[string]bool{
		"Batch job submission failed: Slurm backup controller in standby mode": true,
		"Unable to contact slurm controller (connect failure)":                 true,
		"Batch job submission failed: Invalid account":                         false,
	} {
		pretend(t, "sbatch", `echo "sbatch: error: `+said+`" >&2; exit 1`)
		_, err := Slurm{}.Submit(t.Context(), somePlan(t))
		if errors.Is(err, scheduler.ErrBusy) != want || !errors.Is(err, scheduler.ErrUnavailable) {
			t.Errorf("%s: %v", said, err)
		}
	}
}

// What the queue and accounting say is read as it is meant, and what is odd is unknown.
func TestStates(t *testing.T) {
	tests := map[string]struct {
		squeue string
		want   protocol.JobState
		fails  bool
	}{
		"it waits": {
			`echo "PENDING|Resources"`,
			protocol.JobState{
				Phase: protocol.JobQueued, Word: "PENDING", Reason: "Resources", Why: "waits for free nodes",
			}, false,
		},
		"it runs": {
			`echo "RUNNING|None"`, protocol.JobState{Phase: protocol.JobRunning, Word: "RUNNING"}, false,
		},
		"it ends": {
			`echo "COMPLETING|None"`, protocol.JobState{Phase: protocol.JobEnding, Word: "COMPLETING"}, false,
		},
		"it is requeued": {
			`echo "REQUEUED|None"`, protocol.JobState{
				Phase: protocol.JobQueued, Word: "REQUEUED", Why: "has not been looked at yet",
			}, false,
		},
		"it was cancelled": {
			`echo "CANCELLED|None"`,
			protocol.JobState{Phase: protocol.JobEnded, Word: "CANCELLED", Cause: protocol.CauseCancelled}, false,
		},
		"its time was over": {
			`echo "TIMEOUT|TimeLimit"`,
			protocol.JobState{
				Phase: protocol.JobEnded, Word: "TIMEOUT", Reason: "TimeLimit", Cause: protocol.TimeLimit,
			},
			false,
		},
		"with a cluster line": {
			"echo 'CLUSTER: east'; echo 'RUNNING|None'", protocol.JobState{Phase: protocol.JobRunning, Word: "RUNNING"},
			false,
		},
		"a word that is not known": {`echo "DREAMING|None|N/A|2|1:00|gpu"`, protocol.JobState{}, false},
		"a site's line":            {`echo "the queue is long"`, protocol.JobState{Phase: protocol.JobEnded}, false},
		"forgotten": {
			`echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1`,
			protocol.JobState{Phase: protocol.JobEnded}, false,
		},
		"nothing": {"exit 0", protocol.JobState{Phase: protocol.JobEnded}, false},
		"away": {
			`echo "slurm_load_jobs error: Unable to contact slurm controller" >&2; exit 1`, protocol.JobState{}, true,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			pretend(t, "squeue", tt.squeue)
			got, err := Slurm{}.State(t.Context(), scheduler.Job{ID: "17"})
			if diff := cmp.Diff(tt.want, got); diff != "" || (err != nil) != tt.fails {
				t.Errorf("%v %s", err, diff)
			}
		})
	}
}

func TestHistory(t *testing.T) {
	tests := map[string]struct {
		sacct, scontrol string
		want            protocol.JobState
	}{
		"cancelled": {
			`echo "CANCELLED by 1000"`, "exit 1",
			protocol.JobState{Phase: protocol.JobEnded, Word: "CANCELLED", Cause: protocol.CauseCancelled},
		},
		"requeued, and running": {
			`echo PREEMPTED; echo RUNNING`, "exit 1", protocol.JobState{Phase: protocol.JobRunning, Word: "RUNNING"},
		},
		"with a note": {"echo FAILED", `echo "JobId=17"; echo "   Comment={\"verdict\": \"failed\"}"`,
			protocol.JobState{Phase: protocol.JobEnded, Word: "FAILED", Note: `{"verdict": "failed"}`}},
		"no accounting": {`echo "Slurm accounting storage is disabled" >&2; exit 1`, "exit 1", protocol.JobState{}},
		"nothing":       {"exit 0", "exit 0", protocol.JobState{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			pretend(t, "sacct", tt.sacct)
			pretend(t, "scontrol", tt.scontrol)
			got, _ := Slurm{}.History(t.Context(), scheduler.Job{ID: "17"})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Every later call names the cluster that the job was sent to.
func TestClusterIsNamed(t *testing.T) {
	for _, name := range []string{"squeue", "sacct", "scontrol", "scancel"} {
		pretend(t, name, `case " $* " in *" --clusters=east "*) ;; *) echo "without the cluster: $*" >>"$CALLS";; esac`)
	}
	calls := filepath.Join(t.TempDir(), "calls")
	t.Setenv("CALLS", calls)
	s, job := Slurm{}, scheduler.Job{ID: "17", Cluster: "east"}
	_, _ = s.State(t.Context(), job)
	_, _ = s.History(t.Context(), job)
	_ = s.Cancel(t.Context(), job)
	if data, err := os.ReadFile(calls); err == nil {
		t.Errorf("%s", data)
	}
}

// A command that hangs is given up, whatever it started.
func TestCommandsAreBounded(t *testing.T) {
	pretend(t, "squeue", "sleep 60 & wait")
	begun := time.Now()
	if _, err := (Slurm{Bound: 50 * time.Millisecond}).State(t.Context(),
		scheduler.Job{ID: "1"}); !errors.Is(err, errNoAnswer) {
		t.Errorf("%v", err)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

// Variables that Slurm takes for options do not reach it; those that tell where it is do.
func TestEnvironments(t *testing.T) {
	env := []string{
		"PATH=/bin", "SLURM_CONF=/etc/slurm.conf", "SQUEUE_USERS=x", "SBATCH_TIMELIMIT=1", "SLURM_CPU_BIND=quiet",
		"SLURM_STDOUTMODE=none",
		"SRUN_DEBUG=3", "SLURM_JOB_ID=7", "SLURM_NTASKS=9", "SLURM_GPUS_PER_NODE=4", "SLURM_EXCLUSIVE=user",
		"SLURM_RESTART_COUNT=1", "HF_HOME=/x",
	}
	if diff := cmp.Diff([]string{"PATH=/bin", "SLURM_CONF=/etc/slurm.conf", "HF_HOME=/x"}, cleanEnv(env)); diff != "" {
		t.Errorf("commands: %s", diff)
	}
	want := []string{"PATH=/bin", "SLURM_CONF=/etc/slurm.conf", "SLURM_JOB_ID=7", "SLURM_RESTART_COUNT=1", "HF_HOME=/x"}
	if diff := cmp.Diff(want, jobEnv(env, plan.Plan{})); diff != "" {
		t.Errorf("steps: %s", diff)
	}
	p := plan.Plan{Cluster: profile.Profile{GPUs: "gpus-per-node"}}
	if got := jobEnv(env, p); len(got) != len(want)+1 {
		t.Errorf("steps of a job with GPUs: %v", got)
	}
	if diff := cmp.Diff([]string{"SBATCH_TIMELIMIT"}, LeftOut(env)); diff != "" {
		t.Error(diff)
	}
}

func TestGraceAndAllocation(t *testing.T) {
	pretend(t, "scontrol", `case "$*" in
"show config") echo "KillWait                = 33 sec";;
"show job 7")
  echo "JobId=7 JobName=x"
  echo "   StartTime=2026-11-26T10:00:00 EndTime=2026-11-26T12:00:00 Deadline=N/A"
  echo "   NumNodes=3 NumCPUs=6 NumTasks=3"
  echo "   WorkDir=/a b/c"
  echo "   Power=";;
*) echo "Invalid job id specified" >&2; exit 1;;
esac`)
	s := Slurm{Environ: []string{"PATH=" + os.Getenv("PATH"), "SLURM_JOB_ID=7"}}
	if d, err := s.Grace(t.Context()); d != 33*time.Second || err != nil {
		t.Errorf("%v, %v", d, err)
	}
	a, err := s.Allocation(t.Context())
	ends := time.Date(2026, 11, 26, 12, 0, 0, 0, time.Local)
	want := scheduler.Allocation{JobID: "7", Nodes: 3, WorkDir: "/a b/c", Ends: ends}
	if diff := cmp.Diff(want, a); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	for _, env := range [][]string{{"PATH=" + os.Getenv("PATH"), "SLURM_JOB_ID=8"}, {}} {
		if _, err := (Slurm{Environ: env}).Allocation(t.Context()); err == nil {
			t.Errorf("%v: an allocation that is not there was found", env)
		}
	}
	if at := s.JobEnds(t.Context()); !at.Equal(ends) {
		t.Errorf("the job ends at %v", at)
	}
	pretend(t, "scontrol", "exit 0")
	if _, err := s.Grace(t.Context()); err == nil {
		t.Error("a grace period was found in nothing")
	}
}

func TestJob(t *testing.T) {
	if id, attempt, err := (Slurm{Environ: []string{"SLURM_JOB_ID=7", "SLURM_RESTART_COUNT=2"}}).Job(); id != "7" ||
		attempt != 2 || err != nil {
		t.Errorf("%s, %d, %v", id, attempt, err)
	}
	for _, env := range [][]string{{}, {"SLURM_JOB_ID=7", "SLURM_RESTART_COUNT=x"}} {
		if _, _, err := (Slurm{Environ: env}).Job(); err == nil {
			t.Errorf("%v: no error", env)
		}
	}
}
