package results_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

func record(run string, index, concurrency int, metric float64) results.Record {
	o := results.Origin{RunID: run, JobID: "12", Recipe: "r", Case: roles.Case{
		Name: "c", TestID: "disagg-e2e-c", Mode: "e2e",
		Servers: map[roles.Kind]roles.Server{roles.Gen: {Count: 2, GPUs: 4}, roles.Ctx: {Count: 1, GPUs: 8}},
	}}
	pt := protocol.Point{
		Index: index, Concurrency: concurrency, Metrics: map[string]float64{"token_throughput": metric},
	}
	return results.NewRecord(o, pt, time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("x", 3600)))
}

// The id names the point of the attempt, and nothing that could change when it is measured or sent again.
func TestRecordID(t *testing.T) {
	a := record("r-0", 1, 8, 100)
	if b := record("r-0", 1, 8, 200); b.ID != a.ID {
		t.Error("the id depends on the metrics")
	}
	for _, other := range []results.Record{record("r-1", 1, 8,
		100), record("r-0", 2, 8, 100), record("r-0", 1, 16, 100)} {
		if other.ID == a.ID {
			t.Errorf("%+v has the same id as %+v", other, a)
		}
	}
	pt := a.Point
	pt.Measurement = 1
	if again := results.NewRecord(results.Origin{RunID: a.RunID, Case: roles.Case{TestID: a.TestID}}, pt,
		a.MeasuredAt); again.ID == a.ID {
		t.Error("a second measurement has the id of the first")
	}
	if a.GPUs != 16 {
		t.Errorf("%d GPUs", a.GPUs)
	}
}

// What was imported is named by its content, in whatever run. When its file was written is not part of its digest; when
// it was measured is.
func TestImportedRecord(t *testing.T) {
	made := func(run, content string, dated protocol.TimeFrom, at int64) results.Record {
		o := results.Origin{RunID: run, Content: content, Case: roles.Case{TestID: "t"}}
		o.Provenance.Imported = &protocol.Import{Dated: dated}
		return results.NewRecord(o, protocol.Point{Concurrency: 8}, time.Unix(at, 0))
	}
	a := made("r", "x", protocol.ByFile, 1)
	if b := made("s", "x", protocol.ByFile, 2); b.ID != a.ID || b.Digest() != a.Digest() || b.RunID != "s" {
		t.Errorf("the same content is %+v and %+v", a, b)
	}
	if b := made("r", "y", protocol.ByFile, 1); b.ID == a.ID {
		t.Error("another content has the same id")
	}
	if made("r", "x", protocol.ByContent, 1).Digest() == made("r", "x", protocol.ByContent, 2).Digest() {
		t.Error("another time of the measurement has the same digest")
	}
}

func TestRecordIsReadAsItWasWritten(t *testing.T) {
	r := record("r-0", 1, 8, 100)
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := results.DecodeRecord(r.ID, data)
	if diff := cmp.Diff(r, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	for name, bad := range map[string]string{
		"cut off": string(data[:len(data)/2]), "another id": strings.Replace(string(data), r.ID, "00",
			1), "another schema": strings.Replace(string(data), `"schema": 2`, `"schema": 3`, 1),
	} {
		if _, err := results.DecodeRecord(r.ID, []byte(bad)); err == nil {
			t.Errorf("%s: it was read", name)
		}
	}
}

// Points are put into lists by the number of their measurement: a record whose number cannot be, in a folder that
// others may write to, would stop every report on the run, or take all memory.
func TestRecordOfAMeasurementThatCannotBe(t *testing.T) {
	for n, want := range map[int]string{
		0: "", 1: "", 100_000: "", -1: "point.measurement is -1: want 0 to 100000", 100_001: "point.measurement is",
		1 << 62: "point.measurement is",
	} {
		r := record("r-0", 1, 8, 100)
		r.Point.Measurement = n
		data, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		_, err = results.DecodeRecord(r.ID, data)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), r.ID+": "+want) {
			t.Errorf("%d: %v, want %q", n, err, want)
		}
	}
}

// What another client measured is another series: of vLLM's, SGLang's and aiperf nobody counts as upstream's does.
// Records from before the format was recorded stay in the series of upstream's.
func TestSeries(t *testing.T) {
	r := record("r-0", 1, 8, 100)
	r.Cluster, r.Provenance.GPU = "k", "H200"
	for format, want := range map[string]string{
		"": "disagg-e2e-c|con8|k|H200", "trtllm": "disagg-e2e-c|con8|k|H200", "json": "disagg-e2e-c|con8|k|H200",
		"vllm": "disagg-e2e-c|con8|k|H200|vllm", "aiperf": "disagg-e2e-c|con8|k|H200|aiperf",
	} {
		r.Format = format
		if got := r.Series(); got != want {
			t.Errorf("%q: series %s, want %s", format, got, want)
		}
	}
}

// What settings make of a test is a series of its own, in whatever order they were given. The concurrency, which every
// series names, makes no variant: the same point may stand in another list.
func TestSeriesOfVariants(t *testing.T) {
	of := func(settings ...roles.Setting) string {
		r := record("r-0", 1, 8, 100)
		r.Cluster, r.Settings = "k", settings
		return r.Series()
	}
	batch, length := roles.Setting{Key: "worker_config.gen.max_batch_size", Value: "8"},
		roles.Setting{Key: "benchmark.input_length", Value: "64"}
	const plain = "disagg-e2e-c|con8|k"
	for name, tt := range map[string]struct{ got, want string }{
		"none":        {of(), plain},
		"one":         {of(batch), plain + "|worker_config.gen.max_batch_size=8"},
		"two":         {of(batch, length), plain + "|benchmark.input_length=64,worker_config.gen.max_batch_size=8"},
		"in order":    {of(length, batch), of(batch, length)},
		"concurrency": {of(roles.Setting{Key: "benchmark.concurrency_list", Value: "8 16"}), plain},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %s, want %s", name, tt.got, tt.want)
		}
	}
	seen := map[string][]roles.Setting{}
	for _, settings := range [][]roles.Setting{
		nil, {{Key: "a", Value: "1"}}, {{Key: "a", Value: "2"}}, {{Key: "b", Value: "1"}},
		{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}, {{Key: "a", Value: "1,b=2"}}, {{Key: "a", Value: `"1,b=2"`}},
		{{Key: "a", Value: "1|b"}}, {{Key: "a", Value: `"1"`}},
	} {
		series := of(settings...)
		if other, taken := seen[series]; taken {
			t.Errorf("%v and %v are both %s", settings, other, series)
		}
		seen[series] = settings
	}
}

// The history of a record is of its own variant, and of servers that had served nothing before.
func TestHistoryOfVariants(t *testing.T) {
	with := func(id, value string) results.Record {
		r := record("r-"+id, 1, 8, 100)
		if value != "" {
			r.Settings = []roles.Setting{{Key: "worker_config.gen.max_batch_size", Value: value}}
		}
		return r
	}
	warm := with("warm", "8")
	warm.Provenance.Warm = true
	h := results.History{Records: []results.Record{with("plain", ""), with("a", "8"), warm, with("b", "16")}}
	for value, want := range map[string]string{"": "r-plain", "8": "r-a", "16": "r-b"} {
		list, _ := h.Of(with("new", value), nil)
		if len(list) != 1 || list[0].RunID != want {
			t.Errorf("%q: %+v, want %s", value, list, want)
		}
	}
}
