package sqlite_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/sinktest"
	"github.com/disagg/disagg/pkg/upload/sqlite"
)

// How fast 10,000 records that lie on the disk are drained, read back and noted as sent.
func BenchmarkDrain(b *testing.B) {
	const n = 10_000
	a := rundir.Dir(b.TempDir()).Attempt(0)
	for i := range n {
		r := sinktest.Records("a1", i%300, 4)[0]
		r.ID = fmt.Sprintf("%032x", i)
		if err := a.RecordStore().Save(r); err != nil {
			b.Fatal(err)
		}
	}
	for i := 0; b.Loop(); i++ {
		u := urlOf(filepath.Join(b.TempDir(), "results.db")).String()
		begun := time.Now()
		d := upload.Drain{Outbox: a.OpenOutbox(fmt.Sprint("o", i)), Sinks: upload.Registry{sqlite.Scheme()}, URL: u}
		if report := d.Run(b.Context()); report.Sent != n {
			b.Fatalf("%+v", report)
		}
		b.ReportMetric(n/time.Since(begun).Seconds(), "records/s")
	}
}
