package parquet_test

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	pq "github.com/parquet-go/parquet-go"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/parquet"
	"github.com/disagg/disagg/pkg/upload/sinktest"
)

// valuesOf are the values of the first row of a run's file by column, as a program that knows nothing of us reads them;
// nil: it is null.
func valuesOf(t *testing.T, file string) map[string]any {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := pq.NewReader(f)
	defer r.Close()
	row := map[string]any{}
	if err := r.Read(&row); err != nil {
		t.Fatal(err)
	}
	return row
}

// Each column has what it is said to have: texts, numbers, times in UTC, and what follows from others.
func TestValues(t *testing.T) {
	t.Parallel()
	o := results.Origin{
		RunID: "run", JobID: "17", Recipe: "rec", Cluster: "k", Case: roles.Case{
			Name: "c", TestID: "t", Mode: "e2e", Model: "m",
			Load:    roles.Load{PointLoad: roles.PointLoad{InputLength: 1024, OutputLength: 128}},
			Servers: map[roles.Kind]roles.Server{roles.Gen: {Count: 1, GPUs: 4}, roles.Ctx: {Count: 2, GPUs: 2}},
		},
		Provenance: protocol.Provenance{
			RunDir: "/r", User: "u", Tool: "v", Hosts: []string{"h1", "h2"}, GPU: "H200", GPUName: "NVIDIA H200",
			AskedGPUs: 12, Driver: "580", Engine: "1.2", Commit: "abc", Dirty: true, Branch: "main", Image: "i",
			CaseHash: "ch", PlanHash: "ph", Warm: true, Tags: []string{"x", "y"}, Note: "n\xffote",
		},
	}
	pt := protocol.Point{
		Index: 2, Concurrency: 4, Successful: 15, Failed: 1, Invalid: "1 of 16 requests failed",
		Metrics: map[string]float64{"token_throughput": 800, "mean_tpot": 10},
	}
	r := results.NewRecord(o, pt, time.Date(2026, 3, 1, 23, 30, 0, 123_456_789, time.FixedZone("", 3600)))
	folder := t.TempDir()
	send(t, open(t, folder), []results.Record{r})
	row := valuesOf(t, filepath.Join(folder, "run.parquet"))
	for name, want := range map[string]any{
		"id": r.ID, "run_id": "run", "job_id": "17", "case_name": "c", "test_id": "t", "mode": "e2e", "model": "m",
		"recipe": "rec", "cluster": "k", "series": r.Series(), "ctx_servers": int64(2), "gen_servers": int64(1),
		"gpus": int64(8), "point": int64(2), "concurrency": int64(4), "input_length": int64(1024),
		"output_length": int64(128), "successful": int64(15), "failed": int64(1), "valid": false,
		"invalid": "1 of 16 requests failed", "token_throughput": 800.0, "tok_per_gpu": 100.0, "tok_per_user": 100.0,
		"run_dir": "/r", "user_name": "u", "tool": "v", "hosts": "h1,h2", "gpu": "H200", "gpu_name": "NVIDIA H200",
		"asked_gpus": int64(12), "driver": "580", "engine": "1.2", "commit_hash": "abc", "dirty": true,
		"branch": "main", "image": "i", "case_hash": "ch", "plan_hash": "ph", "warm": true, "tags": "x,y",
		"note": "n\uFFFDote", "digest": r.Digest(), "mean_ttft": nil,
	} {
		if got := plainly(row[name]); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v (%T), want %v", name, got, got, want)
		}
	}
	if at := time.UnixMicro(r.MeasuredAt.UnixMicro()).UTC(); !sameTime(row["measured_at"], at) {
		t.Errorf("measured at %v, want %v", row["measured_at"], at)
	}
}

// plainly is a value without the library's own types.
func plainly(v any) any {
	if b, ok := v.([]byte); ok {
		return string(b)
	}
	return v
}

func sameTime(v any, at time.Time) bool {
	switch v := v.(type) {
	case time.Time:
		return v.Equal(at)
	case int64:
		return v == at.UnixMicro()
	}
	return false
}

// Every column has a name of its own, a type that is known and a sentence; the order of files is that of the list.
func TestColumnsAreDescribed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	send(t, open(t, folder), sinktest.Records("a1", 0, 4))
	data, err := os.Open(filepath.Join(folder, "a1.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	info, err := data.Stat()
	if err != nil {
		t.Fatal(err)
	}
	f, err := pq.OpenFile(data, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	fields, seen := f.Schema().Fields(), map[string]bool{}
	for i, c := range parquet.Columns() {
		if c.About == "" || seen[c.Name] || fields[i].Name() != c.Name || fields[i].Optional() != c.Null {
			t.Errorf("column %d is %+v, in the file %s", i, c, fields[i].Name())
		}
		seen[c.Name] = true
	}
	if len(fields) != len(seen) {
		t.Errorf("%d columns in the file, %d are described", len(fields), len(seen))
	}
}

// What cannot be a folder is refused by its name; one that is gone is an error for who asks for all and for who sends,
// and empty for who asks for some.
func TestFolders(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := parquet.Scheme().Open(t.Context(), &url.URL{Scheme: "parquet", Path: file + "/x"})
	if err == nil || !strings.HasPrefix(err.Error(), "cannot open "+file+"/x: ") {
		t.Error(err)
	}
	folder := filepath.Join(t.TempDir(), "x")
	s, list := open(t, folder), sinktest.Records("a1", 0, 4)
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	if _, err := s.History(t.Context(), upload.Query{}); !errors.Is(err, fs.ErrNotExist) ||
		!strings.HasPrefix(err.Error(), "cannot read the history: ") {
		t.Errorf("%v", err)
	}
	refused(t, s, list[0], "no such file or directory")
	if got, err := s.Stored(t.Context(), list); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

// What cannot be kept of one run takes no other run with it, and is told of each of its records.
func TestRunsAreApart(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "a1.parquet"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := open(t, folder)
	list := append(sinktest.Records("a1", 0, 4, 8), sinktest.Records("b1", 0, 4)...)
	got := s.Send(t.Context(), list)
	for i, o := range got[:2] {
		if o.Fate != upload.Later || !strings.HasPrefix(o.Err.Error(), "cannot send record "+list[i].ID+": ") {
			t.Errorf("%+v", o)
		}
	}
	if got[2] != (upload.Outcome{}) {
		t.Errorf("%+v", got[2])
	}
	why := errors.New("the job ends")
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if o := s.Send(ended, list[2:])[0]; !errors.Is(o.Err, why) || o.Fate != upload.Later {
		t.Errorf("%+v", o)
	}
}
