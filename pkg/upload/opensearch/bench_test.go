package opensearch_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/opensearch"
	"github.com/disagg/disagg/pkg/upload/sinktest"
	"github.com/disagg/disagg/test/bench"
	"github.com/disagg/disagg/test/server"
)

// bulkOf is how many documents the helper of the Python client sends at once, as our drain does.
const bulkOf = 500

// helper is what people use otherwise: the bulk helper of the Python client, with documents from a file.
const helper = `
import json, sys, time
from opensearchpy import OpenSearch, helpers
host, index, file, chunk = sys.argv[1:]
docs = [json.loads(line) for line in open(file)]
client = OpenSearch("http://" + host, timeout=60)
begun = time.time()
helpers.bulk(client, ({"_op_type": "create", "_index": index, "_id": d["s_id"], "_source": d} for d in docs),
             chunk_size=int(chunk))
print(time.time() - begun)
`

// So often all are measured, in turn, after rounds in which the server's machine code is made.
const (
	warmUps = 3
	rounds  = 5
)

// How fast 10,000 records that lie on the disk are drained, read back and noted as sent, beside the Python client's
// helper, which does nothing of that: once with the documents as the drain sends them, and once without what is in them
// besides upstream's fields (the record itself, for exact history). Both share the processors with the server, so the
// drain's own time on them is measured, too. `make bench-upload` installs the client.
func BenchmarkDrain(b *testing.B) {
	const n = 10_000
	u := server.OpenSearch(b)
	a := rundir.Dir(b.TempDir()).Attempt(0)
	var same, less strings.Builder
	for i := range n {
		r := sinktest.Records("a1", i%300, 4)[0]
		r.ID = fmt.Sprintf("%032x", i)
		if err := a.RecordStore().Save(r); err != nil {
			b.Fatal(err)
		}
		doc, err := opensearch.Document(r)
		for into, d := range map[*strings.Builder]map[string]any{&same: doc, &less: results.Document(r)} {
			if err = errors.Join(err, json.NewEncoder(into).Encode(d)); err != nil {
				b.Fatal(err)
			}
		}
	}
	drained := func(u *url.URL, outbox string) time.Duration {
		begun := time.Now()
		d := upload.Drain{Outbox: a.OpenOutbox(outbox), Sinks: upload.Registry{opensearch.Scheme()}, URL: u.String()}
		if report := d.Run(b.Context()); report.Sent != n {
			b.Fatalf("%+v", report)
		}
		return time.Since(begun)
	}
	syscall.Sync() // what was saved is not written while something else is measured
	for b.Loop() {
		var took, own, withSame, withLess []time.Duration
		for round := range warmUps + rounds {
			v := *u
			v.Path += fmt.Sprintf("-%d-%d", b.N, round)
			begun := ownCPU(b)
			took = append(took, drained(&v, strings.Trim(v.Path, "/")))
			own = append(own, ownCPU(b)-begun)
			withSame = append(withSame, timeOfHelper(b, &v, "-same", same.String()))
			withLess = append(withLess, timeOfHelper(b, &v, "-less", less.String()))
		}
		seconds := func(of []time.Duration) float64 { return bench.Median(of[warmUps:]).Seconds() }
		b.ReportMetric(n/seconds(took), "records/s")
		b.ReportMetric(seconds(own), "own-CPU-s")
		if seconds(withSame) > 0 {
			b.ReportMetric(n/seconds(withSame), "helper/s")
			b.ReportMetric(seconds(withSame)/seconds(took), "ratio")
			b.ReportMetric(n/seconds(withLess), "helper-less/s")
			b.ReportMetric(seconds(withLess)/seconds(took), "ratio-less")
		}
	}
}

// ownCPU is how long this process has used a processor.
func ownCPU(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// timeOfHelper is how long the Python client's helper takes; 0 if it is not installed.
func timeOfHelper(b *testing.B, u *url.URL, name, docs string) time.Duration {
	python := os.Getenv("BENCH_PYTHON")
	if python == "" {
		return 0
	}
	file := filepath.Join(b.TempDir(), "docs")
	if err := os.WriteFile(file, []byte(docs), 0o600); err != nil {
		b.Fatal(err)
	}
	index := strings.TrimPrefix(u.Path, "/") + name
	out, err := exec.Command(python, "-c", helper, u.Host, index, file, fmt.Sprint(bulkOf)).CombinedOutput()
	if err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	var seconds float64
	if _, err := fmt.Sscan(string(out), &seconds); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return time.Duration(seconds * float64(time.Second))
}
