package slurm

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/test/check"
)

// allocation is held by a shell that salloc started, as an engineer's terminal would.
type allocation struct {
	*cluster
	jobID string
	dir   string   // where it was asked for
	file  string   // of the case
	env   []string // of its shells, beside what all have
}

// allocate asks for nodes and keeps them until the test ends.
func (c *cluster) allocate(t *testing.T, nodes string, flags ...string) allocation {
	t.Helper()
	dir := filepath.Join(c.Shared(), "home")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := c.Command(t.Context(), "", append([]string{
		"salloc", "--nodes=" + nodes, "--exclusive", "--no-shell",
	}, flags...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("salloc: %v:\n%s", err, out)
	}
	_, rest, _ := strings.Cut(string(out), "Granted job allocation ")
	id := strings.Fields(rest)[0]
	t.Cleanup(func() { _ = exec.Command("env", append(c.Env(), "scancel", id)...).Run() })
	return allocation{cluster: c, jobID: id, dir: dir, file: c.caseFile(smallCase)}
}

// output is what a terminal shows, which may be read while it grows.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// shell is one terminal in which one role was started.
type shell struct {
	cmd  *exec.Cmd
	out  *output
	done chan struct{}
}

func (a allocation) role(t *testing.T, role string, env ...string) *shell {
	t.Helper()
	a.env = env
	return a.shell(t, "disagg-agent", append([]string{"--role", role, "--config", a.file}, a.simFlags()...)...)
}

// shell runs a program in a terminal of the allocation.
func (a allocation) shell(t *testing.T, program string, args ...string) *shell {
	t.Helper()
	s := &shell{cmd: a.command(t.Context(), program, args...), out: &output{}, done: make(chan struct{})}
	s.cmd.Dir = a.dir
	s.cmd.Env = append(append(s.cmd.Env, "SLURM_JOB_ID="+a.jobID), a.env...)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(s.done); _ = s.cmd.Wait() }()
	return s
}

// ended waits for the role's shell and returns its exit code.
func (s *shell) ended(t *testing.T) int {
	t.Helper()
	return s.endedWithin(t, 60)
}

func (s *shell) endedWithin(t *testing.T, seconds int) int {
	t.Helper()
	select {
	case <-s.done:
		return s.cmd.ProcessState.ExitCode()
	case <-time.After(time.Duration(seconds) * time.Second):
		t.Fatalf("still running after %d s:\n%s", seconds, s.out)
		return 0
	}
}

func (a allocation) runDir() string { return filepath.Join(a.dir, "runs", "allocation-"+a.jobID) }

