// Package readers reads the files of the Parquet sink with the programs that people read them with.
//
// Rules: a reader that is not installed (test/readers/install, for more than DuckDB with "all") is skipped, with the
// reason.
package readers

import (
	"encoding/json"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/parquet"
	"github.com/disagg/disagg/pkg/upload/sinktest"
	"github.com/disagg/disagg/test/tool"
)

// table is what a reader makes of a folder.
type table struct {
	Columns []string         `json:"columns"`
	Rows    []map[string]any `json:"rows"`
}

// folder has three records of two runs, which differ in what they say.
func folder(t *testing.T) (dir string, records []results.Record) {
	t.Helper()
	dir = t.TempDir()
	s, err := parquet.Scheme().Open(t.Context(), &url.URL{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	records = slices.Concat(sinktest.Records("a1", 0, 4, 8), sinktest.Records("b1", 1, 4))
	records[0].Point.Invalid = "3 of 16 requests failed"
	records[2].Point.Metrics["al"] = 2.5
	for _, o := range s.Send(t.Context(), records) {
		if o.Fate != upload.Kept {
			t.Fatal(o.Err)
		}
	}
	return dir, records
}

// wanted is what every reader should make of records.
func wanted(records []results.Record) (w table) {
	for _, c := range parquet.Columns() {
		w.Columns = append(w.Columns, c.Name)
	}
	for _, r := range records {
		row := map[string]any{
			"id": r.ID, "concurrency": float64(r.Point.Concurrency), "measured_at": float64(r.MeasuredAt.UnixMicro()),
			"valid": r.Point.Invalid == "", "invalid": nil, "token_throughput": r.Point.Metrics["token_throughput"],
			"al": nil, "hosts": strings.Join(r.Provenance.Hosts, ","), "note": r.Provenance.Note, "record": r.ID,
		}
		if r.Point.Invalid != "" {
			row["invalid"] = r.Point.Invalid
		}
		if v, ok := r.Point.Metrics["al"]; ok {
			row["al"] = v
		}
		w.Rows = append(w.Rows, row)
	}
	return w
}

// All files of a folder are one table to DuckDB, Polars and pandas: the same columns, rows, times and nulls.
func TestReaders(t *testing.T) {
	dir, records := folder(t)
	python := filepath.Join(tool.Root(), ".venv-readers", "bin", "python3")
	for _, reader := range []string{"duckdb", "polars", "pandas"} {
		t.Run(reader, func(t *testing.T) {
			if err := exec.Command(python, "-c", "import "+reader).Run(); err != nil {
				t.Skipf("%s is not installed: test/readers/install all", reader)
			}
			cmd := exec.CommandContext(t.Context(), python, "read.py", reader, dir)
			var stderr strings.Builder
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			var got table
			if err == nil {
				err = json.Unmarshal(out, &got)
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, &stderr)
			}
			if diff := cmp.Diff(wanted(records), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
