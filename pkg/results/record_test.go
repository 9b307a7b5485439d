package results_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

func record(run string, index, concurrency int, metric float64) results.Record {
	p := roles.Plan{Case: roles.Case{Name: "c", TestID: "disagg-e2e-c", Mode: "e2e", Servers: map[roles.Kind]roles.Server{
		roles.Gen: {Count: 2, GPUs: 4}, roles.Ctx: {Count: 1, GPUs: 8},
	}}}
	pt := results.Point{Index: index, Concurrency: concurrency, Metrics: map[string]float64{"token_throughput": metric}}
	return results.NewRecord(p, run, "12", pt, time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("x", 3600)))
}

// The id names the point of the attempt, and nothing that could change when it is measured or sent again.
func TestRecordID(t *testing.T) {
	a := record("r-0", 1, 8, 100)
	if b := record("r-0", 1, 8, 200); b.ID != a.ID {
		t.Error("the id depends on the metrics")
	}
	for _, other := range []results.Record{record("r-1", 1, 8, 100), record("r-0", 2, 8, 100), record("r-0", 1, 16, 100)} {
		if other.ID == a.ID {
			t.Errorf("%+v has the same id as %+v", other, a)
		}
	}
	if a.GPUs != 16 {
		t.Errorf("%d GPUs", a.GPUs)
	}
}

func TestRecordIsSavedAndRead(t *testing.T) {
	dir := t.TempDir() + "/records"
	r := record("r-0", 1, 8, 100)
	for range 2 { // writing it again changes nothing
		if err := r.Save(dir); err != nil {
			t.Fatal(err)
		}
	}
	got, err := results.ReadRecord(dir, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, got); diff != "" {
		t.Error(diff)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("the folder holds %v", files)
	}
	if _, err := results.ReadRecord(dir, "other"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestResultIsWrittenOnce(t *testing.T) {
	file := t.TempDir() + "/result.json"
	r := results.Result{Schema: 1, Verdict: results.Passed}
	if err := r.Write(file); err != nil {
		t.Fatal(err)
	}
	if err := (results.Result{Schema: 1, Verdict: results.Failed}).Write(file); !errors.Is(err, os.ErrExist) {
		t.Errorf("a second verdict was accepted: %v", err)
	}
	if got, err := results.ReadResult(file); err != nil || got.Verdict != results.Passed {
		t.Errorf("%+v, %v", got, err)
	}
}
