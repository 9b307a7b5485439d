package sqlstore_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/sinktest"
)

// refuse makes a database refuse rows of a table that fit a condition.
func refuse(table, condition, why string) string {
	return fmt.Sprintf("create trigger no before insert on %s when %s begin select raise(abort, '%s'); end",
		table, condition, why)
}

// All records of a call are kept, or none: what one of them comes to is said of each, and no row of the others stays.
// One that is refused for what is in it is refused for ever only when it comes alone.
func TestAllOrNone(t *testing.T) {
	t.Parallel()
	name := file(t)
	s, db := store(t, name, new(counted).dialect()), database(t, name)
	one, two := sinktest.Records("a1", 0, 4), sinktest.Records("a1", 0, 4, 8)
	for _, tt := range []struct {
		table, why      string
		alone, together upload.Fate
	}{
		{"disagg_runs", "fate never", upload.Never, upload.Apart},
		{"disagg_cases", "fate never", upload.Never, upload.Apart},
		{"disagg_results", "fate never", upload.Never, upload.Apart},
		{"disagg_metrics", "fate never", upload.Never, upload.Apart},
		{"disagg_metrics", "fate later", upload.Later, upload.Later},
		{"disagg_metrics", "fate denied", upload.Denied, upload.Denied},
	} {
		exec(t, db, refuse(tt.table, "true", tt.why))
		all(t, s.Send(t.Context(), one), len(one), tt.alone)
		all(t, s.Send(t.Context(), two), len(two), tt.together)
		is(t, db, "select 1 from disagg_runs union all select 1 from disagg_results")
		exec(t, db, "drop trigger no")
	}
	kept(t, s, two)
}

// all checks that so many records have come to the same, with a reason.
func all(t *testing.T, got []upload.Outcome, n int, want upload.Fate) {
	t.Helper()
	if len(got) != n {
		t.Fatalf("%d outcomes of %d records", len(got), n)
	}
	for _, o := range got {
		if o.Fate != want || o.Err == nil || !strings.HasPrefix(o.Err.Error(), "cannot send records: ") {
			t.Errorf("%v: %v, want %v", o.Fate, o.Err, want)
		}
	}
}

// Of a call that is sent as several statements all is undone, too.
func TestAllOrNoneOfMany(t *testing.T) {
	t.Parallel()
	name := file(t)
	s, db := store(t, name, new(counted).dialect()), database(t, name)
	exec(t, db, refuse("disagg_results", "new.concurrency = 103", "fate never"))
	list := sinktest.Records("a1", 0, counting(103)...)
	all(t, s.Send(t.Context(), list), len(list), upload.Apart)
	is(t, db, "select count(*) from disagg_results", "0")
}

// counting is 1, 2, 3 and so on.
func counting(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i + 1
	}
	return list
}

// No statement has more arguments than PostgreSQL, the most narrow of the servers, takes, however much is sent; all is
// kept nevertheless.
func TestStatementsAreBounded(t *testing.T) {
	t.Parallel()
	var c counted
	name := file(t)
	s := store(t, name, c.dialect())
	list := sinktest.Records("a1", 0, counting(501)...)
	some := list[:101]
	for i := range some { // each of a run of its own
		some[i].RunID = fmt.Sprint("run", i)
	}
	kept(t, s, some)
	if got, err := s.Stored(t.Context(), list); err != nil || len(got) != len(some) {
		t.Errorf("%d records, %v", len(got), err)
	}
	if most := c.mostArgs.Load(); most != 1700 {
		t.Errorf("%d arguments, want those of 100 rows of 17", most)
	}
	is(t, database(t, name), "select count(*) from disagg_runs union all select count(*) from disagg_metrics", "101",
		"303")
}

// Nothing to send is no error, whatever the server is like.
func TestNothingToSend(t *testing.T) {
	t.Parallel()
	s := store(t, file(t), new(counted).dialect())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := s.Send(t.Context(), nil); got != nil {
		t.Errorf("%v", got)
	}
	all(t, s.Send(t.Context(), sinktest.Records("a1", 0, 4)), 1, upload.Later)
}

// Rows come in the order of ids, so that of two processes that send the same one waits for the other.
func TestRowsAreInTheOrderOfIDs(t *testing.T) {
	t.Parallel()
	name := file(t)
	s := store(t, name, new(counted).dialect())
	list := sinktest.Records("a1", 0, counting(101)...)
	kept(t, s, list)
	is(t, database(t, name), "select id from disagg_results order by rowid", slices.Sorted(slices.Values(
		upload.IDs(list)))...)
}

// Of records of one id the first stays, with all that belongs to it and nothing of another, in one call or a later one.
func TestFirstStays(t *testing.T) {
	t.Parallel()
	name := file(t)
	s := store(t, name, new(counted).dialect())
	first, second := sinktest.Records("a1", 0, 4), sinktest.Records("a1", 0, 4)
	second[0].Point.Metrics = map[string]float64{"only_in_the_second": 1}
	kept(t, s, slices.Concat(first, second))
	kept(t, s, second)
	is(t, database(t, name), "select name from disagg_metrics order by name", "mean_tpot", "mean_ttft",
		"token_throughput")
	if got, err := s.Stored(t.Context(), first); err != nil || got[first[0].ID] != first[0].Digest() {
		t.Errorf("%v, %v", got, err)
	}
}

