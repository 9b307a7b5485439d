package agent

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

// failedStep is a step that failed, with a role log that says why.
func failedStep(t *testing.T, role, log string) (StepEnd, roles.Attempt) {
	t.Helper()
	r, err := roles.ParseRole(role)
	if err != nil {
		t.Fatal(err)
	}
	p := roles.Plan{
		ID: "run", RunDir: roles.RunDir(t.TempDir()), Upload: roles.Upload{URL: "sqlite://" + t.TempDir() + "/results.db"},
		Cluster:  roles.Cluster{KillWait: roles.Duration(30 * time.Second)},
		Timeouts: roles.Timeouts{Launch: roles.Duration(bound), Upload: roles.Duration(bound)},
	}
	a := p.RunDir.Attempt(0)
	if _, err := openAttempt(p, a); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.RoleLog(r), []byte(log), 0o644); err != nil {
		t.Fatal(err)
	}
	return StepEnd{Plan: p, Role: r, Code: 1}, a
}

const noOption = "srun: unrecognized option '--nonsense'\n"

// The hub hears of a step that never began, in srun's words, from somebody who has the token.
func TestStepNeverBegan(t *testing.T) {
	e, a := failedStep(t, "GEN_0", noOption)
	data, err := os.ReadFile(a.Token())
	if err != nil {
		t.Fatal(err)
	}
	s, err := control.Listen(control.ServerOptions{
		Host: "127.0.0.1", Token: strings.TrimSpace(string(data)), RunID: "run-0", Expected: func(roles.Task) bool { return true },
		Heartbeat: time.Second, Lost: 5 * time.Second, Reconnect: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := publish(a, roles.Identity{Task: roles.Hub()}, "run-0", s.Address()); err != nil {
		t.Fatal(err)
	}
	if again, err := StepEnded(t.Context(), e); again || err != nil {
		t.Errorf("again %v, %v", again, err)
	}
	in := <-s.Inbound()
	if in.Task.Role != e.Role || in.NoStep != "the step never began: srun exited with code 1: unrecognized option '--nonsense'" {
		t.Errorf("%+v", in)
	}
	for _, stranger := range []struct{ token, run string }{{"guess", "run-0"}, {strings.TrimSpace(string(data)), "run-1"}} {
		if err := control.ReportStep(t.Context(), s.Address(), stranger.token, control.StepFailure{Role: e.Role, RunID: stranger.run, Detail: "x"}); err == nil {
			t.Errorf("%+v was believed", stranger)
		}
	}
}

// A reason that may pass is worth another try, but not for ever.
func TestStepIsTriedAgain(t *testing.T) {
	e, a := failedStep(t, "BENCHMARK", "slurmstepd: error: pyxis: unable to open user namespace file\n")
	for try := range maxTries {
		again, err := StepEnded(t.Context(), e)
		if err != nil || again != (try < maxTries-1) {
			t.Fatalf("try %d: again %v, %v", try, again, err)
		}
	}
	r, err := results.ReadResult(a.Result())
	if err != nil || r.FirstCause.Kind != results.StepFailed || !strings.Contains(r.FirstCause.Detail, "(tried 3 times)") {
		t.Errorf("%+v, %v", r.FirstCause, err)
	}
}

// The end of the batch script is noticed at once, and told as what it is.
func TestWhileAlive(t *testing.T) {
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := whileAlive(t.Context(), cmd.Process.Pid)
	defer stop()
	if ctx.Err() != nil {
		t.Fatal(context.Cause(ctx))
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	select {
	case <-ctx.Done():
		if !errors.Is(context.Cause(ctx), errBatchEnded) {
			t.Error(context.Cause(ctx))
		}
	case <-time.After(bound):
		t.Error("the end of the process is not noticed")
	}
	for _, none := range []int{0, cmd.Process.Pid} {
		ctx, stop := whileAlive(t.Context(), none)
		if ctx.Err() != nil {
			t.Error("a process that does not exist has ended")
		}
		stop()
	}
}

// Hosts that cannot be prepared end the job with the last of what the command said.
func TestInstallFailed(t *testing.T) {
	e, a := failedStep(t, "GEN_0", "")
	e.Code = 3
	if err := os.WriteFile(filepath.Join(a.Logs(), "install.log"), []byte("Collecting x\nERROR: No matching distribution found for x\n\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := InstallFailed(e); err != nil {
		t.Fatal(err)
	}
	r, err := results.ReadResult(a.Result())
	want := "installing ended with code 3: ERROR: No matching distribution found for x"
	if err != nil || r.FirstCause.Kind != results.InstallFailed || r.FirstCause.Detail != want {
		t.Errorf("%+v, %v", r.FirstCause, err)
	}
}

// A hub that was killed gets a verdict in its place, with what was recorded; one that gave its own keeps it. A worker
// whose agents ran is its hub's affair.
func TestStepThatBegan(t *testing.T) {
	e, a := failedStep(t, "BENCHMARK", "srun: error: n1: task 0: Killed\n")
	e.Code = 137
	if err := publish(a, roles.Identity{Task: roles.Hub()}, "run-0", "h:1"); err != nil {
		t.Fatal(err)
	}
	rec := results.NewRecord(e.Plan, "run-0", "", results.Point{Index: 1, Concurrency: 8, Metrics: map[string]float64{"al": 1}}, time.Now())
	if err := rec.Save(a.Records()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if again, err := StepEnded(t.Context(), e); again || err != nil {
			t.Errorf("again %v, %v", again, err)
		}
	}
	r, err := results.ReadResult(a.Result())
	if err != nil || r.Verdict != results.Failed || r.FirstCause.Kind != results.HubLost || len(r.Points) != 1 || r.Points[0].Concurrency != 8 {
		t.Errorf("%+v: %+v, %v", r, r.FirstCause, err)
	}

	e, a = failedStep(t, "GEN_0", noOption)
	if err := publish(a, roles.Identity{Task: roles.Task{Role: e.Role, Rank: 2}}, "run-0", ""); err != nil {
		t.Fatal(err)
	}
	if again, err := StepEnded(t.Context(), e); again || err != nil {
		t.Errorf("again %v, %v", again, err)
	}
}