// published waits until a role's leader has published itself: it runs.
func (a allocation) published(t *testing.T, role string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		if _, err := os.Stat(filepath.Join(a.runDir(), "current", "agents", role+".0.json")); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s has not published itself within 20 s", role)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// benchmark starts the benchmark by hand, sees it through, and returns what it has left.
func (a allocation) benchmark(t *testing.T, runDir, attempt string) protocol.Result {
	t.Helper()
	s := a.role(t, "BENCHMARK")
	if code := s.ended(t); code != 0 {
		t.Errorf("%s: the benchmark ends with %d:\n%s", attempt, code, s.out)
	}
	if link, _ := os.Readlink(filepath.Join(runDir, "current")); link != attempt {
		t.Errorf("it is %s, want %s", link, attempt)
	}
	return readResult(t, runDir)
}

// processOf is the agent of a role's leader: its process, and when it began.
func (a allocation) processOf(t *testing.T, role string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(a.runDir(), "current", "agents", role+".0.json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestByHand: shells, in any order, make one run. The servers stay: the benchmark runs three times, and no server is
// started again; one that was ended and started again serves the next; another load is measured on the same servers.
// Nothing is left when the shells are closed.
func TestByHand(t *testing.T) {
	a := start(t, standard(false)).allocate(t, "3")
	servers := map[string]*shell{}
	for _, role := range []string{"CTX_1", "GEN_0", "DISAGG_SERVER", "CTX_0"} {
		servers[role] = a.role(t, role)
		a.published(t, role)
	}
	first := a.benchmark(t, a.runDir(), "attempt-0")
	if first.Verdict != protocol.Passed || len(first.Points) != 3 || !first.Kept {
		t.Fatalf("%s with %d points, kept: %v: %v", first.Verdict, len(first.Points), first.Kept, first.FirstCause)
	}
	everyRankJoinedMPI(t, readPlan(t, a.runDir()), logs(t, a.runDir()))
	gen, server := a.processOf(t, "GEN_0"), a.processOf(t, "DISAGG_SERVER")
	a.benchmark(t, a.runDir(), "attempt-1")
	a.benchmark(t, a.runDir(), "attempt-2")
	if a.processOf(t, "GEN_0") != gen || a.processOf(t, "DISAGG_SERVER") != server {
		t.Error("a server was started again")
	}

	interrupt(t, servers["CTX_0"])
	servers["CTX_0"].ended(t)
	servers["CTX_0"] = a.role(t, "CTX_0")
	a.benchmark(t, a.runDir(), "attempt-3")

	edited := a.edited(t, "concurrency_list: 4 8 16", "concurrency_list: 32")
	r := edited.benchmark(t, a.runDir()+"-2", "attempt-0")
	if len(r.Points) != 1 || r.Points[0].Concurrency != 32 {
		t.Errorf("the edited case was not used: %+v", r.Points)
	}
	if a.processOf(t, "GEN_0") != gen {
		t.Error("GEN_0 was started again")
	}
	for _, s := range servers { // the terminals are closed
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Error(err)
		}
	}
	for role, s := range servers {
		if code := s.ended(t); code != 1 {
			t.Errorf("%s ends with %d:\n%s", role, code, s.out)
		}
	}
	a.onlyTheAllocationIsLeft(t)
}

// TestRunInAllocation: run in the shell of an allocation runs there, and keeps the servers until Ctrl-C; another
// process measures again, and restarts a role. A case that does not fit is refused.
func TestRunInAllocation(t *testing.T) {
	a := start(t, standard(true)).allocate(t, "3")
	dir := filepath.Join(a.dir, "run")
	s := a.shell(t, "disagg-submit", append([]string{"run", "--keep", "--run-dir", dir, a.caseFile(shortCase)},
		a.simFlags()...)...)
	a.judged(t, dir, 0)
	for n, args := range [][]string{{"bench", dir}, {"restart", dir, "CTX_0"}, {"bench", dir}} {
		if out, err := a.command(t.Context(), "disagg-submit", args...).CombinedOutput(); err != nil {
			t.Errorf("%d: %v: %v:\n%s", n, args, err, out)
		}
	}
	interrupt(t, s)
	if code := s.ended(t); code != 0 || !strings.Contains(s.out.String(), "it runs in allocation "+a.jobID) {
		t.Errorf("exit code %d:\n%s", code, s.out)
	}
	if r := readResult(t, dir); r.Verdict != protocol.Passed || r.JobID != a.jobID {
		t.Errorf("%s of job %s: %v", r.Verdict, r.JobID, r.FirstCause)
	}
	a.onlyTheAllocationIsLeft(t)
	small := a.cluster.allocate(t, "1")
	s = small.shell(t, "disagg-submit", append([]string{"run", a.caseFile(shortCase)}, a.simFlags()...)...)
	if code := s.ended(t); code != 64 || !strings.Contains(s.out.String(), "the case needs 3 nodes, and it has 1") {
		t.Errorf("exit code %d:\n%s", code, s.out)
	}
}

// judged waits until an attempt of a run has its verdict.
func (a allocation) judged(t *testing.T, dir string, attempt int) {
	t.Helper()
	file := rundir.Dir(dir).Attempt(attempt).Result()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if _, err := os.Stat(file); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is not there after 60 s", file)
		}
	}
}

