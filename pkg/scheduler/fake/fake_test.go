package fake

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/doctor"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/scheduler"
)

var errAway = errors.New("away")

// Answers come in order, the last of them again and again, and what was asked is kept.
func TestAnswers(t *testing.T) {
	job := scheduler.Job{ID: "7"}
	running, ended := protocol.JobState{Phase: protocol.JobRunning}, protocol.JobState{Phase: protocol.JobEnded}
	s := &Scheduler{
		GraceTime: time.Second, GraceErr: errAway, SubmitJob: job, SubmitErr: errAway, CancelErr: errAway,
		Queue: []Answer{{State: running}, {Err: errAway}, {State: ended}}, Records: []Answer{{Hang: true}},
	}
	submitted := ""
	s.OnSubmit = func(p plan.Plan) { submitted = p.ID }
	if d, err := s.Grace(t.Context()); d != time.Second || !errors.Is(err, errAway) {
		t.Errorf("%v, %v", d, err)
	}
	got, err := s.Submit(t.Context(), plan.Plan{ID: "p"})
	if got != job || !errors.Is(err, errAway) || submitted != "p" {
		t.Errorf("%+v, %v, %s", got, err, submitted)
	}
	for i, want := range []Answer{{State: running}, {Err: errAway}, {State: ended}, {State: ended}} {
		if got, err := s.State(t.Context(), job); got != want.State || !errors.Is(err, want.Err) {
			t.Errorf("%d: %+v, %v", i, got, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := s.History(ctx, job); got != (protocol.JobState{}) || !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := s.Cancel(t.Context(), job); !errors.Is(err, errAway) {
		t.Error(err)
	}
	if diff := cmp.Diff(strings.Fields("grace submit state state state state history cancel"), s.Asked()); diff != "" {
		t.Error(diff)
	}
	if got, err := (&Scheduler{}).State(t.Context(), job); got != (protocol.JobState{}) || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

// A step is the script of its try, with the environment that its tasks are to have; a role without a script ends at
// once.
func TestSteps(t *testing.T) {
	gen := roles.Role{Kind: roles.Gen}
	s := &Scheduler{InstallScript: "echo install $X"}
	s.Scripts = map[string][]string{"GEN_0": {"echo one $X", "echo two $X"}}
	for i, want := range []string{"one y\n", "two y\n", "two y\n"} {
		cmds, err := s.Steps(plan.Plan{}, gen, []string{"X=y"})
		if err != nil || len(cmds) != 1 {
			t.Fatalf("%v, %v", cmds, err)
		}
		if out, err := cmds[0].Output(); string(out) != want || err != nil {
			t.Errorf("%d: %q, %v", i, out, err)
		}
	}
	cmds, err := s.Steps(plan.Plan{}, roles.Hub().Role, nil)
	if err == nil {
		err = cmds[0].Run()
	}
	if err != nil {
		t.Error(err)
	}
	if out, err := s.Install(plan.Plan{}, []string{"X=y"}).Output(); string(out) != "install y\n" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	if cmd := (&Scheduler{}).Install(plan.Plan{}, nil); cmd != nil {
		t.Errorf("%v", cmd)
	}
}

// A script speaks for the scheduler with the lines that the reader understands.
func TestReader(t *testing.T) {
	r := (&Scheduler{}).Reader()
	for _, line := range []string{"loading", "fake: transient busy now", "fake-rank: 3 64", "fake-rank: 5 64"} {
		r.Line(line)
	}
	want := protocol.Diagnosis{Meaning: protocol.Transient, Line: "busy now"}
	if diff := cmp.Diff(map[int][]int{64: {3, 5}}, r.Ranks()); diff != "" || r.Diagnosis() != want {
		t.Errorf("%+v %s", r.Diagnosis(), diff)
	}
}

// What a starter is told, and tells, is as it was set.
func TestStarter(t *testing.T) {
	at := time.Now()
	s := &Scheduler{SubmitJob: scheduler.Job{ID: "7"}, Ends: at, NoteErr: errAway}
	if err := s.StopStep(t.Context(), "7.0"); err != nil {
		t.Error(err)
	}
	s.OnStop = func(string) error { return errAway }
	if err := s.StopStep(t.Context(), "7.1"); !errors.Is(err, errAway) {
		t.Error(err)
	}
	if err := s.KillStep(t.Context(), "7.2"); !errors.Is(err, errAway) {
		t.Error(err)
	}
	s.OnStop = nil
	if err := s.KillStep(t.Context(), "7.3"); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"stop 7.0", "stop 7.1", "kill 7.2", "kill 7.3"}, s.Asked()); diff != "" {
		t.Error(diff)
	}
	if err := s.LeaveNote(t.Context(), "x"); !errors.Is(err, errAway) || cmp.Diff([]string{"x"}, s.Notes()) != "" {
		t.Errorf("%v, %v", err, s.Notes())
	}
	if id, attempt, err := s.Job(); id != "7" || attempt != 0 || err != nil || !s.JobEnds(t.Context()).Equal(at) {
		t.Errorf("%s, %d, %v", id, attempt, err)
	}
	if s.Name() != "fake" {
		t.Errorf("%s", s.Name())
	}
	if script, err := s.Script(plan.Plan{ID: "p", Case: roles.Case{Name: "c"}}); script != "# dp-c\n" || err != nil {
		t.Errorf("%q, %v", script, err)
	}
	if id, err := s.Identify(nil, roles.Placement{}); id != (scheduler.Identity{}) || err != nil {
		t.Errorf("%+v, %v", id, err)
	}
}

// What it thinks of a job is as it was set, and a visit is a script with the arguments of the command.
func TestExaminer(t *testing.T) {
	s := &Scheduler{Findings: []doctor.Finding{doctor.Good("x", "fine")}, VisitScript: `echo "$*"`}
	if got := s.Examine(t.Context(), plan.Plan{}, true); len(got) != 1 || got[0].Text != "fine" {
		t.Errorf("%v", got)
	}
	s.Examine(t.Context(), plan.Plan{}, false)
	if out, err := s.Visit(plan.Plan{}, 2, "examine", "--id", "x").Output(); string(out) != "examine --id x\n" ||
		err != nil {
		t.Errorf("%q, %v", out, err)
	}
	if diff := cmp.Diff([]string{"examine quickly", "examine", "visit 2"}, s.Asked()); diff != "" {
		t.Error(diff)
	}
}
