package slurm

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/test/lab"
)

// job is a job under way, whose servers take for ever to load.
type job struct {
	*cluster
	t      *testing.T
	id     string
	runDir string
}

// begin submits a case and waits until every child has started.
func (c *cluster) begin(t *testing.T, name string, env ...string) *job {
	t.Helper()
	j := &job{cluster: c, t: t, runDir: filepath.Join(c.Shared(), strings.ReplaceAll(t.Name(), "/", "_"))}
	args := append([]string{"run", "--detach", "--launcher", "slurm", "--run-dir", j.runDir}, c.simFlags()...)
	cmd := c.command(t.Context(), "disagg-submit", append(args, c.caseFile(name))...)
	cmd.Env = append(cmd.Env, env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(j.runDir, "submission.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s launch.Submission
	mustDecode(t, data, &s)
	j.id = s.JobID
	j.awaitStarted()
	return j
}

// awaitStarted waits until every worker's child runs and has written to its log.
func (j *job) awaitStarted() {
	j.t.Helper()
	p := readPlan(j.t, j.runDir)
	j.await("every child has started", func() bool {
		for _, pl := range p.Layout.Placements {
			for _, task := range pl.Tasks() {
				info, err := os.Stat(p.RunDir.Attempt(0).RankLog(task))
				if pl.Role.Kind.Worker() && (err != nil || info.Size() == 0) {
					return false
				}
			}
		}
		return true
	})
}

func (j *job) await(what string, ok func() bool) {
	j.t.Helper()
	for deadline := time.Now().Add(40 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			j.t.Fatalf("not within 40 s: %s", what)
		}
	}
}

// scancel runs Slurm's command. Of a signal to a step Slurm 22.05 says "Invalid job id" although it delivers it.
func (j *job) scancel(args ...string) {
	j.t.Helper()
	if out, err := j.Command(j.t.Context(), "", append([]string{"scancel"}, args...)...).CombinedOutput(); err != nil && !bytes.Contains(out, []byte("Invalid job id")) {
		j.t.Fatalf("scancel: %v: %s", err, out)
	}
}

// step is Slurm's name of a role's step.
func (j *job) step(role string) string { return j.published(role).Step }

func (j *job) published(role string) roles.Published {
	j.t.Helper()
	var p roles.Published
	data, err := os.ReadFile(filepath.Join(j.runDir, "current", "agents", role+".0.json"))
	if err != nil {
		j.t.Fatal(err)
	}
	mustDecode(j.t, data, &p)
	return p
}

// kill9 kills a process on its host: hosts share the machine's process ids.
func (j *job) kill9(pid int) {
	j.t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		j.t.Fatal(err)
	}
}

// childOf is the process that a role's leader supervises.
func (j *job) childOf(role string) int {
	j.t.Helper()
	agent := j.published(role).PID
	out, err := exec.CommandContext(j.t.Context(), "pgrep", "-P", fmt.Sprint(agent), "-f", "trtllm").Output()
	if err != nil {
		j.t.Fatalf("%s has no child: %v", role, err)
	}
	var pid int
	if _, err := fmt.Fscan(bytes.NewReader(out), &pid); err != nil {
		j.t.Fatal(err)
	}
	return pid
}

