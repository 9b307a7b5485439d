package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/sinktest"
	"github.com/disagg/disagg/pkg/upload/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The sink keeps the contract of all sinks; the file and its folders are made, and may have any names.
func TestContract(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Opener {
		return sinktest.OpenerOf(sqlite.Scheme(), urlOf(filepath.Join(t.TempDir(), `a b/17%?#$'x".db`)))
	})
}

func urlOf(file string) *url.URL { return &url.URL{Scheme: "sqlite", Path: file} }

// open opens a file as a sink that is closed with the test.
func open(t *testing.T, file string) upload.Sink {
	t.Helper()
	s, err := sqlite.Scheme().Open(t.Context(), urlOf(file))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// records makes one of each concurrency of a run.
func records(run string, concurrency ...int) (list []results.Record) {
	for i, c := range concurrency {
		pt := protocol.Point{
			Index: i, Concurrency: c, Successful: 1,
			Metrics: map[string]float64{"token_throughput": float64(c), "mean_ttft": 1.5},
		}
		from := results.Origin{Case: roles.Case{Name: "c", TestID: "disagg-e2e-c"}, RunID: run, JobID: "1"}
		list = append(list, results.NewRecord(from, pt, time.Now()))
	}
	return list
}

// faults lists what went wrong, by record.
func faults(list []upload.Outcome) (all []error) {
	for _, o := range list {
		if o.Err != nil {
			all = append(all, o.Err)
		}
	}
	return all
}

// query asks the file what the sqlite3 command line would ask it.
func query(t *testing.T, file, text string) (values []string) {
	t.Helper()
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: file}).String())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(text)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			t.Fatal(err)
		}
		values = append(values, v)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return values
}

// All records of a call are kept or none, and each is told so.
func TestAllOrNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.db")
	s := open(t, file)
	list := records("run-a", 4, 8, 16)
	list[1].Point.Metrics["token_throughput"] = math.NaN() // no file can hold it
	got := faults(s.Send(t.Context(), list))
	if len(got) != 3 || !strings.Contains(got[0].Error(), ".db: record "+list[1].ID+": ") {
		t.Errorf("%v", got)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	got = faults(s.Send(ended, records("run-a", 4, 8)))
	if len(got) != 2 || !errors.Is(got[0], context.Canceled) {
		t.Errorf("%v", got)
	}
	if n := query(t, file, "select count(*) from records"); n[0] != "0" {
		t.Errorf("%s records", n[0])
	}
	if got := s.Send(t.Context(), records("run-a", 4)); len(faults(got)) != 0 {
		t.Errorf("after a fault: %v", got)
	}
}

// What is no database, or cannot be one, is refused by its name, and nothing is left open.
func TestOpenFaults(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database\n", 100)), 0o644); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tt := range map[string]struct {
		ctx  context.Context
		file string
		want string
	}{
		"its folder is a file": {t.Context(), filepath.Join(text, "x.db"), "not a directory"},
		"it is a folder":       {t.Context(), dir, "unable to open database file"},
		"it is a text":         {t.Context(), text, "file is not a database"},
		"there is no time":     {ended, filepath.Join(dir, "x.db"), "context canceled"},
	} {
		_, err := sqlite.Scheme().Open(tt.ctx, urlOf(tt.file))
		prefix := "cannot open " + tt.file + ": "
		if err == nil || !strings.HasPrefix(err.Error(), prefix) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}

// A URL must name an absolute path.
func TestURLs(t *testing.T) {
	r := upload.Registry{sqlite.Scheme()}
	for address, good := range map[string]bool{
		"sqlite:///x.db": true, "sqlite:/x.db": true, "sqlite://x.db": false, "sqlite:x.db": false, "sqlite:": false,
		"sqlite://": false, "sqlite://host/x.db": false,
	} {
		if err := r.Check(address); (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
	t.Setenv("XDG_DATA_HOME", "/data/a b")
	if u, err := upload.DefaultURL(); err != nil || r.Check(u) != nil {
		t.Errorf("the default is %q, %v", u, err)
	}
}