// A run and a case have one row each, whatever is measured of them; another variant of a case is another case.
func TestRunsAndCasesAreShared(t *testing.T) {
	t.Parallel()
	name := file(t)
	s := store(t, name, new(counted).dialect())
	list := sinktest.Records("a1", 0, 4, 8, 16)
	list[2].Settings = []roles.Setting{{Key: "k", Value: "v"}}
	kept(t, s, list)
	kept(t, s, sinktest.Records("a2", 1, 4)) // the same test in another run
	db := database(t, name)
	is(t, db, "select run_id from disagg_runs order by run_id", "a1", "a2")
	is(t, db, "select count(*) from disagg_results group by case_id order by 1", "1", "3")
}

// The columns are what people look for; a character that not every server keeps is in the body only.
func TestColumns(t *testing.T) {
	t.Parallel()
	name := file(t)
	s := store(t, name, new(counted).dialect())
	at := time.Date(2026, 3, 1, 23, 30, 0, 123_456_789, time.FixedZone("", 3600))
	from := results.Origin{
		Case: roles.Case{
			Name: "c", TestID: "t", Mode: "e2e", Model: "m",
			Load:    roles.Load{PointLoad: roles.PointLoad{InputLength: 1024, OutputLength: 128}},
			Servers: map[roles.Kind]roles.Server{roles.Gen: {Count: 1, GPUs: 4}, roles.Ctx: {Count: 2, GPUs: 2}},
		},
		RunID: "run", JobID: "17", Recipe: "r", Cluster: "k",
		Provenance: protocol.Provenance{
			User: "u", Hosts: []string{"h1", "h2"}, GPU: "H200", GPUName: "NVIDIA H200", Driver: "580", Engine: "1.2",
			Commit: "abc", Branch: "main", Image: "i.sqsh", RunDir: "/r", Tool: "v1", Tags: []string{"a", "b"},
			Note: "n\x00ote",
		},
	}
	pt := protocol.Point{
		Index: 2, Concurrency: 4, Successful: 15, Failed: 1, Invalid: "1 of\x00 16",
		Metrics: map[string]float64{"x": 1},
	}
	record := results.NewRecord(from, pt, at)
	kept(t, s, []results.Record{record})
	db := database(t, name)
	row := func(columns, table string) string {
		return "select " + strings.ReplaceAll(columns, " ", "||'|'||") + " from " + table
	}
	is(t, db, row("run_id job_id cluster user_name hosts gpu gpu_name driver engine", "disagg_runs"),
		"run|17|k|u|h1,h2|H200|NVIDIA H200|580|1.2")
	is(t, db, row("commit_hash branch image run_dir tool tags note", "disagg_runs"), "abc|main|i.sqsh|/r|v1|a,b|note")
	is(t, db, row("test_id case_name mode model recipe ctx_servers gen_servers gpus", "disagg_cases"),
		"t|c|e2e|m|r|2|1|8")
	is(t, db, row("id digest run_id series measured_ns point concurrency gpus", "disagg_results"), strings.Join(
		[]string{record.ID, record.Digest(), "run", record.Series(), fmt.Sprint(at.UnixNano()), "2", "4", "8"}, "|"))
	is(t, db, row("input_length output_length successful failed invalid", "disagg_results"), "1024|128|15|1|1 of 16")
	is(t, db, row("result_id name value", "disagg_metrics"), record.ID+"|x|1.0")
	is(t, db, "select substr(measured_at, 1, 26) from disagg_results", "2026-03-01 22:30:00.123456")
	is(t, db, "select count(*) from disagg_results where length(case_id) = 32 and length(series_id) = 32", "1")
	got, err := s.History(t.Context(), upload.Query{})
	if err != nil || len(got) != 1 || got[0].Provenance.Note != "n\x00ote" || got[0].Point.Invalid != "1 of\x00 16" {
		t.Errorf("%+v, %v", got, err)
	}
}

// What does not count is in no view that people look at.
func TestViewsHaveWhatCounts(t *testing.T) {
	t.Parallel()
	name := file(t)
	s := store(t, name, new(counted).dialect())
	list := sinktest.Records("a1", 0, 4, 8)
	list[1].Point.Invalid = "9 of 16 requests failed"
	kept(t, s, list)
	db := database(t, name)
	is(t, db, "select concurrency from disagg_valid_results", "4")
	is(t, db, "select distinct concurrency || case_name from disagg_valid_metrics", "4"+list[0].Case)
}

// What cannot be read is an error that says what was read; a refusal is told from what may be well later.
func TestReadFaults(t *testing.T) {
	t.Parallel()
	name := file(t)
	d := new(counted).dialect()
	s, db, list := store(t, name, d), database(t, name), sinktest.Records("a1", 0, 4)
	kept(t, s, list)
	exec(t, db, "update disagg_results set body = '{}'")
	want := "cannot read the history: cannot read record " + list[0].ID + ": "
	if _, err := s.History(t.Context(), upload.Query{}); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	for fate, denied := range map[upload.Fate]bool{upload.Denied: true, upload.Later: false} {
		d.Fate = func(error) upload.Fate { return fate }
		s := store(t, name, d)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		_, err := s.Stored(t.Context(), list)
		if err == nil || !strings.Contains(err.Error(), "cannot read records: ") ||
			strings.Contains(err.Error(), "the sink refuses access") != denied {
			t.Errorf("%v: %v", fate, err)
		}
		if _, err := s.History(t.Context(), upload.Query{}); err == nil || errors.Unwrap(err) == nil {
			t.Errorf("%v", err)
		}
	}
}
