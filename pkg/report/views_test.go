package report

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report/chart"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

// A suite counts what it has; a test that passed says nothing more, and texts have no markup.
func TestSuite(t *testing.T) {
	s := Suite{Name: "s", Cases: []Case{
		{Class: "c", Name: "a", Took: 1500 * time.Millisecond},
		{Class: "c", Name: "b", State: CaseFailed, Type: "kind", Message: "m", Text: "<&>", Took: time.Millisecond},
		{Class: "c", Name: "d", State: CaseError, Message: "m2", Properties: []Property{{"p", `"v"`}}},
		{Class: "c", Name: "e", State: CaseSkipped, Message: "m3"}, {Class: "c", Name: "f", State: CaseSkipped},
	}}
	data, err := s.XML()
	if err != nil {
		t.Fatal(err)
	}
	want := `<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="s" tests="5" failures="1" errors="1" skipped="2" time="1.501">
  <testcase classname="c" name="a" time="1.500"></testcase>
  <testcase classname="c" name="b" time="0.001">
    <failure type="kind" message="m">&lt;&amp;&gt;</failure>
  </testcase>
  <testcase classname="c" name="d" time="0.000">
    <properties>
      <property name="p" value="&#34;v&#34;"></property>
    </properties>
    <error message="m2"></error>
  </testcase>
  <testcase classname="c" name="e" time="0.000">
    <skipped message="m3"></skipped>
  </testcase>
  <testcase classname="c" name="f" time="0.000">
    <skipped message=""></skipped>
  </testcase>
</testsuite>
`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Error(diff)
	}
}

// Facts about a run are properties of its test; those that are not known are absent.
func TestProperties(t *testing.T) {
	m := Model{
		Run: RunInfo{RunID: "r", JobID: "17"}, Best: &Best{Concurrency: 4, TokPerGPU: 1.25, TokPerUser: 2},
		Setup: Setup{UsedGPUs: 8, AskedGPUs: 12}, Upload: &protocol.UploadReport{Pending: 3},
		Regression: &Judgement{Status: "passed"},
	}
	want := []Property{
		{"run_id", "r"}, {"job_id", "17"}, {"best_concurrency", "4"}, {"best_tok_per_gpu", "1.25"},
		{"best_tok_per_user", "2"}, {"used_gpus", "8"}, {"asked_gpus", "12"}, {"records_pending", "3"},
		{"regression", "passed"},
	}
	if diff := cmp.Diff(want, m.Properties()); diff != "" {
		t.Error(diff)
	}
	unknown := []Property{{"used_gpus", "0"}, {"asked_gpus", "0"}}
	if diff := cmp.Diff(unknown, Model{}.Properties()); diff != "" {
		t.Error(diff)
	}
	// What the submitting side sends is on its way when the report is made.
	local := protocol.UploadReport{Pending: 3, Local: true}
	if diff := cmp.Diff(unknown, Model{Upload: &local}.Properties()); diff != "" {
		t.Error(diff)
	}
	both := protocol.SumUploads(local, protocol.UploadReport{Pending: 2})
	want = append(slices.Clone(unknown), Property{"records_pending", "2"})
	if diff := cmp.Diff(want, Model{Upload: &both}.Properties()); diff != "" {
		t.Error(diff)
	}
	m = Model{Run: RunInfo{Verdict: protocol.Failed}}
	if c := runCase(m); c.State != CaseError || c.Type != "failed" ||
		c.Message != "it did not pass, and there is no cause" {
		t.Errorf("%+v", c)
	}
}

// All findings of a point are in its test, those that failed first.
func TestFindingsOfAPoint(t *testing.T) {
	m := Model{Regression: &Judgement{Findings: []Finding{
		{Concurrency: 4, Gates: true, Status: statusPassed, Text: "fine"},
		{Concurrency: 4, Gates: true, Status: statusUnknown, Text: "unknown"},
		{Concurrency: 4, Gates: true, Status: statusFailed, Text: "worse"},
		{Concurrency: 8, Gates: true, Status: statusFailed, Text: "other"},
		{Concurrency: 4, Status: statusFailed, Text: "no"},
	}}}
	c, ok := regressionCase(m, PointInfo{Concurrency: 4})
	if !ok || c.State != CaseFailed || c.Message != "worse" || c.Text != "worse\nunknown\nfine" {
		t.Errorf("%+v", c)
	}
	if _, ok := regressionCase(m, PointInfo{Concurrency: 16}); ok {
		t.Error("a test of nothing")
	}
}

