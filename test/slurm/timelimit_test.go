package slurm

import (
	"fmt"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/test/lab"
)

// TestTimeLimit: a job whose time is nearly over is warned and ends in order before it is ended; one without a warning
// is ended by Slurm, and still leaves a verdict. Slurm looks at time limits once in 30 s, so both wait at the same
// time, and other hosts run meanwhile what needs no lab of its own.
func TestTimeLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("Slurm looks at time limits once in 30 s")
	}
	for _, cgroup := range []bool{true, false} {
		t.Run(fmt.Sprintf("cgroup=%v", cgroup), func(t *testing.T) {
			if !cgroup && *repeats == 1 {
				t.Skip("a minute and a half: make faults runs it")
			}
			timeLimit(t, cgroup)
		})
	}
}

func timeLimit(t *testing.T, cgroup bool) {
	o := lab.Defaults()
	o.Hosts, o.Cgroup = 9, cgroup
	c := start(t, o)

	held := c.allocate(t, "3", "--time=1")
	bench, gen := held.role(t, "BENCHMARK"), held.role(t, "GEN_0") // the others never come
	warned := c.begin(t, smallCase, "SIM_STARTUP_SECONDS=300")
	if out, err := c.Command(t.Context(), "", "scontrol", "update", "JobId="+warned.id,
		"TimeLimit=1").CombinedOutput(); err != nil {
		t.Fatalf("scontrol: %v: %s", err, out)
	}

	t.Run("records-are-kept-once", func(t *testing.T) { recordsAreKeptOnce(t, c) })
	t.Run("script-outside-the-tool", func(t *testing.T) { scriptOutsideTheTool(t, c) })

	// A shell that waits for a job that Slurm ends may see the end of its srun in more than one way.
	bench.endedWithin(t, 150)
	gen.endedWithin(t, 150)
	c.empty(t, 60)
	for _, tt := range []struct{ name, jobID, runDir, state string }{
		{"ended by Slurm", held.jobID, held.runDir(), "TIMEOUT"},
		{"warned", warned.id, warned.runDir, "FAILED 124:0"},
	} {
		if steps := c.steps(t, tt.jobID); !strings.HasPrefix(steps["job"], tt.state) {
			t.Errorf("%s: sacct says %v, want %s", tt.name, steps, tt.state)
		}
		r := readResult(t, tt.runDir)
		if r.Verdict != protocol.Failed || r.ExitCode != 124 || r.FirstCause == nil ||
			r.FirstCause.Kind != protocol.TimeLimit {
			t.Errorf("%s: %s with %d: %v, want time_limit", tt.name, r.Verdict, r.ExitCode, r.FirstCause)
		}
	}
}
