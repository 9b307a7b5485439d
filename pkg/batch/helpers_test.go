package batch

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/disagg/disagg/test/check"

	"go.uber.org/goleak"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/pkg/scheduler/fake"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(envShell); dir != "" {
		shell(dir)
		return
	}
	own, err := os.MkdirTemp("", "disagg-batch-") // verdicts that find no other place go to the temporary folder
	if err == nil {
		err = os.Setenv("TMPDIR", own)
	}
	if err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(own)
		os.Exit(code)
	}))
}

// bound is on anything that should happen at once.
const bound = 20 * time.Second

var (
	gen   = roles.Role{Kind: roles.Gen}
	bench = roles.Hub().Role
)

// job is a run of the batch script whose scheduler is played.
type job struct {
	*fake.Scheduler
	t       *testing.T
	plan    plan.Plan
	attempt rundir.Attempt
	roles   []roles.Role          // that are started; nil: all
	heard   []protocol.StepReport // by the hub that the test plays
	starter scheduler.Starter     // nil: the fake

	mu   sync.Mutex
	said []string
	out  bytes.Buffer
}

// newJob is a job with a decode server and a benchmark. Scripts know the attempt's folder as $A.
func newJob(t *testing.T, scripts map[string]string) *job {
	t.Helper()
	j := &job{t: t, Scheduler: &fake.Scheduler{Scripts: map[string][]string{}}}
	j.plan = plan.Plan{Schema: 1, ID: "run", RunDir: t.TempDir(), Case: roles.Case{Name: "c", TestID: "t"}}
	for _, r := range []roles.Role{gen, bench} {
		pl := roles.Placement{Role: r, Nodes: 1, Ranks: 1, RanksPerNode: 1}
		j.plan.Layout.Placements = append(j.plan.Layout.Placements, pl)
	}
	j.attempt = rundir.Dir(j.plan.RunDir).Attempt(0)
	for role, script := range scripts {
		j.tries(role, script)
	}
	t.Cleanup(j.nothingIsLeft)
	return j
}

// tries sets the scripts of a role's step, one a try.
func (j *job) tries(role string, scripts ...string) {
	for _, script := range scripts {
		j.Scripts[role] = append(j.Scripts[role], "A="+string(j.attempt)+"\n"+script)
	}
}

// run runs the job to its end and returns its code.
func (j *job) run(ctx context.Context) int {
	j.t.Helper()
	code, err := j.try(ctx)
	if err != nil {
		j.t.Fatal(err)
	}
	return code
}

func (j *job) try(ctx context.Context) (int, error) {
	o := Options{Plan: j.plan, JobID: "7", Starter: j.Scheduler, Roles: j.roles, Out: j, Say: j.say}
	if j.starter != nil {
		o.Starter = j.starter
	}
	return Run(ctx, o)
}

func (j *job) say(text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.said = append(j.said, text)
}

// Write takes what the roles print.
func (j *job) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.out.Write(b)
}

// text is everything that was said, or printed by the roles.
func (j *job) text() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.said, "\n") + "\n" + j.out.String()
}

// says fails unless a text was said or printed.
func (j *job) says(want string) {
	j.t.Helper()
	if got := j.text(); !strings.Contains(got, want) {
		j.t.Errorf("%q was not said, but %q", want, got)
	}
}

// log is what a role's log holds.
func (j *job) log(r roles.Role) string {
	j.t.Helper()
	data, err := os.ReadFile(j.attempt.RoleLog(r))
	if err != nil {
		j.t.Error(err)
	}
	return string(data)
}

// cause is the first cause of the job's verdict.
func (j *job) cause() protocol.Cause {
	j.t.Helper()
	r, err := rundir.ReadResult(j.attempt)
	if err != nil {
		j.t.Fatal(err)
	}
	if r.FirstCause == nil {
		j.t.Fatalf("the verdict has no cause: %+v", r)
	}
	return *r.FirstCause
}

// processes lists the processes of a run's steps.
func processes(runDir string) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, f := range files {
		env, err := os.ReadFile(f)
		if err == nil && bytes.Contains(env, []byte(protocol.EnvPlan+"="+runDir+"/")) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// kill ends what is left of a job's steps, as a scheduler does when the batch script has ended.
func (j *job) kill() {
	for _, pid := range processes(j.plan.RunDir) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	check.Eventually(j.t, "killed processes are gone", func() bool { return len(processes(j.plan.RunDir)) == 0 })
}

// nothingIsLeft fails if a process of the job's steps goes on.
func (j *job) nothingIsLeft() {
	if pids := processes(j.plan.RunDir); len(pids) > 0 {
		j.t.Errorf("still there: %v", pids)
		j.kill()
	}
}

// published is a script that publishes a role's first agent, in a step of the scheduler's.
func published(r roles.Role, step string) string {
	text := fmt.Sprintf(`{"schema": 1, "task": {"role": "%s", "rank": 0}, "run_id": "run-0", "step": "%s"}`, r, step)
	return fmt.Sprintf("echo '%s' >\"$A/tmp\" && mv \"$A/tmp\" \"$A/agents/%s.0.json\"\n", text, r)
}

func touch(t *testing.T, file string) {
	t.Helper()
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Error(err)
	}
}
