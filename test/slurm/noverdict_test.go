package slurm

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/test/terminal"
)

// TestNoVerdict: of a job that waits, status and watch say why, and whether it can ever start. Cancelled before it has
// begun it has no verdict; the exit code of whoever follows it is still true, and says what Slurm says.
func TestNoVerdict(t *testing.T) {
	c := start(t, standard(false))
	blocker := c.block(t)
	runDir := filepath.Join(c.Shared(), "run")
	args := append([]string{"run", "--launcher", "slurm", "--run-dir", runDir}, c.simFlags()...)
	cmd := c.command(t.Context(), "disagg-submit", append(args, c.caseFile(smallCase))...)
	ended := make(chan string, 1)
	go func() {
		out, _ := cmd.CombinedOutput()
		ended <- string(out)
	}()
	c.awaitState(t, "PENDING")
	c.says(t, "pending: waits for free nodes", "status", runDir)
	watch, err := terminal.Start(c.command(t.Context(), "disagg-submit", "watch", runDir), 80, 24)
	if err != nil {
		t.Fatal(err)
	}
	c.slurm(t, "scontrol", "update", "PartitionName=batch", "MaxTime=1")
	never := `NEVER: asks for [0-9:-]+, partition batch allows 1:00`
	c.says(t, never, "status", runDir)
	c.awaits(t, "NEVER: asks for ", func() string { return strings.Join(watch.Lines(), "\n") })
	c.says(t, "", "cancel", runDir)
	out := <-ended
	c.slurm(t, "scancel", blocker)
	c.nothingLeft(t)
	if code := cmd.ProcessState.ExitCode(); code != 130 ||
		!strings.Contains(out, "without a verdict, CANCELLED: see "+runDir) {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	if code := watch.End(); code != 130 {
		t.Errorf("watch ends with %d:\n%s", code, strings.Join(watch.Lines(), "\n"))
	}
}

// block fills every node with another job.
func (c *cluster) block(t *testing.T) (id string) {
	t.Helper()
	c.slurm(t, "sbatch", "--nodes=4", "--exclusive", "--output=/dev/null", "--wrap=sleep infinity")
	return c.awaitState(t, "RUNNING")
}

// slurm runs one of Slurm's commands.
func (c *cluster) slurm(t *testing.T, args ...string) {
	t.Helper()
	if out, err := c.Command(t.Context(), "", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", args, err, out)
	}
}

// says waits until disagg-submit prints what is wanted.
func (c *cluster) says(t *testing.T, want string, args ...string) {
	t.Helper()
	c.awaits(t, want, func() string {
		out, _ := c.command(t.Context(), "disagg-submit", args...).CombinedOutput() // its code tells the state
		return string(out)
	})
}

// awaits waits until a text has what is wanted, which Slurm may take a while to say.
func (c *cluster) awaits(t *testing.T, want string, text func() string) {
	t.Helper()
	pattern := regexp.MustCompile(want)
	for end := time.Now().Add(40 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		got := text()
		if pattern.MatchString(got) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("never %q, but:\n%s", want, got)
		}
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
