package slurm

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/doctor"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/pkg/scheduler/local"
)

// recorded has a command write down how it was called, and then do something. The function tells that.
func recorded(t *testing.T, name, script string) (calls func() string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "calls")
	pretend(t, name, `echo "$*" >>`+file+"\n"+script)
	return func() string {
		data, err := os.ReadFile(file)
		if err != nil {
			return ""
		}
		_ = os.Remove(file)
		return strings.TrimSpace(string(data))
	}
}

// inJob is Slurm inside of job 7.
func inJob() Slurm { return Slurm{Environ: append(os.Environ(), "SLURM_JOB_ID=7")} }

// A step is asked to end, or killed, by a signal of its own; that Slurm does not know it any more is no failure.
func TestSignalStep(t *testing.T) {
	calls := recorded(t, "scancel", "exit 0")
	for want, signal := range map[string]func(context.Context, string) error{
		"--signal=TERM 7.2": Slurm{}.StopStep, "--signal=KILL 7.2": Slurm{}.KillStep,
	} {
		if err := signal(t.Context(), "7.2"); err != nil || calls() != want {
			t.Errorf("%s: %v", want, err)
		}
	}
	for said, fails := range map[string]bool{"Invalid job id specified": false, "Access denied": true} {
		pretend(t, "scancel", "echo 'scancel: error: "+said+"' >&2; exit 1")
		if err := (Slurm{}).StopStep(t.Context(), "7.2"); (err != nil) != fails {
			t.Errorf("%s: %v", said, err)
		}
	}
}

