package rundir_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/rundir"
)

// How long it takes until a record is durable: the goal is a median of 2 ms on a local disk.
func BenchmarkSave(b *testing.B) {
	records := rundir.Dir(b.TempDir()).Attempt(0).RecordStore()
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		r := record(0)
		r.ID = fmt.Sprintf("%032x", i)
		begun := time.Now()
		if err := records.Save(r); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs-median")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs-p99")
}