// An error of GitHub's has no line break, and no sign that ends its title.
func TestGitHubEscapes(t *testing.T) {
	got := githubError(Failure{Who: "a:b,c", What: "100%\r\n"}, "x: y, 5%\r\nz")
	if want := "::error title=a%3Ab%2Cc 100%25%0D%0A::x: y, 5%25%0D%0Az"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// What the result does not say of a run the plan does; records know better how many GPUs there were, and of whom.
func TestSetup(t *testing.T) {
	in := Input{Plan: planOf(4)}
	m := Build(in)
	if m.Run.Case != "tiny_1k1k" || m.Run.TestID != "disagg-e2e-tiny_1k1k_con4" || m.Setup.Origin.Tool != "1.2.3" ||
		m.Setup.Origin.RunDir != "/runs/tiny" || m.Setup.UsedGPUs != 8 || m.Setup.AskedGPUs != 12 {
		t.Errorf("%+v, %+v", m.Run, m.Setup)
	}
	in.Result.Case, in.Result.TestID = "c", "t"
	r := results.Record{GPUs: 6, Provenance: protocol.Provenance{AskedGPUs: 16, Tool: "2", RunDir: "/r", User: "u"}}
	in.Records = []results.Record{r, {}}
	m = Build(in)
	if m.Run.Case != "c" || m.Run.TestID != "t" || m.Setup.Origin.Tool != "2" || m.Setup.Origin.RunDir != "/r" ||
		m.Setup.Origin.User != "u" || m.Setup.UsedGPUs != 6 || m.Setup.AskedGPUs != 16 {
		t.Errorf("%+v, %+v", m.Run, m.Setup)
	}
	in.Records = in.Records[1:]
	if m = Build(in); m.Setup.UsedGPUs != 8 || m.Setup.AskedGPUs != 12 {
		t.Errorf("%+v", m.Setup)
	}
}

// Ranks are in their order, but those that failed by themselves come first; of one without an end nothing is said.
func TestRanks(t *testing.T) {
	o := protocol.Outcome{Code: 7, Signal: "SIGKILL", StopReason: "s", PeakRSS: 8, CPU: 1500 * time.Millisecond,
		Survivors: []protocol.Survivor{{}, {}}}
	in := Input{RankLogs: map[roles.Task]string{{Role: gen, Rank: 1}: "log"}}
	in.Result.Roles = []protocol.RankOutcome{
		{Role: gen, Host: "h"}, {Role: gen, Rank: 1, Outcome: &o}, {Role: ctx, Cause: protocol.OOM},
		{Role: server, Cause: protocol.Stalled},
	}
	want := []RankInfo{
		{Rank: "CTX_0.0", Cause: protocol.OOM}, {Rank: "DISAGG_SERVER.0", Cause: protocol.Stalled},
		{Rank: "GEN_0.0", Host: "h"},
		{
			Rank: "GEN_0.1", Ended: true, Code: 7, Signal: "SIGKILL", StopReason: "s", PeakRSS: 8, CPUSeconds: 1.5,
			Survivors: 2, Log: "log",
		},
	}
	if diff := cmp.Diff(want, newRanks(in)); diff != "" {
		t.Error(diff)
	}
}

// A curve follows the concurrency, whatever order points were measured in; points that do not count, and those without
// a place, are not on it. Drawing leaves the points as they are.
func TestCurvePoints(t *testing.T) {
	v := func(x, y float64) map[string]float64 { return map[string]float64{tokPerUser: x, tokPerGPU: y} }
	points := []PointInfo{
		{Concurrency: 64, State: Counts, Values: v(1, 2)}, {Concurrency: 4, State: Counts, Values: v(3, 4)},
		{Concurrency: 8, State: Invalid, Values: v(5, 6)}, {Concurrency: 16, State: NotRun},
		{Concurrency: 32, State: Counts, Values: map[string]float64{tokPerGPU: 7}},
	}
	var got []string
	for _, p := range curvePoints(points) {
		got = append(got, p.Label+" "+p.Title)
	}
	want := []string{
		"c4 concurrency 4: 4.00 output tok/s/GPU, 3.00 output tok/s/user",
		"c64 concurrency 64: 2.00 output tok/s/GPU, 1.00 output tok/s/user",
	}
	if !slices.Equal(got, want) || points[0].Concurrency != 64 {
		t.Errorf("%q, want %q", got, want)
	}
}

// Servers up to a number have a row each; more are one that is ready when the last of them is, and ends with the last.
func TestRowsOfManyServers(t *testing.T) {
	row := func(n int, change func([]RoleSpan)) []chart.Row {
		tl := Timeline{Begin: begin, End: at(100)}
		for i := range n {
			tl.Roles = append(tl.Roles, RoleSpan{
				Role: roles.Role{Kind: roles.Gen, Index: i}, Arrived: at(1 + float64(i)), Started: at(30 - float64(i)),
				Ready: at(40 + float64(i)), Ended: at(90 - float64(i)),
			})
		}
		if change != nil {
			change(tl.Roles)
		}
		return tl.rows()
	}
	if rows := row(mostRows, nil); len(rows) != mostRows || rows[3].Label != "GEN_3" {
		t.Errorf("%d rows", len(rows))
	}
	rows := row(mostRows+1, nil)
	if len(rows) != 1 || rows[0].Label != "GEN × 17" {
		t.Fatalf("%+v", rows)
	}
	var got [][2]float64
	for _, b := range rows[0].Bars {
		got = append(got, [2]float64{b.From, b.To})
	}
	if diff := cmp.Diff([][2]float64{{1, 14}, {14, 56}, {56, 90}}, got); diff != "" {
		t.Error(diff)
	}
	rows = row(mostRows+1, func(list []RoleSpan) { list[9].Ready = time.Time{} })
	if bars := rows[0].Bars; len(bars) != 2 || bars[1].Class != "load" || bars[1].To != 90 {
		t.Errorf("one is not ready: %+v", rows)
	}
}

// A number that is none is no value of a point: neither of those that were measured nor of those that follow.
func TestNoNumbers(t *testing.T) {
	pt := protocol.Point{Metrics: map[string]float64{
		throughput: math.Inf(1), "mean_tpot": math.NaN(), "mean_ttft": 2, "own": 7,
	}}
	if diff := cmp.Diff(map[string]float64{"mean_ttft": 2, "own": 7}, values(pt, 4)); diff != "" {
		t.Error(diff)
	}
}

// What cannot be encoded is an error of the report, and so is a page that cannot be made.
func TestReportFaults(t *testing.T) {
	m := Model{Points: []PointInfo{{Values: map[string]float64{"x": math.NaN()}}}}
	if _, err := Files(m); err == nil || !strings.HasPrefix(err.Error(), "cannot encode report: ") {
		t.Errorf("%v", err)
	}
	for name, data := range map[string]any{"no fields": 7, "a fault of ours": fault{}} {
		html, err := execute(pageFile, data)
		if err == nil || !strings.HasPrefix(err.Error(), "cannot make report: ") || html != nil {
			t.Errorf("%s: %q, %v", name, html, err)
		}
	}
}

// fault is what a page cannot be made of.
type fault struct{}

// Verdict is asked for by the page.
func (fault) Verdict() string { panic("a fault") }

// What a log's place is, and what the client says, is named from where people are.
func TestPlaces(t *testing.T) {
	f := Failure{Log: "logs/a.log", Line: 7, Client: &ClientLine{Text: "said", Log: "logs/c.log", Line: 9}}
	if got := f.placeIn("/run/attempt-0") + ", " + f.clientIn("/run/attempt-0"); got !=
		"/run/attempt-0/logs/a.log:7, said (/run/attempt-0/logs/c.log:9)" {
		t.Error(got)
	}
	text := string(Markdown(Model{Failure: &f}))
	f.Hint, f.Line = "do that", 0
	if f.placeIn("") != "logs/a.log" || !strings.Contains(text, "**client** `said (logs/c.log:9)`") ||
		strings.Contains(text, "**try**") {
		t.Errorf("%s\n%s", f.placeIn(""), text)
	}
	if text := string(Markdown(Model{Failure: &f})); !strings.Contains(text, "\n**try** `do that`\n") {
		t.Error(text)
	}
}