// edited is the allocation with another text in its case.
func (a allocation) edited(t *testing.T, old, text string) allocation {
	t.Helper()
	data, err := os.ReadFile(a.caseFile(smallCase))
	if err != nil || !strings.Contains(string(data), old) {
		t.Fatalf("the case has no %q: %v", old, err)
	}
	a.file = filepath.Join(a.dir, filepath.Base(a.caseFile(smallCase)))
	if err := os.WriteFile(a.file, []byte(strings.Replace(string(data), old, text, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	return a
}

// TestByHandSaysWhy: when a role fails its terminal and the benchmark's say which, on which host, and why, with the
// line of its log; the others say who failed, and that they stay.
func TestByHandSaysWhy(t *testing.T) {
	a := start(t, standard(false)).allocate(t, "3")
	shells := map[string]*shell{}
	for _, role := range []string{"BENCHMARK", "GEN_0", "DISAGG_SERVER", "CTX_1", "CTX_0"} {
		shells[role] = a.role(t, role, "SIM_FAULTS=CTX_0:crash=3@1")
		a.published(t, role)
	}
	said := regexp.MustCompile(`(?m)^  CTX_0\.0 on gpu\d exited with code 3\n      RuntimeError: sim fault$`)
	at := regexp.MustCompile(`(?m)^  log    runs/.*/logs/ranks/CTX_0\.0\.log:\d+$`)
	for _, role := range []string{"BENCHMARK", "CTX_0"} {
		s := shells[role]
		if code := s.ended(t); code == 0 || !said.MatchString(s.out.String()) || !at.MatchString(s.out.String()) {
			t.Errorf("%s ends with %d:\n%s", role, code, s.out)
		}
	}
	stays := regexp.MustCompile(`stays for the next benchmark \(CTX_0\.0 on gpu\d: exited with code 3`)
	for _, role := range []string{"GEN_0", "DISAGG_SERVER", "CTX_1"} {
		s := shells[role]
		check.Eventually(t, role+" says who failed", func() bool { return stays.MatchString(s.out.String()) })
		interrupt(t, s)
		s.ended(t)
	}
	a.onlyTheAllocationIsLeft(t)
}

// TestByHandCtrlC: Ctrl-C stops a role and leaves nothing of it; the run it was part of ends with that as its cause.
func TestByHandCtrlC(t *testing.T) {
	a := start(t, standard(true)).allocate(t, "3")
	alone := a.role(t, "CTX_0")
	a.published(t, "CTX_0")
	interrupt(t, alone)
	if code := alone.ended(t); code != 1 {
		t.Errorf("exit code %d, want 1:\n%s", code, alone.out)
	}
	a.onlyTheAllocationIsLeft(t)

	bench := a.role(t, "BENCHMARK")
	a.published(t, "BENCHMARK")
	again := a.role(t, "CTX_0") // it may come back
	a.attached(t, "CTX_0", 2)
	interrupt(t, again)
	if code := again.ended(t); code != 1 {
		t.Errorf("exit code %d, want 1:\n%s", code, again.out)
	}
	bench.ended(t)
	r := readResult(t, a.runDir())
	if r.Verdict != protocol.Cancelled || r.FirstCause.Role.String() != "CTX_0" {
		t.Errorf("%s: %v", r.Verdict, r.FirstCause)
	}
	a.onlyTheAllocationIsLeft(t)
}

func interrupt(t *testing.T, s *shell) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
}

// attached waits until the hub counts so many ranks of a role.
func (a allocation) attached(t *testing.T, role string, want int) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		var s struct {
			Roles []struct {
				Role     roles.Role
				Attached int
			}
		}
		if data, err := os.ReadFile(filepath.Join(a.runDir(), "current", "state.json")); err == nil {
			mustDecode(t, data, &s)
		}
		for _, r := range s.Roles {
			if r.Role.String() == role && r.Attached == want {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("the hub does not count %d ranks of %s within 20 s: %+v", want, role, s)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// onlyTheAllocationIsLeft checks that no process is left on any host, while the allocation itself is kept.
func (a allocation) onlyTheAllocationIsLeft(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		var left []string
		for _, l := range a.left(t) {
			if !strings.HasPrefix(l, "queue:") {
				left = append(left, l)
			}
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left after 10 s: %s", strings.Join(left, "; "))
		}
		time.Sleep(50 * time.Millisecond)
	}
}
