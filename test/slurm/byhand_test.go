package slurm

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// allocation is held by a shell that salloc started, as an engineer's terminal would.
type allocation struct {
	*cluster
	jobID string
	dir   string // where it was asked for
}

// allocate asks for the nodes of the small case and keeps them until the test ends.
func (c *cluster) allocate(t *testing.T, flags ...string) allocation {
	t.Helper()
	dir := filepath.Join(c.Shared(), "home")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := c.Command(t.Context(), "", append([]string{
		"salloc", "--nodes=3", "--exclusive", "--no-shell",
	}, flags...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("salloc: %v:\n%s", err, out)
	}
	_, rest, _ := strings.Cut(string(out), "Granted job allocation ")
	id := strings.Fields(rest)[0]
	t.Cleanup(func() { _ = exec.Command("env", append(c.Env(), "scancel", id)...).Run() })
	return allocation{cluster: c, jobID: id, dir: dir}
}

// shell is one terminal in which one role was started.
type shell struct {
	cmd  *exec.Cmd
	out  *bytes.Buffer
	done chan struct{}
}

func (a allocation) role(t *testing.T, role string, env ...string) *shell {
	t.Helper()
	args := append([]string{"--role", role, "--config", a.caseFile(smallCase)}, a.simFlags()...)
	s := &shell{
		cmd: a.command(t.Context(), "disagg-agent", args...), out: &bytes.Buffer{},
		done: make(chan struct{}),
	}
	s.cmd.Dir = a.dir
	s.cmd.Env = append(append(s.cmd.Env, "SLURM_JOB_ID="+a.jobID), env...)
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

// TestByHand: five shells, in any order, make one run; a second round in the same allocation is a run of its own.
func TestByHand(t *testing.T) {
	a := start(t, standard(false)).allocate(t)
	for round, attempt := range []string{"attempt-0", "attempt-1"} {
		var shells []*shell
		for _, role := range []string{"CTX_1", "BENCHMARK", "GEN_0", "DISAGG_SERVER", "CTX_0"} {
			shells = append(shells, a.role(t, role))
			a.published(t, role)
		}
		for i, s := range shells {
			if code := s.ended(t); code != 0 {
				t.Errorf("round %d: shell %d ends with %d:\n%s", round, i, code, s.out)
			}
		}
		r := readResult(t, a.runDir())
		if r.Verdict != protocol.Passed || len(r.Points) != 3 {
			t.Errorf("round %d: %s with %d points: %v", round, r.Verdict, len(r.Points), r.FirstCause)
		}
		if link, _ := os.Readlink(filepath.Join(a.runDir(), "current")); link != attempt {
			t.Errorf("round %d is %s, want %s", round, link, attempt)
		}
		everyRankJoinedMPI(t, readPlan(t, a.runDir()), logs(t, a.runDir()))
	}
	a.onlyTheAllocationIsLeft(t)
}

// TestByHandSaysWhy: when a role fails every terminal says which, on which host, and why, with the line of its log.
func TestByHandSaysWhy(t *testing.T) {
	a := start(t, standard(false)).allocate(t)
	var shells []*shell
	for _, role := range []string{"BENCHMARK", "GEN_0", "DISAGG_SERVER", "CTX_1", "CTX_0"} {
		shells = append(shells, a.role(t, role, "SIM_FAULTS=CTX_0:crash=3@1"))
		a.published(t, role)
	}
	said := regexp.MustCompile(`(?m)^  CTX_0\.0 on gpu\d exited with code 3\n      RuntimeError: sim fault$`)
	at := regexp.MustCompile(`(?m)^  log    runs/.*/logs/ranks/CTX_0\.0\.log:\d+$`)
	for i, s := range shells {
		if code := s.ended(t); code == 0 || !said.MatchString(s.out.String()) || !at.MatchString(s.out.String()) {
			t.Errorf("shell %d ends with %d:\n%s", i, code, s.out)
		}
	}
	a.onlyTheAllocationIsLeft(t)
}

// TestByHandCtrlC: Ctrl-C stops a role and leaves nothing of it; the run it was part of ends with that as its cause.
func TestByHandCtrlC(t *testing.T) {
	a := start(t, standard(true)).allocate(t)
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
