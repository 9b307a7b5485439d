package imported_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/imported"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
)

var written = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func source(path, text string) imported.Source {
	return imported.Source{Path: path, Modified: written, Content: strings.NewReader(text)}
}

func example(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func rows(t testing.TB, text string, l imported.Labels) (records []results.Record, refused []string) {
	t.Helper()
	records, faults, err := imported.Rows(source("/r/agg.json", text), l)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		refused = append(refused, f.Error())
	}
	return records, refused
}

func near(t *testing.T, want, got map[string]float64) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Throughputs are of all GPUs, times in milliseconds, whatever version of the format a row is of.
func TestRowsOfEveryVersion(t *testing.T) {
	first, _ := rows(t, example(t, "first.json"), imported.Labels{})
	near(t, map[string]float64{"total_token_throughput": 1044, "mean_ttft": 42.1, "mean_tpot": 12.5},
		first[0].Point.Metrics)
	byTP, _ := rows(t, example(t, "disagg_by_tp.json"), imported.Labels{})
	near(t, map[string]float64{
		"total_token_throughput": 20000, "token_throughput": 12000, "mean_ttft": 1500, "p99_ttft": 3250,
		"mean_tpot": 20, "mean_e2el": 21500,
	}, byTP[0].Point.Metrics)
	if first[0].GPUs != 8 || first[0].GenServers != 1 || byTP[0].GPUs != 20 {
		t.Errorf("GPUs %d of %d servers, %d", first[0].GPUs, first[0].GenServers, byTP[0].GPUs)
	}
	newest, refused := rows(t, example(t, "agg_bmk.json"), imported.Labels{})
	near(t, map[string]float64{
		"total_token_throughput": 8000, "token_throughput": 4020, "mean_ttft": 192.34, "median_ttft": 185,
		"p99_ttft": 400, "mean_tpot": 7.12, "median_tpot": 7, "p99_tpot": 9, "mean_itl": 7.1, "mean_e2el": 7500,
	}, newest[0].Point.Metrics)
	near(t, map[string]float64{
		"total_token_throughput": 7200, "token_throughput": 800, "mean_ttft": 250, "mean_tpot": 10,
	}, newest[1].Point.Metrics)
	if diff := cmp.Diff([]string{"row 3: model is missing"}, refused); diff != "" {
		t.Error(diff)
	}
}

