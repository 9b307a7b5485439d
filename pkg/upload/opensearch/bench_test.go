package opensearch_test

import (
	"encoding/json"
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

// rounds is how often both are measured, in turn.
const rounds = 3

// How fast 10,000 records that lie on the disk are drained, read back and noted as sent, beside the Python client's
// helper, which does nothing of that. `make bench-upload` installs the client.
func BenchmarkDrain(b *testing.B) {
	const n = 10_000
	u := server.OpenSearch(b)
	a := rundir.Dir(b.TempDir()).Attempt(0)
	var docs strings.Builder
	for i := range n {
		r := sinktest.Records("a1", i%300, 4)[0]
		r.ID = fmt.Sprintf("%032x", i)
		if err := a.RecordStore().Save(r); err != nil {
			b.Fatal(err)
		}
		line, err := json.Marshal(results.Document(r))
		if err != nil {
			b.Fatal(err)
		}
		docs.Write(append(line, '\n'))
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
		var ours, theirs []time.Duration
		for round := range rounds + 1 {
			v := *u
			v.Path += fmt.Sprintf("-%d-%d", b.N, round)
			one := func() { ours = append(ours, drained(&v, strings.Trim(v.Path, "/"))) }
			other := func() { theirs = append(theirs, timeOfHelper(b, &v, docs.String())) }
			if round%2 == 0 {
				one, other = other, one
			}
			one()
			other()
		}
		our, their := bench.Median(ours[1:]), bench.Median(theirs[1:]) // the server warms up in the first
		b.ReportMetric(n/our.Seconds(), "records/s")
		if their > 0 {
			b.ReportMetric(n/their.Seconds(), "helper-documents/s")
			b.ReportMetric(their.Seconds()/our.Seconds(), "ratio")
		}
	}
}

// timeOfHelper is how long the Python client's helper takes; 0 if it is not installed.
func timeOfHelper(b *testing.B, u *url.URL, docs string) time.Duration {
	python := os.Getenv("BENCH_PYTHON")
	if python == "" {
		return 0
	}
	file := filepath.Join(b.TempDir(), "docs")
	if err := os.WriteFile(file, []byte(docs), 0o600); err != nil {
		b.Fatal(err)
	}
	index := strings.TrimPrefix(u.Path, "/") + "-helper"
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
