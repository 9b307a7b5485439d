package batch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/test/check"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
)

// listen plays the hub of a job, which gets the reports about its steps.
func (j *job) listen() <-chan control.Inbound {
	j.t.Helper()
	token, err := rundir.OpenAttempt(j.attempt, j.plan.Case.TestID)
	if err != nil {
		j.t.Fatal(err)
	}
	s, err := control.Listen(control.ServerOptions{
		Host: "127.0.0.1", Token: token, RunID: "run-0", Heartbeat: time.Second,
		Expected: func(roles.Task) bool { return true },
	})
	if err != nil {
		j.t.Fatal(err)
	}
	j.t.Cleanup(s.Close)
	p := protocol.Published{Task: roles.Hub(), RunID: "run-0", Hub: s.Address(), Step: "7.0"}
	if err := rundir.Publish(j.attempt, p); err != nil {
		j.t.Fatal(err)
	}
	return s.Inbound()
}

// hears collects reports, in whatever order they come, until one is as wanted.
func (j *job) hears(in <-chan control.Inbound, what string, want func(protocol.StepReport) bool) protocol.StepReport {
	j.t.Helper()
	for timeout := time.After(bound); ; {
		if i := slices.IndexFunc(j.heard, want); i >= 0 {
			return j.heard[i]
		}
		select {
		case i := <-in:
			j.heard = append(j.heard, *i.Step)
		case <-timeout:
			j.t.Fatalf("never reported: %s", what)
		}
	}
}