// A record has what the row says, under our names; what it does not say is absent.
func TestRecordOfRow(t *testing.T) {
	list, _ := rows(t, example(t, "agg_bmk.json"),
		imported.Labels{User: "u", Tool: "disagg 1", Tags: []string{"public"}, Note: "n"})
	r := list[0]
	if r.Case != "tinyr1-fp4_isl1024_osl1024_ctx2_tp4ep4dpa_gen1_tp8_dynamo-trt_mtp" || r.TestID != r.Case ||
		list[1].Case != "tinyr1-fp8_isl8192_osl1024_tp4pp2ep4dpa_trt" {
		t.Errorf("cases %s, %s", r.Case, list[1].Case)
	}
	if r.Point.Concurrency != 64 || r.CtxServers != 2 || r.GenServers != 1 || r.GPUs != 16 || list[1].GPUs != 8 ||
		r.Model != "our/tiny-r1" || r.Recipe != "dynamo-trt" || r.Load.InputLength != 1024 || r.JobID != "" {
		t.Errorf("%+v", r)
	}
	want := protocol.Provenance{
		User: "u", Tool: "disagg 1", Tags: []string{"public"}, Note: "n", GPU: "gb300", UsedGPUs: 16,
		Image: "registry.test/engine:1.2",
		Imported: &protocol.Import{
			File: "/r/agg.json", Dated: protocol.ByFile,
			SHA256: r.Provenance.Imported.SHA256,
		},
	}
	if diff := cmp.Diff(want, r.Provenance); diff != "" || !r.MeasuredAt.Equal(written) {
		t.Errorf("%v %s", r.MeasuredAt, diff)
	}
	doc := results.Document(r)
	for name, want := range map[string]any{
		"s_gpu_type": "gb300", "l_isl": int64(1024), "l_num_ctx_servers": int64(2), "l_ctx_ep": int64(4),
		"l_gen_tp": int64(8), "b_ctx_enable_attention_dp": true, "b_gen_enable_attention_dp": false,
		"s_spec_decoding_type": "mtp", "d_token_throughput": 4020.0, "s_imported_file": "/r/agg.json",
		"s_imported_dated": "file",
	} {
		if diff := cmp.Diff(want, doc[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for _, name := range []string{"l_successful_requests", "l_failed_requests", "s_upload_note", "l_tp"} {
		if v, there := doc[name]; there {
			t.Errorf("%s is %v, which nobody has said", name, v)
		}
	}
}

// A row has one id, whether it stands in a list or alone and whenever its file was copied; another case, point or run
// of the benchmark has another. Where the file was written plays no part in the digest; a date of its own does.
func TestRowIdentity(t *testing.T) {
	const row = `{"conc": 8, "model": "m", "tp": 2, "tput_per_gpu": 5, "date": "2026-01-31"}`
	list, _ := rows(t, `[[{"conc": 4, "model": "m", "tp": 2, "tput_per_gpu": 5}], `+row+`]`, imported.Labels{})
	alone, _ := rows(t, strings.ReplaceAll(row, " ", "\n"), imported.Labels{})
	if list[1].ID != alone[0].ID || list[1].Digest() != alone[0].Digest() || list[0].ID == list[1].ID {
		t.Errorf("ids %s and %s in a list, %s alone", list[0].ID, list[1].ID, alone[0].ID)
	}
	if at := alone[0].MeasuredAt; !at.Equal(time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)) ||
		alone[0].Provenance.Imported.Dated != protocol.ByContent {
		t.Errorf("measured at %v", at)
	}
	other := list[0]
	other.MeasuredAt = other.MeasuredAt.Add(time.Hour)
	if other.Digest() != list[0].Digest() {
		t.Error("a copy of the file has another digest")
	}
	alone[0].MeasuredAt = alone[0].MeasuredAt.Add(time.Hour)
	if alone[0].Digest() == list[1].Digest() {
		t.Error("another date has the same digest")
	}
	named, _ := rows(t, row, imported.Labels{Case: "c", TestID: "t", Run: "r"})
	if n := named[0]; n.Case != "c" || n.TestID != "t" || n.RunID != "r" || n.ID == alone[0].ID {
		t.Errorf("%+v", n)
	}
	said, _ := rows(t, strings.Replace(row, "}", `, "run": 17}`, 1), imported.Labels{})
	if said[0].RunID != "17" || !strings.HasPrefix(alone[0].RunID, "import-") {
		t.Errorf("runs %s, %s", said[0].RunID, alone[0].RunID)
	}
}

// Of a row that cannot be a result the first fault is told; a file without any result is refused as a whole.
func TestRowsThatAreRefused(t *testing.T) {
	const good = `{"conc": 8, "model": "m", "tp": 2, "tput_per_gpu": 5, "output_tput_per_gpu": 2, ` +
		`"input_tput_per_gpu": 3}`
	for _, tt := range []struct{ from, to, want string }{
		{`"conc": 8`, `"conc": 0`, "conc is 0: want a whole number from 1"},
		{`"conc": 8`, `"conc": 8.5`, "conc is 8.5: want a whole number from 1"},
		{`"conc": 8`, `"conc": "8 or so"`, "conc is 8 or so: want a whole number from 1"},
		{`"conc": 8, `, ``, "conc is missing"},
		{`"model": "m", `, ``, "model is missing"},
		{`"m"`, `{"name": "m"}`, "model is map[name:m]: want text"},
		{`"tp": 2`, `"ep": 2`, "tp is missing"},
		{`"tp": 2`, `"tp": [2]`, "tp is [2]: want a whole number from 1"},
		{`"tp": 2`, `"mean_ttft": "x"`, "tp is missing"},
		{`"conc": 8`, `"conc": 8, "mean_ttft": "x"`, "mean_ttft is x: want a number from 0"},
		{`_gpu": 2`, `_gpu": -2`, "output_tput_per_gpu is -2: want a number from 0"},
		{`_gpu": 2`, `_gpu": 1e300`, "output_tput_per_gpu is 1e300: want a number from 0"},
		{`_gpu": 2`, `_gpu": 0`, "no token came out"},
		{`_gpu": 3`, `_gpu": 3.5`, "its throughputs per GPU do not fit its numbers of GPUs"},
		{`_gpu": 2`, `_gpu": 6`, "its throughputs per GPU do not fit its numbers of GPUs"},
		{`"tp": 2`, `"is_multinode": true`, "num_prefill_gpu is missing"},
		{`"tp": 2`, `"is_multinode": 3`, "is_multinode is 3: want true or false"},
		{`"tp": 2`, `"num_prefill_gpu": 2`, "tp is missing"},
		{
			`"conc": 8`, `"conc": 8, "date": "soon"`,
			"date is soon: want a date such as 2026-01-31 or 2026-01-31T10:00:00Z",
		},
	} {
		text := strings.Replace(good, tt.from, tt.to, 1)
		list, refused := rows(t, "["+text+","+good+"]", imported.Labels{})
		if diff := cmp.Diff([]string{"row 1: " + tt.want}, refused); diff != "" || len(list) != 1 {
			t.Errorf("%s instead of %s: %d records, %s", tt.to, tt.from, len(list), diff)
		}
	}
	for text, want := range map[string]string{
		"":                          "it is not JSON: EOF",
		`{"conc": NaN}`:             "it is not JSON: invalid character 'N' looking for beginning of value",
		`{"tput_per_gpu": 1} {}`:    "it is not JSON: something follows its first value",
		`[1, "x", null]`:            "it has no result of InferenceX: no object has a tput_per_gpu",
		`{"schema": 2, "id": "ab"}`: "it has no result of InferenceX: no object has a tput_per_gpu",
	} {
		if _, _, err := imported.Rows(source("x.json", text), imported.Labels{}); err == nil || err.Error() != want {
			t.Errorf("%q: %v", text, err)
		}
	}
	broken := imported.Source{Path: "x.json", Content: brokenReader{}}
	if _, _, err := imported.Rows(broken, imported.Labels{}); err == nil ||
		err.Error() != "cannot read x.json: the disk is gone" {
		t.Errorf("%v", err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }

// Whatever a result file holds, it is refused or makes records that can be kept, with numbers that can be true.
func FuzzRows(f *testing.F) {
	for _, name := range []string{"first.json", "disagg_by_tp.json", "agg_bmk.json"} {
		f.Add(example(f, name))
	}
	f.Add(`[{"tput_per_gpu": 1e15, "tp": 2147483647, "pp": 2147483647, "conc": 1, "model": "m", "mean_ttft": 1e15}]`)
	f.Fuzz(func(t *testing.T, text string) {
		records, refused, err := imported.Rows(source("/r/x.json", text), imported.Labels{})
		if err == nil && len(records)+len(refused) == 0 {
			t.Error("nothing is said of the file")
		}
		for _, r := range records {
			keeps(t, r)
		}
	})
}

// keeps checks that a record can be kept, read, and sent.
func keeps(t *testing.T, r results.Record) {
	t.Helper()
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := results.DecodeRecord(r.ID, data)
	if err != nil || again.Digest() != r.Digest() {
		t.Errorf("digest %s, then %s, %v", r.Digest(), again.Digest(), err)
	}
	if r.Point.Concurrency < 1 || r.GPUs < 0 || r.Point.Invalid != "" || r.Case == "" || r.TestID == "" ||
		r.Provenance.Imported == nil {
		t.Errorf("%+v", r)
	}
}
