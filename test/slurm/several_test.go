package slurm

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
)

// TestSeveralInAllocation: variants of a case run one after the other in an allocation, never beside each other. On
// servers that stay there each load is measured without a server that is started again.
func TestSeveralInAllocation(t *testing.T) {
	a := start(t, standard(true)).allocate(t, "3")
	run := func(args ...string) *shell {
		return a.shell(t, "disagg-submit", append(append([]string{"run"}, args...), a.simFlags()...)...)
	}
	sweep := filepath.Join(a.dir, "sweep")
	s := run("--run-dir", sweep, a.caseFile(smallCase), "--vary", "gen.max_batch_size=32,64")
	if code := s.endedWithin(t, 120); code != protocol.ExitPassed ||
		!strings.Contains(s.out.String(), "\n2 runs: 2 passed\n") {
		t.Errorf("exit code %d:\n%s", code, s.out)
	}
	s = run(a.caseFile(smallCase), "--vary", "gen.max_batch_size=32,64", "--parallel", "2")
	if code := s.ended(t); code != protocol.ExitUsage ||
		!strings.Contains(s.out.String(), "at a time in one allocation") {
		t.Errorf("exit code %d:\n%s", code, s.out)
	}
	a.onlyTheAllocationIsLeft(t)

	kept := filepath.Join(a.dir, "kept")
	s = run("--keep", "--run-dir", kept, a.caseFile(smallCase))
	a.judged(t, kept, 0)
	loads := filepath.Join(a.dir, "loads")
	args := []string{"bench", kept, "--vary", "concurrency_list=2,4", "--run-dir", loads}
	if out, err := a.command(t.Context(), "disagg-submit", args...).CombinedOutput(); err != nil ||
		!strings.Contains(string(out), "\n2 runs: 2 passed\n") {
		t.Errorf("%v:\n%s", err, out)
	}
	dirs, err := filepath.Glob(filepath.Join(loads, "00*"))
	if err != nil || len(dirs) != 2 {
		t.Fatalf("%v, %v", dirs, err)
	}
	for _, dir := range dirs {
		if home := rundir.Dir(dir).Attempt(0).Home(); home != rundir.Dir(kept).Attempt(0) {
			t.Errorf("%s was measured on the servers of %s", dir, home)
		}
		for _, rec := range rundir.Dir(dir).Attempt(0).RecordStore().All() {
			if !rec.Provenance.Warm || rec.JobID != a.jobID {
				t.Errorf("%s: warm %v, job %s", dir, rec.Provenance.Warm, rec.JobID)
			}
		}
	}
	interrupt(t, s)
	if code := s.ended(t); code != protocol.ExitPassed {
		t.Errorf("exit code %d:\n%s", code, s.out)
	}
	a.onlyTheAllocationIsLeft(t)
}
