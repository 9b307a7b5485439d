package gather

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	gen   = roles.Role{Kind: roles.Gen}
	begin = time.Date(2026, 11, 26, 11, 17, 18, 0, time.UTC)
)

// planOf has so many decode ranks, and two points.
func planOf(dir string, ranks int) plan.Plan {
	return plan.Plan{
		Schema: 1, ID: "a1b2", RunDir: dir,
		Case: roles.Case{
			Name: "c", TestID: "t", Load: roles.Load{Concurrency: []int{4, 8}, PointLoad: roles.PointLoad{Rounds: 2}},
			Servers: map[roles.Kind]roles.Server{roles.Gen: {Count: 1, GPUs: 4}},
		},
		Layout: roles.Layout{GPUsPerNode: 4, TotalNodes: 1, Placements: []roles.Placement{
			{Role: gen, Nodes: 1, Ranks: ranks, RanksPerNode: ranks},
			{Role: roles.Hub().Role, Nodes: 1, Ranks: 1, RanksPerNode: 1},
		}},
	}
}

// run makes a run directory with an attempt that has a journal, a record and logs.
func run(t testing.TB, ranks int) (plan.Plan, rundir.Attempt) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	p := planOf(dir, ranks)
	if err := rundir.Create(p, rundir.Start{}); err != nil {
		t.Fatal(err)
	}
	a := rundir.Dir(dir).Attempt(0)
	if _, err := rundir.OpenAttempt(a, "t"); err != nil {
		t.Fatal(err)
	}
	pt := protocol.Point{Concurrency: 4, Successful: 8, Metrics: map[string]float64{
		"token_throughput": 100, "mean_tpot": 2,
	}}
	rec := results.NewRecord(results.Origin{Case: p.Case, RunID: "a1b2-0"}, pt, begin)
	if err := a.RecordStore().Save(rec); err != nil {
		t.Fatal(err)
	}
	var journal bytes.Buffer
	for rank := range ranks {
		entry(t, &journal, protocol.Entry{Schema: 1, At: begin, Kind: protocol.EntryAttached, Role: &gen, Rank: rank})
		log := fmt.Sprintf("line 1\nline 2\n\x1b[31mValueError: no room\x1b[0m\nrank %d\n", rank)
		write(t, a.RankLog(roles.Task{Role: gen, Rank: rank}), log)
	}
	entry(t, &journal, protocol.Entry{Schema: 1, At: begin.Add(9 * time.Second), Kind: protocol.EntryPoint, Point: &pt})
	write(t, a.Events(), journal.String())
	write(t, a.RoleLog(gen), "")
	return p, a
}

func entry(t testing.TB, to *bytes.Buffer, e protocol.Entry) {
	t.Helper()
	data, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	to.Write(append(data, '\n'))
}