// The hub hears of the end of a step, of ranks that ended before their step, and of when the job's time is over.
func TestReports(t *testing.T) {
	t.Parallel()
	j := newJob(t, map[string]string{
		"GEN_0": `echo "fake-rank: 3 64" >&2; until [ -e "$A/go" ]; do sleep 0.02; done
			echo "fake:  task launch failed" >&2; exit 5`,
		"BENCHMARK": verdict + `until [ -e "$A/over" ]; do sleep 0.02; done`,
	})
	j.Ends = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	in := j.listen()
	code := make(chan int)
	go func() { code <- j.run(t.Context()) }()
	at := j.hears(in, "the end of the job's time", func(r protocol.StepReport) bool { return !r.JobEnds.IsZero() })
	if !at.JobEnds.Equal(j.Ends) || at.Role != bench {
		t.Errorf("%+v", at)
	}
	rank := j.hears(in, "a rank", func(r protocol.StepReport) bool { return len(r.Ranks) > 0 })
	if rank.Role != gen || rank.Code != 64 || rank.Ranks[0] != 3 || rank.Ended {
		t.Errorf("%+v", rank)
	}
	touch(t, string(j.attempt)+"/go")
	got := j.hears(in, "the end", func(r protocol.StepReport) bool { return r.Ended })
	want := protocol.StepReport{
		Role: gen, RunID: "run-0", Ended: true, Code: 5,
		Detail:    "the step ended with code 5 before its agents reached the hub",
		Diagnosis: protocol.Diagnosis{Line: "task launch failed"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	touch(t, string(j.attempt)+"/over")
	if c := <-code; c != 0 {
		t.Errorf("code %d", c)
	}
}

// The end of the context asks the hub to cancel the job, and nobody else.
func TestCancel(t *testing.T) {
	t.Parallel()
	j := newJob(t, map[string]string{"BENCHMARK": verdict + `until [ -e "$A/over" ]; do sleep 0.02; done`})
	in := j.listen()
	ctx, cancel := context.WithCancelCause(t.Context())
	code := make(chan int)
	go func() { code <- j.run(ctx) }()
	cancel(errors.New("SIGTERM"))
	got := j.hears(in, "the wish", func(r protocol.StepReport) bool { return r.Cancel != "" })
	if got.Cancel != "SIGTERM" {
		t.Errorf("%+v", got)
	}
	touch(t, string(j.attempt)+"/over")
	if c := <-code; c != 0 {
		t.Errorf("code %d", c)
	}
}

// A step that never began for a reason that may pass is started once more; its log is complete only after the last try.
func TestRetry(t *testing.T) {
	t.Parallel()
	j := newJob(t, map[string]string{"BENCHMARK": verdict + `until [ -e "$A/again" ]; do sleep 0.02; done`})
	j.tries("GEN_0", "echo 'fake: transient busy' >&2; exit 1",
		`[ ! -e "$A/logs/gen_server_0.done" ] || echo complete too soon; : >"$A/again"`)
	if code := j.run(t.Context()); code != 0 {
		t.Errorf("code %d", code)
	}
	j.says("the step of GEN_0 never began: trying again in 1s")
	if got := j.log(gen); got != "fake: transient busy\n" {
		t.Errorf("%q", got)
	}
	if !check.Exists(rundir.DoneFile(j.attempt.RoleLog(gen))) {
		t.Error("the log is not marked as complete")
	}
}

// Nothing is started any more once the job is over, although a step was to be tried again.
func TestNoStartAfterTheEnd(t *testing.T) {
	t.Parallel()
	j := newJob(t, map[string]string{"GEN_0": "echo 'fake: transient busy' >&2; : >\"$A/failed\"; exit 1"})
	j.tries("BENCHMARK", verdict+`until [ -e "$A/failed" ]; do sleep 0.02; done`)
	j.run(t.Context())
	time.Sleep(1500 * time.Millisecond) // longer than the pause before another try
	starts := slices.DeleteFunc(j.Asked(), func(s string) bool { return s != "start GEN_0" })
	if len(starts) != 1 {
		t.Errorf("it was started %d times", len(starts))
	}
}

// unstartable is a scheduler whose command is not there, or that does not know the role.
type unstartable struct {
	scheduler.Starter
	err error
}

func (u unstartable) Steps(plan.Plan, roles.Role, []string) ([]*exec.Cmd, error) {
	return []*exec.Cmd{exec.Command("true"), exec.Command("true"), exec.Command("/nowhere/srun")}, u.err
}

// A step that cannot be started at all is one that never began; nothing hangs.
func TestStepCannotBeStarted(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"the command is not there": {nil, "cannot start BENCHMARK: /nowhere/srun: fork/exec"},
		"the role is not known":    {errors.New("no such role"), "cannot start BENCHMARK: no such role"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, nil)
			j.starter = unstartable{j.Scheduler, tt.err}
			if code := j.run(t.Context()); code != protocol.ExitNotStarted {
				t.Errorf("code %d", code)
			}
			want := "the step never began: it ended with code 125: " + tt.want
			if c := j.cause(); c.Kind != protocol.StepFailed || !strings.HasPrefix(c.Detail, want) {
				t.Errorf("%+v", c)
			}
			j.says(tt.want)
			if got := j.log(bench); !strings.Contains(got, tt.want) {
				t.Errorf("%q", got)
			}
		})
	}
}

// onePerRank is a scheduler that starts a command a rank.
type onePerRank struct{ scheduler.Starter }

func (o onePerRank) Steps(p plan.Plan, r roles.Role, env []string) (all []*exec.Cmd, err error) {
	pl, _ := p.Layout.Find(r)
	for rank := range pl.Ranks {
		cmds, err := o.Starter.Steps(p, r, append(env, "RANK="+strconv.Itoa(rank)))
		if err != nil {
			return nil, err
		}
		all = append(all, cmds...)
	}
	return all, nil
}

// Where each rank is a command of its own, the hub hears of one that ended although the others, which wait for it, go
// on.
func TestRankEndsBeforeItsStep(t *testing.T) {
	t.Parallel()
	j := newJob(t, map[string]string{
		"GEN_0":     `[ "$RANK" = 1 ] && exit 7; until [ -e "$A/heard" ]; do sleep 0.02; done`,
		"BENCHMARK": verdict + `until [ -e "$A/heard" ]; do sleep 0.02; done`,
	})
	j.plan.Layout.Placements[0].Ranks = 3
	j.starter = onePerRank{j.Scheduler}
	in := j.listen()
	ended := make(chan int, 1)
	go func() { ended <- j.run(t.Context()) }()
	r := j.hears(in, "the end of a rank", func(r protocol.StepReport) bool { return len(r.Ranks) > 0 })
	if r.Role != gen || r.Code != 7 || r.Ended || !slices.Equal(r.Ranks, []int{1}) {
		t.Errorf("%+v", r)
	}
	touch(t, filepath.Join(string(j.attempt), "heard"))
	<-ended
}

