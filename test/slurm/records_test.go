package slurm

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/disagg/disagg/pkg/protocol"
)

// recordsAreKeptOnce: after two runs the default file holds each point once, as the sqlite3 command line reads it. Both
// runs are made again in one job, as a pair, of which nothing is sent.
func recordsAreKeptOnce(t *testing.T, c *cluster) {
	sqlite, err := exec.LookPath("sqlite3")
	if err != nil {
		t.Skip("sqlite3 is not installed")
	}
	for i := range 2 {
		if code, out := c.submit(t, filepath.Join(c.Shared(), fmt.Sprintf("run%d", i)), smallCase, nil); code != 0 {
			t.Fatalf("exit code %d:\n%s", code, out)
		}
	}
	pairs := c.command(t.Context(), "disagg-submit", "compare", "--pairs", "1", "--run-dir",
		filepath.Join(c.Shared(), "pairs"), filepath.Join(c.Shared(), "run0"), filepath.Join(c.Shared(), "run1"))
	if out, err := pairs.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("\n1 of 1 pairs, ")) {
		t.Errorf("%v:\n%s", err, out)
	}
	out, err := exec.Command(sqlite, filepath.Join(c.data(), "disagg", "results.db"),
		"select concurrency, count(*), count(distinct run_id) from records group by concurrency").CombinedOutput()
	if want := "4|2|2\n8|2|2\n16|2|2\n"; err != nil || string(out) != want {
		t.Errorf("got %s, %v, want %s", out, err, want)
	}
}

// scriptOutsideTheTool: job.sbatch is an ordinary batch script, which anybody can submit from anywhere.
func scriptOutsideTheTool(t *testing.T, c *cluster) {
	runDir := filepath.Join(c.Shared(), "outside")
	args := append([]string{"render", "--run-dir", runDir}, c.simFlags()...)
	if out, err := c.command(t.Context(), "disagg-submit",
		append(args, c.caseFile(shortCase))...).CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	cmd := c.Command(t.Context(), "", "sbatch", "--wait", filepath.Join(runDir, "job.sbatch"))
	cmd.Dir = "/"
	cmd.Env = append(cmd.Env, "XDG_DATA_HOME="+c.data())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	if r := readResult(t, runDir); r.Verdict != protocol.Passed {
		t.Errorf("%s: %v", r.Verdict, r.FirstCause)
	}
	if outputs, _ := filepath.Glob(filepath.Join(runDir, "slurm-*.out")); len(outputs) != 1 {
		t.Errorf("the job's output is not in the run directory: %v", outputs)
	}
}