// TestEndings ends a job in every way that Slurm, a person or bad luck can. Within KillWait nothing is left on any host,
// and the first cause is kept.
func TestEndings(t *testing.T) {
	const killWait = 10 * time.Second
	tests := []struct {
		name    string
		act     func(*job)
		verdict results.Verdict
		cause   string // "" if Slurm leaves no time for a verdict
		state   string // of the job in sacct
		step    string // a step's name, state and code in sacct; "" if Slurm gives none
		srun    string // what GEN_0's srun must say of its tasks; "" if it does not matter
	}{
		{"scancel", func(j *job) { j.scancel(j.id) }, results.Cancelled, "cancelled", "CANCELLED", "", ""},
		{"preemption-like TERM", func(j *job) { j.scancel("--signal=TERM", j.id) }, results.Cancelled, "cancelled", "FAILED 1:0", "GEN_0 FAILED 1:0", ""},
		{"TERM to a step", func(j *job) { j.scancel("--signal=TERM", j.step("CTX_1")) }, results.Cancelled, "CTX_1.", "FAILED 1:0", "CTX_1 FAILED 1:0", ""},
		{"warning", func(j *job) { j.scancel("--signal=USR1", j.step("BENCHMARK")) }, results.Failed, "BENCHMARK.0 on gpu1: time_limit", "FAILED", "", ""},
		{"kill -9 of an agent", func(j *job) { j.kill9(j.published("CTX_0").PID) }, results.Failed, "CTX_0.0 on gpu2: agent_lost", "FAILED 1:0", "", ""},
		{"kill -9 of a child's leader", func(j *job) { j.kill9(j.childOf("GEN_0")) }, results.Failed, "GEN_0.0 on gpu1: child_signal: killed by SIGKILL", "FAILED 1:0", "GEN_0 FAILED 9:0", "Exited with exit code 137"}, // sacct shows codes from 128 on less 128
		{"kill -9 of the hub", func(j *job) { j.kill9(j.published("BENCHMARK").PID) }, results.Failed, "BENCHMARK.0: hub_lost", "FAILED", "", ""},
	}
	for _, cgroup := range []bool{false, true} {
		t.Run(fmt.Sprintf("cgroup=%v", cgroup), func(t *testing.T) {
			o := lab.Defaults()
			o.Cgroup, o.KillWait = cgroup, killWait
			c := start(t, o)
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					j := c.begin(t, smallCase, "SIM_STARTUP_SECONDS=300")
					begun := time.Now()
					tt.act(j)
					j.await("nothing is left", func() bool { return len(c.left(t)) == 0 })
					if took := time.Since(begun); took > killWait+2*time.Second {
						t.Errorf("it took %v until nothing was left", took)
					} else {
						t.Logf("nothing left after %v", took.Round(time.Millisecond))
					}
					steps := c.steps(t, j.id)
					if !strings.HasPrefix(steps["job"], tt.state) {
						t.Errorf("sacct says of the job: %s, want %s", steps["job"], tt.state)
					}
					if name, want, _ := strings.Cut(tt.step, " "); tt.step != "" && steps[name] != want {
						t.Errorf("sacct says of %s: %s, want %s", name, steps[name], want)
					}
					if text := logs(t, j.runDir); !strings.Contains(text, tt.srun) {
						t.Errorf("no srun says %q", tt.srun)
					}
					if tt.cause == "" {
						return
					}
					r := readResult(t, j.runDir)
					if r.Verdict != tt.verdict || r.FirstCause == nil || !strings.Contains(r.FirstCause.String(), tt.cause) {
						t.Errorf("%s: %v, want %s: %s", r.Verdict, r.FirstCause, tt.verdict, tt.cause)
					}
				})
			}
		})
	}
}

// TestOutOfMemory: a rank over its memory limit is told as such, not as killed. Under cgroups the kernel ends the process
// that wants too much; without them Slurm ends the whole step, its agents too.
func TestOutOfMemory(t *testing.T) {
	for _, cgroup := range []bool{false, true} {
		t.Run(fmt.Sprintf("cgroup=%v", cgroup), func(t *testing.T) {
			o := lab.Defaults()
			o.Cgroup, o.LimitMemory, o.MemoryMB = cgroup, !cgroup, 1500
			c := start(t, o)
			runDir := filepath.Join(c.Shared(), "run")
			code, out := c.submit(t, runDir, smallCase, []string{"SIM_FAULTS=GEN_0:oom=3000@0.5", "SIM_STARTUP_SECONDS=300"})
			r := readResult(t, runDir)
			if code != 1 || r.FirstCause == nil || r.FirstCause.Kind != results.OOM || r.FirstCause.Role.String() != "GEN_0" || cgroup && r.FirstCause.Rank != 0 {
				t.Errorf("exit code %d, first cause %v:\n%s", code, r.FirstCause, out)
			}
			t.Logf("first cause: %v", r.FirstCause)
			c.nothingLeft(t)
		})
	}
}
