package local

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/disagg/disagg/test/check"

	"github.com/disagg/disagg/pkg/doctor"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/pkg/supervisor"
)

// untilAsked is an agent that goes on until it is asked to end.
const untilAsked = `cd "${DISAGG_PLAN%/*}"; trap ': >asked; exit 1' TERM; while :; do : >runs; sleep 0.02; done`

// runs waits until the agent of a plan can be asked to end; once more, until it has gone on.
func runs(t *testing.T, dir string) {
	t.Helper()
	file := filepath.Join(dir, "runs")
	for range 2 { // it may be between its signal and its end
		_ = os.Remove(file)
		check.Eventually(t, "the job runs", func() bool { return check.Exists(file) })
	}
}

// A job is one process that plays the batch script, in the run directory, whose output is kept there. It is known
// while it runs, and after its end.
func TestSubmit(t *testing.T) {
	p := newPlan(t, `echo "$1 of $DISAGG_PLAN in $(pwd)"; echo more >&2; until [ -e over ]; do sleep 0.02; done`)
	l := &Local{}
	job, err := l.Submit(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if job.Name != p.JobName() || strings.Count(job.ID, "-") != 2 || job.Cluster != host() {
		t.Errorf("%+v", job)
	}
	for _, who := range []*Local{l, {}} { // the one that submitted it, and another
		if got, err := who.State(t.Context(), job); got != running || err != nil {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if err := os.WriteFile(filepath.Join(p.RunDir, "over"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ends(t, l, job)
	ends(t, &Local{}, job)
	if got, err := l.History(t.Context(), job); got.Phase != protocol.JobEnded || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	out, err := os.ReadFile(filepath.Join(p.RunDir, "local.out"))
	if want := "batch of " + p.RunDir + "/plan.json in " + p.RunDir + "\nmore\n"; string(out) != want || err != nil {
		t.Errorf("%q, %v", out, err)
	}
}

// A job that cannot be started does not exist.
func TestSubmitFails(t *testing.T) {
	p := newPlan(t, "")
	p.Agent = "/nowhere/agent"
	job, err := (&Local{}).Submit(t.Context(), p)
	if !errors.Is(err, scheduler.ErrUnavailable) || !errors.Is(err, os.ErrNotExist) || job.ID != "" {
		t.Errorf("%+v, %v", job, err)
	}
	p.RunDir = filepath.Join(p.RunDir, "agent") // a file
	if job, err = (&Local{}).Submit(t.Context(), p); !errors.Is(err, scheduler.ErrUnavailable) || job.ID != "" {
		t.Errorf("%+v, %v", job, err)
	}
}

// A job ends with the process that submitted it, in whatever way that ends.
func TestJobEndsWithItsSubmitter(t *testing.T) {
	p := newPlan(t, untilAsked)
	s := submitElsewhere(t, p, tied)
	runs(t, p.RunDir)
	if got := phase(t, &Local{}, s.job); got != protocol.JobRunning {
		t.Errorf("it is %s", got)
	}
	s.kill()
	ends(t, &Local{}, s.job)
	if !check.Exists(filepath.Join(p.RunDir, "asked")) {
		t.Error("it was not asked to end")
	}
}

// A detached job goes on without the process that submitted it; another process knows it and can end it.
func TestDetachedJobGoesOn(t *testing.T) {
	p := newPlan(t, untilAsked)
	s := submitElsewhere(t, p, detached)
	runs(t, p.RunDir)
	s.kill()
	runs(t, p.RunDir)
	l := &Local{}
	if got := phase(t, l, s.job); got != protocol.JobRunning || check.Exists(filepath.Join(p.RunDir, "asked")) {
		t.Errorf("it is %s", got)
	}
	if err := l.Cancel(t.Context(), s.job); err != nil {
		t.Error(err)
	}
	ends(t, l, s.job)
	if !check.Exists(filepath.Join(p.RunDir, "asked")) {
		t.Error("it was not asked to end")
	}
	if err := l.Cancel(t.Context(), s.job); !errors.Is(err, errGone) {
		t.Errorf("a job that has ended was ended: %v", err)
	}
}

// A signal for the terminal's process group does not reach a job: its submitter passes it on.
func TestJobHasItsOwnGroup(t *testing.T) {
	p := newPlan(t, untilAsked)
	l := &Local{}
	job, err := l.Submit(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	runs(t, p.RunDir)
	if group, err := syscall.Getpgid(processes(p.RunDir)[0]); err != nil || group == syscall.Getpgrp() {
		t.Errorf("%d, %v", group, err)
	}
	if err := l.Cancel(t.Context(), job); err != nil {
		t.Error(err)
	}
	ends(t, l, job)
}

// A job that this process cannot look for is not known to have ended: it is of another host or name space, or no job at
// all.
func TestStateIsUnknown(t *testing.T) {
	mine, _, _ := (&Local{}).Job()
	parts := strings.Split(mine, "-")
	tests := map[string]struct {
		job  scheduler.Job
		want string
	}{
		"another host":       {scheduler.Job{ID: mine, Cluster: "elsewhere"}, "it runs on elsewhere: ask there"},
		"another name space": {scheduler.Job{ID: parts[0] + "-1-1"}, "name space"},
		"no job":             {scheduler.Job{ID: "x"}, "it is no mark"},
		"no id":              {scheduler.Job{}, "it is no mark"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := &Local{}
			s, err := l.State(t.Context(), tt.job)
			if s != unknown || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%+v, %v", s, err)
			}
			if err := l.Cancel(t.Context(), tt.job); err == nil || !strings.Contains(err.Error(), "cannot cancel: ") {
				t.Errorf("%v", err)
			}
		})
	}
	// A process of the same number that was started at another time is another one.
	s, err := (&Local{}).State(t.Context(), scheduler.Job{ID: parts[0] + "-1-" + parts[2], Cluster: host()})
	if s.Phase != protocol.JobEnded || err != nil {
		t.Errorf("%+v, %v", s, err)
	}
}

// A job that has ended is over, although its parent has not asked how it ended.
func TestZombieIsOver(t *testing.T) {
	p := newPlan(t, "exit 0")
	cmd := exec.Command(p.Agent)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	job := scheduler.Job{ID: jobID(supervisor.MarkOf(cmd.Process.Pid))}
	ends(t, &Local{}, job)
	_ = cmd.Wait()
}

// What a job leaves as a note is found with its end, by its submitter as by others. Only this user's own counts.
func TestNote(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	p := newPlan(t, envPlay+"="+noting+" exec "+os.Args[0])
	l := &Local{}
	job, err := l.Submit(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	ends(t, l, job)
	for _, who := range []*Local{l, {}} {
		if s, err := who.State(t.Context(), job); s.Note != "a note" || err != nil {
			t.Errorf("%+v, %v", s, err)
		}
	}
	own := noteFile(jobID(supervisor.Mark()))
	if err := os.Symlink(noteFile(job.ID), own); err != nil {
		t.Fatal(err)
	}
	if err := l.LeaveNote(t.Context(), "x"); !errors.Is(err, os.ErrExist) {
		t.Errorf("a planted link was followed: %v", err)
	}
	if got := note(jobID(supervisor.Mark())); got != "" {
		t.Errorf("a planted note was read: %q", got)
	}
	if err := os.Remove(own); err != nil {
		t.Error(err)
	}
	if err := os.Mkdir(own, 0o700); err != nil {
		t.Error(err)
	}
	if got := note(jobID(supervisor.Mark())); got != "" {
		t.Errorf("a folder was read: %q", got)
	}
}

// This machine takes every job, and is looked at by the agent itself.
func TestExaminer(t *testing.T) {
	p := newPlan(t, `echo "$*"`)
	l := &Local{}
	if got := l.Examine(t.Context(), p, false); len(got) != 1 || got[0].Level != doctor.OK {
		t.Errorf("%v", got)
	}
	if out, err := l.Visit(p, 3, "examine", "--nodes", "1").Output(); string(out) != "examine --nodes 1\n" ||
		err != nil {
		t.Errorf("%q, %v", out, err)
	}
}
