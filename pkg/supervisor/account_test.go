package supervisor_test

import (
	"os"
	"testing"
	"time"

	"github.com/disagg/disagg/test/check"

	"github.com/disagg/disagg/pkg/supervisor"
)

func TestPeakMemoryAndCPU(t *testing.T) {
	c := run(t, check.Supervise(t), nil, "hog", "100")
	if o := c.outcome(); o.PeakRSS < 100<<20 || o.PeakRSS > 1<<30 || o.CPU <= 0 || o.OOM {
		t.Errorf("peak %d MiB, CPU %v, OOM %v", o.PeakRSS>>20, o.CPU, o.OOM)
	}
}

// What a tree uses is more than its largest process does.
func TestTreeMemory(t *testing.T) {
	c := run(t, check.Supervise(t), nil, "hogs", "3", "60")
	if o := c.outcome(); o.PeakRSS < 180<<20 || o.PeakRSS > 2<<30 {
		t.Errorf("peak %d MiB", o.PeakRSS>>20)
	}
}

// However many orphans there were, what they used is counted.
func TestOrphansAreCounted(t *testing.T) {
	c := run(t, check.Supervise(t), func(sp *supervisor.Spec) {
		script := `for i in $(seq 100); do (sh -c 'i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done' &); done; sleep 1`
		sp.Argv, sp.Env = []string{"/bin/sh", "-c", script}, os.Environ()
	}, "")
	o := c.outcome()
	listed := time.Duration(0)
	for _, orphan := range o.Orphans {
		listed += orphan.CPU
	}
	if len(o.Orphans) != 64 || o.CPU <= listed {
		t.Errorf("%d orphans with %v, the tree %v", len(o.Orphans), listed, o.CPU)
	}
}