// A process that inherited a step's output and outlives it does not delay the end of the step.
func TestOutputIsHeldOpen(t *testing.T) {
	t.Parallel()
	j := newJob(t, map[string]string{"BENCHMARK": verdict + "sleep 600 & echo done; exit 3"})
	t.Cleanup(j.kill)
	begun := time.Now()
	if code := j.run(t.Context()); code != 3 || time.Since(begun) > bound {
		t.Errorf("code %d, after %v", code, time.Since(begun))
	}
	if got := j.log(bench); !strings.HasPrefix(got, "done\n") || !strings.Contains(got, "its output has not") {
		t.Errorf("%q", got)
	}
}

// Steps that are left over after BENCHMARK's end are waited for as long as they print something. The test prints for
// the step: only then it knows when there was a pause, on a busy machine, that was long enough to be left for. Then
// they are ended.
func TestLeftOver(t *testing.T) {
	t.Parallel()
	j := newJob(t, map[string]string{
		"GEN_0":     `echo $$ >"$A/pid.tmp"; mv "$A/pid.tmp" "$A/pid"; trap "" TERM; exec sleep 600`,
		"BENCHMARK": verdict + `until [ -e "$A/printed" ]; do sleep 0.02; done`,
	})
	type prints struct {
		last  time.Time
		pause time.Duration // the longest
	}
	printed := make(chan prints, 1)
	go func() {
		out := j.standardOutput()
		defer out.Close()
		p := prints{last: time.Now()}
		for i := range 15 {
			fmt.Fprintln(out, i)
			p.last, p.pause = time.Now(), max(p.pause, time.Since(p.last))
			touch(t, string(j.attempt)+"/printed")
			time.Sleep(100 * time.Millisecond)
		}
		printed <- p
	}()
	if code := j.run(t.Context()); code != 0 {
		t.Errorf("code %d", code)
	}
	left := time.Now()
	if p := <-printed; left.Before(p.last) && p.pause < time.Second/2 {
		t.Errorf("left %v too early: the longest pause was %v", p.last.Sub(left), p.pause)
	}
	if check.Exists(rundir.DoneFile(j.attempt.RoleLog(gen))) {
		t.Error("the log of a step that goes on is marked as complete")
	}
	// It does not heed the request to end: nothingIsLeft sees whether it was killed.
}

// standardOutput opens the standard output of the decode server's step, once that runs.
func (j *job) standardOutput() *os.File {
	file := string(j.attempt) + "/pid"
	check.Eventually(j.t, "the step runs", func() bool { return check.Exists(file) })
	pid, err := os.ReadFile(file)
	if err != nil {
		j.t.Error(err)
	}
	out, err := os.OpenFile("/proc/"+strings.TrimSpace(string(pid))+"/fd/1", os.O_WRONLY, 0)
	if err != nil {
		j.t.Error(err)
	}
	return out
}

// A hub that hangs is ended once all other roles have left: the job does not wait for its time limit. The verdict says
// that it hung.
func TestHubHangs(t *testing.T) {
	t.Parallel()
	j := newJob(t, map[string]string{"BENCHMARK": published(bench, "7.0") + "exec sleep 600", "GEN_0": "exit 1"})
	j.OnStop = func(string) error { return errors.New("there is no such step") } // then its processes are ended
	if code := j.run(t.Context()); code != 137 {
		t.Errorf("code %d", code)
	}
	if c := j.cause(); c.Kind != protocol.HubLost || !strings.Contains(c.Detail, "it hung") {
		t.Errorf("%+v", c)
	}
	if !slices.Contains(j.Asked(), "kill 7.0") {
		t.Errorf("%q", j.Asked())
	}
}
