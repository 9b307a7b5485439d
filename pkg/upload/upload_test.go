package upload_test

import (
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite" // to look into what was written

	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/upload"
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
		r := o.Drain(t.Context(), sqliteURL(file))
		if r.Error != "" || r.Sent != 2 || r.Pending != 0 {
			t.Fatalf("report %+v", r)
		}
	}
	again := save(t, dir+"/1", "run-a", 4, 8) // the records exist and were sent
	if r := again.Drain(t.Context(), sqliteURL(file)); r.Sent != 0 || r.Error != "" {
		t.Errorf("report of the second drain: %+v", r)
	}
	if err := os.RemoveAll(again.Dir); err != nil { // whoever lost the notes sends all of it again
		t.Fatal(err)
	}
	if r := save(t, dir+"/1", "run-a", 4, 8).Drain(t.Context(), sqliteURL(file)); r.Sent != 2 || r.Error != "" {
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
	r := o.Drain(t.Context(), sqliteURL(filepath.Join(blocker, "x.db")))
	if r.Error == "" || r.Pending != 2 || r.Sent != 0 {
		t.Fatalf("report %+v", r)
	}
	if r := o.Drain(t.Context(), sqliteURL(filepath.Join(dir, "x.db"))); r.Error != "" || r.Sent != 2 {
		t.Errorf("report of the next drain: %+v", r)
	}
}

// Jobs that end at the same moment write to the same file.
func TestManyWriters(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "x.db")
	var wg sync.WaitGroup
	for i := range 6 {
		o := save(t, filepath.Join(dir, string(rune('a'+i))), "run-"+string(rune('a'+i)), 1, 2, 3)
		wg.Go(func() {
			if r := o.Drain(t.Context(), sqliteURL(file)); r.Error != "" || r.Sent != 3 {
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
