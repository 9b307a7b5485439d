package upload_test

import (
	"context"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/sqlite"
)

func save(t *testing.T, dir string, run string, concurrency ...int) upload.Outbox {
	t.Helper()
	o := upload.Outbox{Dir: filepath.Join(dir, "outbox"), Records: filepath.Join(dir, "records")}
	for i, c := range concurrency {
		pt := results.Point{Index: i, Concurrency: c, Successful: 1, Metrics: map[string]float64{"token_throughput": float64(c), "mean_ttft": 1.5}}
		r := results.NewRecord(roles.Plan{Case: roles.Case{Name: "c", TestID: "disagg-e2e-c"}}, run, "1", pt, time.Now())
		if err := r.Save(o.Records); err != nil {
			t.Fatal(err)
		}
		if err := o.Add(r.ID); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

var sinks = upload.Sinks{"sqlite": sqlite.Open}

func sqliteURL(file string) string { return (&url.URL{Scheme: "sqlite", Path: file}).String() }

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

// Each point is kept once, whatever is sent again; the file may have any name.
func TestDrainKeepsEachPointOnce(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, `a b/17%?#$'x".db`)
	first, second := save(t, dir+"/1", "run-a", 4, 8), save(t, dir+"/2", "run-b", 4, 8)
	for _, o := range []upload.Outbox{first, second} {
		r := o.Drain(t.Context(), sinks, sqliteURL(file))
		if r.Error != "" || r.Sent != 2 || r.Pending != 0 {
			t.Fatalf("report %+v", r)
		}
	}
	again := save(t, dir+"/1", "run-a", 4, 8) // the records exist and were sent
	if r := again.Drain(t.Context(), sinks, sqliteURL(file)); r.Sent != 0 || r.Error != "" {
		t.Errorf("report of the second drain: %+v", r)
	}
	if err := os.RemoveAll(again.Dir); err != nil { // whoever lost the notes sends all of it again
		t.Fatal(err)
	}
	if r := save(t, dir+"/1", "run-a", 4, 8).Drain(t.Context(), sinks, sqliteURL(file)); r.Sent != 2 || r.Error != "" {
		t.Errorf("report of the third drain: %+v", r)
	}
	got := query(t, file, `select run_id || ' ' || concurrency || ' ' || m.value from records r join metrics m on m.record_id = r.id
		where m.name = 'token_throughput' order by run_id, concurrency`)
	if diff := cmp.Diff([]string{"run-a 4 4.0", "run-a 8 8.0", "run-b 4 4.0", "run-b 8 8.0"}, got); diff != "" {
		t.Error(diff)
	}
}

// A sink that cannot be reached leaves everything pending, and nothing lost.
func TestDrainFailureLeavesRecordsPending(t *testing.T) {
	dir := t.TempDir()
	blocker := filepath.Join(dir, "file")
	if err := os.WriteFile(blocker, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	o := save(t, dir, "run", 4, 8)
	r := o.Drain(t.Context(), sinks, sqliteURL(filepath.Join(blocker, "x.db")))
	if r.Error == "" || r.Pending != 2 || r.Sent != 0 {
		t.Fatalf("report %+v", r)
	}
	if r := o.Drain(t.Context(), sinks, sqliteURL(filepath.Join(dir, "x.db"))); r.Error != "" || r.Sent != 2 {
		t.Errorf("report of the next drain: %+v", r)
	}
}

// Another program sends in a process of its own, and whatever becomes of it, the report is true.
func TestDrainBy(t *testing.T) {
	const url = "sqlite:///x.db"
	tests := map[string]struct {
		script string // {} stands for the outbox
		want   results.UploadReport
		why    string
	}{
		"it reports":         {`echo '{"url": "sqlite:///y.db", "sent": 2}'`, results.UploadReport{URL: "sqlite:///y.db", Sent: 2}, ""},
		"it reports a fault": {`echo '{"url": "sqlite:///x.db", "pending": 2, "error": "away"}'; exit 75`, results.UploadReport{URL: url, Pending: 2}, "away"},
		"it dies half way":   {`mv {}/pending/$(ls {}/pending | head -n 1) {}/sent/; echo oops >&2; kill -9 $$`, results.UploadReport{URL: url, Sent: 1, Pending: 1}, "killed: oops"},
		"it says nonsense":   {`echo sent`, results.UploadReport{URL: url, Pending: 2}, "without a report"},
		"it hangs":           {`exec sleep 60`, results.UploadReport{URL: url, Pending: 2}, "not done in time"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bound := time.Minute
			if name == "it hangs" {
				bound = 50 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), bound)
			defer cancel()
			o := save(t, t.TempDir(), "run", 4, 8)
			got := o.DrainBy(ctx, []string{"/bin/sh", "-c", strings.ReplaceAll(tt.script, "{}", o.Dir)}, url)
			if !strings.Contains(got.Error, tt.why) || (tt.why == "") != (got.Error == "") {
				t.Errorf("error %q, want %q", got.Error, tt.why)
			}
			got.Error = ""
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("it is not there", func(t *testing.T) {
		got := save(t, t.TempDir(), "run", 4).DrainBy(t.Context(), []string{"/nowhere/disagg-submit"}, url)
		if got.Pending != 1 || !strings.Contains(got.Error, "install disagg-submit beside disagg-agent") {
			t.Errorf("%+v", got)
		}
	})
	t.Run("nothing is pending", func(t *testing.T) {
		if got := save(t, t.TempDir(), "run").DrainBy(t.Context(), []string{"/nowhere"}, url); got != (results.UploadReport{URL: url}) {
			t.Errorf("%+v", got)
		}
	})
}

// Jobs that end at the same moment write to the same file.
func TestManyWriters(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "x.db")
	var wg sync.WaitGroup
	for i := range 6 {
		o := save(t, filepath.Join(dir, string(rune('a'+i))), "run-"+string(rune('a'+i)), 1, 2, 3)
		wg.Go(func() {
			if r := o.Drain(t.Context(), sinks, sqliteURL(file)); r.Error != "" || r.Sent != 3 {
				t.Errorf("report %+v", r)
			}
		})
	}
	wg.Wait()
	if n := query(t, file, "select count(*) from records"); n[0] != "18" {
		t.Errorf("%s records", n[0])
	}
}

func TestURLs(t *testing.T) {
	for _, bad := range []string{"", "x.db", "sqlite://x.db", "sqlite:", "ftp://h/x", "%zz"} {
		if err := upload.Check(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	t.Setenv("XDG_DATA_HOME", "/data/a b")
	u, err := upload.DefaultURL()
	if err != nil || upload.Check(u) != nil || !strings.HasSuffix(u, "/data/a%20b/disagg/results.db") {
		t.Errorf("the default is %q, %v", u, err)
	}
}
