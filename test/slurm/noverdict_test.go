package slurm

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestNoVerdict: a job that never began has no verdict; the exit code is still true, and says what Slurm says.
func TestNoVerdict(t *testing.T) {
	c := start(t, standard(false))
	if out, err := c.Command(t.Context(), "", "sbatch", "--nodes=4", "--exclusive", "--output=/dev/null",
		"--wrap=sleep infinity").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	blocker := c.awaitState(t, "RUNNING")
	runDir := filepath.Join(c.Shared(), "run")
	args := append([]string{"run", "--launcher", "slurm", "--run-dir", runDir}, c.simFlags()...)
	cmd := c.command(t.Context(), "disagg-submit", append(args, c.caseFile(smallCase))...)
	ended := make(chan string, 1)
	go func() {
		out, _ := cmd.CombinedOutput()
		ended <- string(out)
	}()
	id := c.awaitState(t, "PENDING")
	if out, err := c.Command(t.Context(), "", "scancel", id).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out := <-ended
	if out, err := c.Command(t.Context(), "", "scancel", blocker).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	c.nothingLeft(t)
	if code := cmd.ProcessState.ExitCode(); code != 130 ||
		!strings.Contains(out, "without a verdict, CANCELLED: see "+runDir) {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}

// awaitState waits until a job is in a state, and returns its id.
func (c *cluster) awaitState(t *testing.T, state string) string {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		out, err := c.Command(t.Context(), "", "squeue", "--noheader", "--states="+state, "--format=%i").Output()
		if id := strings.TrimSpace(string(out)); err == nil && id != "" {
			return id
		}
		if time.Now().After(deadline) {
			t.Fatalf("no job is %s after 20 s", state)
		}
	}
}