// A step runs if the queue lists it by its whole name; of a job that nobody knows nothing runs.
func TestStepRuns(t *testing.T) {
	for name, tt := range map[string]struct {
		squeue string
		want   bool
		fails  bool
	}{
		"it runs":        {"echo 7.1; echo 7.2", true, false},
		"another":        {"echo 7.22; echo 17.2; echo 7.2.1", false, false},
		"nothing":        {"exit 0", false, false},
		"a job long ago": {"echo 'Invalid job id specified' >&2; exit 1", false, false},
		"no answer":      {"echo 'it is away' >&2; exit 1", false, true},
	} {
		calls := recorded(t, "squeue", tt.squeue)
		got, err := Slurm{}.StepRuns(t.Context(), "7.2")
		if got != tt.want || (err != nil) != tt.fails || !strings.Contains(calls(), "--steps --jobs=7 ") {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if err != nil && err.Error() != "cannot tell whether step 7.2 runs: squeue: it is away" {
			t.Error(err)
		}
	}
}

// A job is cancelled by its id, on its cluster; a failure says which job goes on.
func TestCancel(t *testing.T) {
	calls := recorded(t, "scancel", "exit 0")
	if err := (Slurm{}).Cancel(t.Context(), scheduler.Job{ID: "17", Cluster: "east"}); err != nil ||
		calls() != "--clusters=east 17" {
		t.Error(err)
	}
	pretend(t, "scancel", "echo 'scancel: error: Access denied' >&2; exit 1")
	err := Slurm{}.Cancel(t.Context(), scheduler.Job{ID: "17"})
	if err == nil || err.Error() != "cannot cancel job 17: scancel: Access denied" {
		t.Errorf("%v", err)
	}
}

// A note is left with the job that this is; outside of a job there is nobody to leave it with.
func TestLeaveNote(t *testing.T) {
	calls := recorded(t, "scontrol", "exit 0")
	if err := inJob().LeaveNote(t.Context(), `{"a": "b c"}`); err != nil ||
		calls() != `update JobId=7 Comment={"a": "b c"}` {
		t.Error(err)
	}
	if err := (Slurm{Environ: []string{}}).LeaveNote(t.Context(), "x"); err == nil || calls() != "" {
		t.Errorf("%v", err)
	}
}

// When a job ends is not known outside of one, without an answer, and while Slurm does not know it.
func TestJobEndsUnknown(t *testing.T) {
	for name, tt := range map[string]struct {
		s        Slurm
		scontrol string
	}{
		"no job":    {Slurm{Environ: []string{}}, "echo 'EndTime=2026-11-26T12:00:00'"},
		"no answer": {inJob(), "exit 1"},
		"unknown":   {inJob(), "echo 'EndTime=Unknown'"},
	} {
		pretend(t, "scontrol", tt.scontrol)
		if at := tt.s.JobEnds(t.Context()); !at.IsZero() {
			t.Errorf("%s: %v", name, at)
		}
	}
}

// An allocation needs nodes and a folder; a job that gets its nodes later has a range of them.
func TestAllocationOfOddJobs(t *testing.T) {
	for printed, want := range map[string]string{
		"NumNodes=2-4 WorkDir=/w": "", "NumNodes=0 WorkDir=/w": "scontrol names no nodes or no folder",
		"NumNodes=2": "scontrol names no nodes or no folder", "": "scontrol names no nodes or no folder",
	} {
		pretend(t, "scontrol", "printf '%s\n' '"+strings.ReplaceAll(printed, " ", "\n")+"'")
		a, err := inJob().Allocation(t.Context())
		if want == "" && (err != nil || a.Nodes != 2 || a.WorkDir != "/w" || !a.Ends.IsZero()) {
			t.Errorf("%q: %+v, %v", printed, a, err)
		}
		if want != "" && (err == nil || err.Error() != "cannot find allocation 7: "+want) {
			t.Errorf("%q: %v", printed, err)
		}
	}
	_, err := Slurm{Environ: []string{}}.Allocation(t.Context())
	if err == nil || !strings.Contains(err.Error(), "run salloc first, export SLURM_JOB_ID") {
		t.Errorf("%v", err)
	}
}

// Another job is entered by its id, which wins over that of the shell; what is asked for stays.
func TestWithin(t *testing.T) {
	s := Slurm{Bound: time.Minute, Environ: []string{"A=b", "SLURM_JOB_ID=1"}}
	inside, _ := s.Within("7").(Slurm)
	if id, _, err := inside.Job(); id != "7" || err != nil || inside.Bound != time.Minute {
		t.Errorf("%s, %v", id, err)
	}
	if id, _, err := s.Job(); id != "1" || err != nil {
		t.Errorf("entering a job changes the shell: %s, %v", id, err)
	}
}

// A held allocation is Slurm's, with jobs that are processes beside the shell: nothing asks Slurm to queue or cancel.
func TestHeld(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // no command of Slurm's
	h := Held{Slurm{Environ: []string{"SLURM_JOB_ID=7"}}, &local.Local{}}
	if h.Name() != "allocation" || (Slurm{}).Name() != "slurm" {
		t.Errorf("%s, %s", h.Name(), Slurm{}.Name())
	}
	inside, ok := h.Within("8").(Held)
	if id, _, err := inside.Job(); !ok || id != "8" || err != nil || inside.Jobs != h.Jobs {
		t.Errorf("%v, %s, %v", ok, id, err)
	}
	detached, ok := h.Detached().(Held)
	if !ok || !detached.Jobs.Detach || h.Jobs.Detach || len(detached.Environ) != 1 {
		t.Errorf("%+v", detached)
	}
	p := somePlan(t)
	own, err := h.Script(p)
	if plain, perr := (&local.Local{}).Script(p); own != plain || (err == nil) != (perr == nil) {
		t.Errorf("%q, %v; %q, %v", own, err, plain, perr)
	}
	gone := scheduler.Job{ID: "2147483646"} // no process has it
	for name, ask := range map[string]func(context.Context, scheduler.Job) (protocol.JobState, error){
		"state": h.State, "history": h.History,
	} {
		st, err := ask(t.Context(), gone)
		if err == nil && st.Phase != protocol.JobEnded && st.Phase != protocol.JobUnknown {
			t.Errorf("%s: %+v", name, st)
		}
	}
	if list := h.Examine(t.Context(), p, true); len(doctor.Failures(list)) != 0 {
		t.Errorf("%v", list)
	}
}

// Whether a shell is in an allocation follows from its own environment.
func TestInAllocation(t *testing.T) {
	for id, want := range map[string]bool{"7": true, "": false} {
		t.Setenv("SLURM_JOB_ID", id)
		if got := InAllocation(); got != want {
			t.Errorf("%q: %v", id, got)
		}
	}
}

// An attempt is a number from 0; the last of several values of a variable counts.
func TestAttemptOfJob(t *testing.T) {
	for count, want := range map[string]int{"": 0, "0": 0, "3": 3, "-1": -1, "1.5": -1} {
		_, attempt, err := Slurm{Environ: []string{"SLURM_JOB_ID=1", "SLURM_RESTART_COUNT=9",
			"SLURM_RESTART_COUNT=" + count}}.Job()
		if (err == nil) != (want >= 0) || err == nil && attempt != want {
			t.Errorf("%q: %d, %v", count, attempt, err)
		}
		if err != nil && !strings.Contains(err.Error(), "SLURM_RESTART_COUNT is \""+count+"\": want a number") {
			t.Error(err)
		}
	}
}

// A command that is cancelled says so, and one that is asked for too long that it has not answered.
func TestRunIsCancelled(t *testing.T) {
	pretend(t, "squeue", "exec sleep 60")
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("somebody left")
	cancel(why)
	if _, err := (Slurm{}).run(ctx, "", "squeue"); !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
}

// A question that is not answered is a doubt, and never a fault.
func TestUnansweredQuestions(t *testing.T) {
	for _, name := range []string{"srun", "sinfo", "scontrol"} {
		pretend(t, name, "echo away >&2; exit 1")
	}
	p := examinedPlan(t)
	p.Cluster.Container = &profile.Container{Image: "i"}
	s := Slurm{}
	for name, ask := range map[string]question{
		"partition": s.examinePartition, "mpi": s.examineMPI, "container": s.examineContainer, "arch": s.examineArch,
	} {
		got := ask(t.Context(), p)
		if len(got) != 1 || got[0].Level != doctor.Warn || got[0].Check != name || got[0].Refused {
			t.Errorf("%s: %v", name, got)
		}
	}
}
