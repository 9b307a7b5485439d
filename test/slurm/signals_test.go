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

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/test/lab"
)

// job is a job under way, whose servers take for ever to load.
type job struct {
	*cluster
	t      *testing.T
	id     string
	runDir string
}

// begin submits a case and waits until every worker's child has started.
func (c *cluster) begin(t *testing.T, name string, env ...string) *job {
	t.Helper()
	j := c.submitted(t, filepath.Join(c.Shared(), strings.ReplaceAll(t.Name(), "/", "_")), name, c.simFlags(), env)
	j.awaitStarted()
	return j
}

// submitted submits a case and waits for nothing.
func (c *cluster) submitted(t *testing.T, runDir, name string, flags, env []string) *job {
	t.Helper()
	j := &job{cluster: c, t: t, runDir: runDir}
	args := append([]string{"run", "--detach", "--launcher", "slurm", "--run-dir", j.runDir}, flags...)
	cmd := c.command(t.Context(), "disagg-submit", append(args, c.caseFile(name))...)
	cmd.Env = append(cmd.Env, env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(j.runDir, "submission.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s protocol.Submission
	mustDecode(t, data, &s)
	j.id = s.JobID
	return j
}

// awaitStarted waits until every worker's child runs and has written to its log.
func (j *job) awaitStarted() {
	j.t.Helper()
	p := readPlan(j.t, j.runDir)
	j.await("every child has started", func() bool {
		for _, pl := range p.Layout.Placements {
			for _, task := range pl.Tasks() {
				info, err := os.Stat(rundir.Dir(p.RunDir).Attempt(0).RankLog(task))
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
			left := strings.Join(j.left(j.t), "; ")
			j.t.Fatalf("not within 40 s: %s; left: %s\n%s", what, left, lastWords(rundir.Dir(j.runDir)))
		}
	}
}

// lastWords is how far a run came: the ends of its journal, of the hub's log, and of what Slurm wrote.
func lastWords(d rundir.Dir) string {
	const lines = 20
	a := rundir.Current(d)
	files := []string{a.Events(), a.AgentLog(roles.Hub()), a.RoleLog(roles.Hub().Role)}
	outputs, _ := filepath.Glob(filepath.Join(string(d), "slurm-*.out")) // the only error is a bad pattern
	var b strings.Builder
	for _, file := range append(files, outputs...) {
		data, err := os.ReadFile(file)
		text := strings.Split(strings.TrimSpace(string(data)), "\n")
		fmt.Fprintf(&b, "%s: %v\n%s\n", file, err, strings.Join(text[max(0, len(text)-lines):], "\n"))
	}
	return b.String()
}

// scancel runs Slurm's command. Of a signal to a step Slurm 22.05 says "Invalid job id" although it delivers it.
func (j *job) scancel(args ...string) {
	j.t.Helper()
	out, err := j.Command(j.t.Context(), "", append([]string{"scancel"}, args...)...).CombinedOutput()
	cutOff := bytes.Contains(out, []byte("Communication connection failure")) // a host that cannot be asked
	if err != nil && !bytes.Contains(out, []byte("Invalid job id")) && !cutOff {
		j.t.Fatalf("scancel: %v: %s", err, out)
	}
}

// step is Slurm's name of a role's step.
func (j *job) step(role string) string { return j.published(role).Step }

func (j *job) published(role string) protocol.Published {
	j.t.Helper()
	var p protocol.Published
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
func (j *job) childOf(role string) int { j.t.Helper(); return j.childLike(role, "trtllm") }

// onlyChild is childOf for any engine: all that an agent starts besides is its guard.
func (j *job) onlyChild(role string) int { j.t.Helper(); return j.childLike(role, "python") }

func (j *job) childLike(role, form string) int {
	j.t.Helper()
	agent := j.published(role).PID
	out, err := exec.CommandContext(j.t.Context(), "pgrep", "-P", fmt.Sprint(agent), "-f", form).Output()
	if err != nil {
		j.t.Fatalf("%s has no child: %v", role, err)
	}
	var pid int
	if _, err := fmt.Fscan(bytes.NewReader(out), &pid); err != nil {
		j.t.Fatal(err)
	}
	return pid
}

// TestOutOfMemory: a rank over its memory limit is told as such, not as killed. Under cgroups the kernel ends the
// process that wants too much; without them Slurm ends the whole step, its agents too.
func TestOutOfMemory(t *testing.T) {
	for _, cgroup := range []bool{false, true} {
		t.Run(fmt.Sprintf("cgroup=%v", cgroup), func(t *testing.T) {
			o := lab.Defaults()
			o.Cgroup, o.LimitMemory, o.MemoryMB = cgroup, !cgroup, 1500
			c := start(t, o)
			runDir := filepath.Join(c.Shared(), "run")
			code, out := c.submit(t, runDir, smallCase, []string{
				"SIM_FAULTS=GEN_0:oom=3000@0.5", "SIM_STARTUP_SECONDS=300",
			})
			r := readResult(t, runDir)
			if code != 1 || r.FirstCause == nil || r.FirstCause.Kind != protocol.OOM ||
				r.FirstCause.Role.String() != "GEN_0" || cgroup && r.FirstCause.Rank != 0 {
				t.Errorf("exit code %d, first cause %v:\n%s", code, r.FirstCause, out)
			}
			t.Logf("first cause: %v", r.FirstCause)
			c.nothingLeft(t)
		})
	}
}