func write(t testing.TB, file, text string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	if err == nil {
		err = os.WriteFile(file, []byte(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// failed is the verdict of a run whose second rank has failed.
func failed(ranks int) protocol.Result {
	c := protocol.Cause{
		Role: gen, Rank: 1, Kind: protocol.ChildExit, Detail: "exited with code 1: ValueError: no room", At: begin,
		Excerpt: []string{"line 2", "ValueError: no room", "rank 1"},
	}
	r := protocol.Result{
		Schema: 1, RunID: "a1b2-0", TestID: "t", Verdict: protocol.Failed, ExitCode: 1, FirstCause: &c,
		StartedAt: begin, EndedAt: begin.Add(10 * time.Second),
		Points: []protocol.Point{{Concurrency: 4, Metrics: map[string]float64{}}},
	}
	for rank := range ranks {
		r.Roles = append(r.Roles, protocol.RankOutcome{Role: gen, Rank: rank, Outcome: &protocol.Outcome{
			Started: true, StopReason: c.String(),
		}})
	}
	return r
}

// A report has what the journal, the records and the logs say; of the excerpt it knows the lines in the log. It is
// found from the run directory and from the attempt's folder, also after that was moved.
func TestReport(t *testing.T) {
	p, a := run(t, 2)
	if err := Keep(p, a, failed(2)); err != nil {
		t.Fatal(err)
	}
	moved := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.Rename(p.RunDir, moved); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{moved, filepath.Join(moved, "attempt-0"), moved + "/attempt-0/"} {
		in, at, err := Run(dir)
		if err != nil || at != rundir.Dir(moved).Attempt(0) {
			t.Fatalf("%s: %s, %v", dir, at, err)
		}
		m := report.Build(in)
		want := []report.ExcerptLine{
			{Number: 2, Text: "line 2"}, {Number: 3, Text: "ValueError: no room", Marked: true},
			{Number: 4, Text: "rank 1"},
		}
		if diff := cmp.Diff(want, m.Failure.Excerpt); diff != "" {
			t.Error(diff)
		}
		if m.Failure.Log != "logs/ranks/GEN_0.1.log" || len(m.Ranks) != 2 ||
			m.Ranks[0].Log != "logs/ranks/GEN_0.0.log" {
			t.Errorf("%+v %+v", m.Failure, m.Ranks)
		}
		if diff := cmp.Diff([]report.Log{{Name: "gen_server_0", Path: "logs/gen_server_0.log"}}, m.Logs); diff != "" {
			t.Error(diff)
		}
		if len(m.Timeline.Points) != 1 || m.Setup.UsedGPUs != 4 {
			t.Errorf("%+v %+v", m.Timeline, m.Setup)
		}
		for _, link := range []string{m.Failure.Log, m.Logs[0].Path} {
			if _, err := os.Stat(filepath.Join(filepath.Dir(at.Report()), "..", link)); err != nil {
				t.Errorf("the page's link leads nowhere: %v", err)
			}
		}
	}
}

// A run without a verdict is reported on as far as it went.
func TestUnfinishedRun(t *testing.T) {
	p, _ := run(t, 1)
	in, _, err := Run(p.RunDir)
	if err != nil {
		t.Fatal(err)
	}
	m := report.Build(in)
	if m.Run.Ending() != "no verdict yet" || m.Best == nil || m.Best.TokPerGPU != 25 ||
		m.Points[1].State != report.NotRun {
		t.Errorf("%+v %+v", m.Run, m.Points)
	}
}

// The files of a report are where people and CI servers look for them. Writing them again replaces them.
func TestWrite(t *testing.T) {
	p, a := run(t, 2)
	for range 2 {
		made, err := Make(p, a, failed(2))
		if err != nil {
			t.Fatal(err)
		}
		if err := made.Write(a); err != nil {
			t.Fatal(err)
		}
	}
	folder := filepath.Dir(a.Report())
	for file, want := range map[string]string{
		a.Report(): "failed", filepath.Join(folder, "report.css"): "--ink",
		filepath.Join(folder, "data.json"): `"schema": 1`, a.Dir().JUnit(): `<failure type="child_exit"`,
	} {
		if data, err := os.ReadFile(file); err != nil || !strings.Contains(string(data), want) {
			t.Errorf("%s does not have %s: %v", file, want, err)
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 3 {
		t.Errorf("%v, %v", entries, err)
	}
}

// A folder that takes no report is one fault, however many files there are; what can be written elsewhere is.
func TestWriteFails(t *testing.T) {
	p, a := run(t, 2)
	write(t, filepath.Dir(a.Report()), "a file where the report's folder is to be")
	made, err := Make(p, a, failed(2))
	if err != nil {
		t.Fatal(err)
	}
	if err := made.Write(a); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	if data, err := os.ReadFile(a.Dir().JUnit()); err != nil || !strings.Contains(string(data), "<failure") {
		t.Errorf("%s, %v", data, err)
	}
}

// A verdict is kept even if its report cannot be written, and says what is missing; one that is there stays.
func TestKeepKeepsTheVerdict(t *testing.T) {
	p, a := run(t, 2)
	write(t, filepath.Dir(a.Report()), "a file where the report's folder is to be")
	if err := Keep(p, a, failed(2)); err != nil {
		t.Fatal(err)
	}
	r, err := rundir.ReadResult(a)
	if err != nil || r.Verdict != protocol.Failed || !strings.Contains(r.Lost, "cannot write report") {
		t.Errorf("%+v, %v", r, err)
	}
	if err := Keep(p, a, protocol.Result{Schema: 1, Verdict: protocol.Passed}); err != nil {
		t.Fatal(err)
	}
	if r, err := rundir.ReadResult(a); err != nil || r.Verdict != protocol.Failed {
		t.Errorf("%s, %v", r.Verdict, err)
	}
}

// What is not a run directory is said to be none.
func TestNoRun(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := Run(dir); err == nil || !strings.Contains(err.Error(), "cannot report on "+dir) {
		t.Error(err)
	}
	if _, err := Records(dir); err == nil || !strings.Contains(err.Error(), "cannot compare with "+dir) {
		t.Error(err)
	}
	p, a := run(t, 1)
	write(t, a.Result(), "no JSON")
	if _, _, err := Run(p.RunDir); err == nil || !strings.Contains(err.Error(), "cannot read result") {
		t.Error(err)
	}
	if list, err := Records(p.RunDir); err != nil || len(list) != 1 {
		t.Errorf("%d records, %v", len(list), err)
	}
}

// The lines of an excerpt are found by what people see of them; those that were cut, by their beginning. A remark that
// stands before the excerpt is none of the log's lines.
func TestFind(t *testing.T) {
	long := strings.Repeat("x", 5000)
	log := "a\nb\n\x1b[33mtold\x1b[0m\nb\ntold\nc\n" + long + "\n\nend"
	tests := map[string]struct {
		excerpt []string
		want    []int
	}{
		"in the middle":       {[]string{"b", "told", "b"}, []int{2, 3, 4}},
		"the first of two":    {[]string{"b", "told"}, []int{2, 3}},
		"a line that was cut": {[]string{"c", long[:1000] + " …"}, []int{6, 7}},
		"an empty line":       {[]string{"", "end"}, []int{8, 9}},
		"a remark before it":  {[]string{"[9 bytes were not searched]", "a", "b"}, []int{0, 1, 2}},
		"no remark":           {[]string{"z", "a", "b"}, nil},
		"not there":           {[]string{"b", "c"}, nil},
		"nothing":             {nil, nil},
	}
	for name, tt := range tests {
		if diff := cmp.Diff(tt.want, find(strings.NewReader(log), tt.excerpt)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// No more of a log is read than is asked for, and no device.
func TestLocateIsBounded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	write(t, file, strings.Repeat("line\n", 1000)+"told\n")
	if got := locate(file, []string{"told"}, 1<<20); len(got) != 1 || got[0] != 1001 {
		t.Errorf("found %v", got)
	}
	if got := locate(file, []string{"told"}, 1000); got != nil {
		t.Errorf("found %v", got)
	}
	for _, name := range []string{"/dev/zero", filepath.Join(t.TempDir(), "none")} {
		if got := locate(name, []string{"told"}, 1<<20); got != nil {
			t.Errorf("%s: found %v", name, got)
		}
	}
}

// FuzzFind makes sure that lines which are found have the text that was looked for.
func FuzzFind(f *testing.F) {
	f.Add("a\nb\nc", "a\nb")
	f.Add("a\r\n\x1b[1mb\n", "[remark\na\nb")
	f.Fuzz(func(t *testing.T, log, excerpt string) {
		wanted := strings.Split(excerpt, "\n")
		lines := strings.Split(log, "\n")
		for i, n := range find(strings.NewReader(log), wanted) {
			if n < 0 || n > len(lines) {
				t.Errorf("line %d of %d for %q", n, len(lines), wanted[i])
			}
		}
	})
}

// BenchmarkMake is what a job's end costs with a thousand ranks, whose failed one has four megabytes of log.
func BenchmarkMake(b *testing.B) {
	p, a := run(b, 1000)
	write(b, a.RankLog(roles.Task{Role: gen, Rank: 1}), strings.Repeat(strings.Repeat("x", 99)+"\n", briefly/100))
	r := failed(1000)
	for b.Loop() {
		if _, err := Make(p, a, r); err != nil {
			b.Fatal(err)
		}
	}
}
