package batch

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/disagg/disagg/test/check"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler/fake"
)

// A role that is started by hand prints to the terminal of its person, is not part of a batch script, and ends with
// its own code. There is no verdict without a hub.
func TestByHand(t *testing.T) {
	t.Parallel()
	j := byHand(t, `echo "batch ${DISAGG_BATCH:-none}"; exit 7`)
	if code := j.run(t.Context()); code != 7 {
		t.Errorf("code %d", code)
	}
	j.says("batch none\n")
	if got := j.log(gen); got != "batch none\n" {
		t.Errorf("%q", got)
	}
	if rundir.HasResult(j.attempt) {
		t.Error("there is a verdict")
	}
}

// A benchmark that is started by hand leads to a verdict like any other.
func TestBenchmarkByHand(t *testing.T) {
	t.Parallel()
	j := newJob(t, map[string]string{"BENCHMARK": "exit 2"})
	j.plan.Policy.Interactive, j.roles = true, []roles.Role{bench}
	if code := j.run(t.Context()); code != 2 {
		t.Errorf("code %d", code)
	}
	if c := j.cause(); c.Kind != protocol.StepFailed {
		t.Errorf("%+v", c)
	}
}

// runs is a script that says when it can be asked to stop, and then waits for that.
const runs = `trap "echo asked; exit 1" TERM; : >"$A/runs"; while :; do sleep 0.02; done`

// interrupted runs a job until its step runs, ends the context, and returns the job's code.
func (j *job) interrupted() int {
	ctx, cancel := context.WithCancelCause(j.t.Context())
	defer cancel(nil)
	go func() {
		check.Eventually(j.t, "the step runs", func() bool { return check.Exists(string(j.attempt) + "/runs") })
		cancel(errors.New("SIGINT"))
	}()
	return j.run(ctx)
}

// The end of the context asks the agents of the step to stop, through their scheduler.
func TestByHandIsStopped(t *testing.T) {
	t.Parallel()
	j := byHand(t, published(gen, "7.4")+`: >"$A/runs"; until [ -e "$A/stop" ]; do sleep 0.02; done; exit 9`)
	j.OnStop = func(step string) error {
		if step != "7.4" {
			t.Errorf("step %s was asked to stop", step)
		}
		touch(t, string(j.attempt)+"/stop")
		return nil
	}
	if code := j.interrupted(); code != 9 {
		t.Errorf("code %d", code)
	}
	j.says("stopping GEN_0")
}

// A scheduler that does not answer is not needed to stop a step: the processes that start it are asked then.
func TestByHandIsStoppedWithoutItsScheduler(t *testing.T) {
	t.Parallel()
	j := byHand(t, published(gen, "7.4")+runs)
	j.OnStop = func(string) error { return errors.New("no answer") }
	if code := j.interrupted(); code != 1 {
		t.Errorf("code %d", code)
	}
	j.says("cannot stop GEN_0: no answer")
	if got := j.log(gen); got != "asked\n" {
		t.Errorf("%q", got)
	}
}

// A step whose agents are not there yet is ended by ending what starts it; agents of an earlier step are not taken for
// this one's.
func TestByHandIsStoppedBeforeItsAgents(t *testing.T) {
	t.Parallel()
	for name, earlier := range map[string]string{"for the first time": "", "once more": "7.1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := byHand(t, runs)
			if earlier != "" {
				if _, err := rundir.OpenAttempt(j.attempt, "t"); err != nil {
					t.Fatal(err)
				}
				p := protocol.Published{Task: roles.Task{Role: gen}, RunID: "run-0", Step: earlier}
				if err := rundir.Publish(j.attempt, p); err != nil {
					t.Fatal(err)
				}
			}
			if code := j.interrupted(); code != 1 {
				t.Errorf("code %d", code)
			}
			if got := j.log(gen); got != "asked\n" {
				t.Errorf("%q", got)
			}
			for _, asked := range j.Asked() {
				if strings.HasPrefix(asked, "stop") {
					t.Error(asked)
				}
			}
		})
	}
}

// A role that waits for its next try is not started any more once its person wants the end.
func TestByHandIsStoppedBetweenTries(t *testing.T) {
	t.Parallel()
	j := byHand(t, `echo "fake: transient busy" >&2; : >"$A/runs"; exit 1`)
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		check.Eventually(t, "it is to be tried again", func() bool {
			return strings.Contains(j.text(), "trying again")
		})
		cancel(errors.New("SIGINT"))
	}()
	if code := j.run(ctx); code != 1 {
		t.Errorf("code %d", code)
	}
	if asked := j.Asked(); len(asked) != 1 {
		t.Errorf("%v", asked)
	}
}

// envShell makes the test's program play the shell of a person who starts a role, in the folder that it names.
const envShell = "BATCH_TEST_SHELL"

// shell starts a role by hand and sees it through.
func shell(dir string) {
	j := &job{Scheduler: &fake.Scheduler{Scripts: map[string][]string{}}}
	j.plan.Policy.Interactive = true
	j.plan.RunDir, j.attempt = dir, rundir.Dir(dir).Attempt(0)
	j.tries("GEN_0", runs)
	_, err := Run(context.Background(), Options{Plan: j.plan, Starter: j.Scheduler, Roles: []roles.Role{gen}})
	if err != nil {
		panic(err)
	}
}

// The step of a shell that is killed, as by the end of its terminal, is asked to end.
func TestShellIsKilled(t *testing.T) {
	t.Parallel()
	j := byHand(t, "")
	j.plan.RunDir = t.TempDir()
	j.attempt = rundir.Dir(j.plan.RunDir).Attempt(0)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envShell+"="+j.plan.RunDir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	check.Eventually(t, "the step runs", func() bool { return check.Exists(string(j.attempt) + "/runs") })
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
	check.Eventually(t, "the step ends", func() bool { return len(processes(j.plan.RunDir)) == 0 })
}
