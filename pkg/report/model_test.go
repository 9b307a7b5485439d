package report

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A point that does not count is kept with its numbers and its reason, and is part of nothing: not the best point, not
// the curve, not what changed.
func TestPointsThatDoNotCount(t *testing.T) {
	in := invalid()
	in.Earlier = besideEarlier().Earlier
	m := Build(in)
	bad := m.Points[2]
	if bad.State != Invalid || bad.Reason != "11 of 512 requests failed" || bad.Values[tokPerGPU] == 0 ||
		bad.Change != nil {
		t.Errorf("%+v", bad)
	}
	if m.Best == nil || m.Best.Concurrency != 16 || bad.Values[tokPerGPU] < m.Best.TokPerGPU {
		t.Errorf("best is %+v", m.Best)
	}
	if list := curvePoints(m.Points); len(list) != 2 || list[1].Label != "c16" {
		t.Errorf("the curve is %+v", list)
	}
}

// What was not measured is said to be so, in the order of the case; a point that no case asks for is shown all the
// same.
func TestPointsThatWereNotRun(t *testing.T) {
	in := Input{Plan: planOf(4, 16), Result: protocol.Result{Points: []protocol.Point{
		pointOf(1, 16, 128, 1), {Index: 7, Concurrency: 3, Metrics: map[string]float64{"odd": 1, "none": math.NaN()}},
	}}}
	var got []PointState
	m := Build(in)
	for _, p := range m.Points {
		got = append(got, p.State)
	}
	if diff := cmp.Diff([]PointState{NotRun, Counts, Counts}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]float64{"odd": 1}, m.Points[2].Values); diff != "" {
		t.Error(diff)
	}
}

// Throughput a GPU is over the GPUs that servers use, not over those of the allocation, and of output tokens.
func TestWhichTokensAndGPUs(t *testing.T) {
	m := Build(passed(4))
	v := m.Points[0].Values
	if m.Setup.UsedGPUs != 8 || m.Setup.AskedGPUs != 12 || v[tokPerGPU] != v[throughput]/8 {
		t.Errorf("%+v: %v", m.Setup, v)
	}
	if v[tokPerUser] != 1000/v["mean_tpot"] {
		t.Errorf("%v a user at a mean TPOT of %v ms", v[tokPerUser], v["mean_tpot"])
	}
}

// Earlier runs are compared with if they are of the same test, cluster and GPU; the run itself, and points that do not
// count, take no part.
func TestEarlierRuns(t *testing.T) {
	in := passed(4, 16)
	add := func(id string, days int, change func(*protocol.Point)) {
		pt := pointOf(0, 4, 32, 2)
		change(&pt)
		in.Earlier = append(in.Earlier, in.record(id, pt, begin.AddDate(0, 0, -days)))
	}
	same := func(*protocol.Point) {}
	add("newer", 1, same)
	add("older", 2, same)
	add("failed", 3, func(pt *protocol.Point) { pt.Invalid = "x" })
	add(in.Result.RunID, 0, same)
	add("other", 1, same)
	in.Earlier[len(in.Earlier)-1].Provenance.GPU = "H100"
	add("another", 1, same)
	in.Earlier[len(in.Earlier)-1].TestID = "x"
	m := Build(in)
	var ids []string
	for _, run := range m.Earlier {
		ids = append(ids, run.RunID)
	}
	if diff := cmp.Diff([]string{"older", "newer"}, ids); diff != "" {
		t.Error(diff)
	}
	if len(m.Notes) != 1 || !strings.HasPrefix(m.Notes[0], "2 of the runs to compare with") {
		t.Errorf("notes %q", m.Notes)
	}
	if c := m.Points[0].Change[tokPerGPU]; math.Abs(c+0.5) > 1e-9 || m.Points[1].Change != nil {
		t.Errorf("changed by %v, and %v", c, m.Points[1].Change)
	}
	if got := m.Past(tokPerGPU, 4); len(got) != 2 || len(m.Past(tokPerGPU, 5)) != 0 {
		t.Errorf("past %v", got)
	}
}

// The excerpt is at most eight lines around the one that explains, with their numbers.
func TestExcerpt(t *testing.T) {
	lines := []string{"1", "2", "3", "4", "5", "6", "ValueError: no room", "8", "9", "10", "11", "12"}
	numbers := make([]int, len(lines))
	for i := range numbers {
		numbers[i] = 100 + i
	}
	texts := func(list []ExcerptLine) (out []string) {
		for _, l := range list {
			text := l.Text
			if l.Marked {
				text = "> " + text
			}
			out = append(out, text)
		}
		return out
	}
	tests := map[string]struct {
		lines  []string
		detail string
		want   []string
	}{
		"in the middle": {
			lines, "exited with code 1: ValueError: no room",
			[]string{"3", "4", "5", "6", "> ValueError: no room", "8", "9", "10"},
		},
		"at the end": {
			lines[:7], "killed: ValueError: no room", append(slices.Clone(lines[2:6]), "> ValueError: no room"),
		},
		"a detail that was cut": {
			lines[5:8], "exited with code 1: ValueError: no …", []string{"6", "> ValueError: no room", "8"},
		},
		"nothing tells": {lines, "exited with code 1", lines[4:]},
		"no lines":      {nil, "exited with code 1", nil},
	}
	for name, tt := range tests {
		if diff := cmp.Diff(tt.want, texts(excerpt(tt.lines, nil, telling(tt.lines, tt.detail)))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	got := excerpt(lines, numbers, telling(lines, "x: ValueError: no room"))
	if got[0].Number != 102 || got[7].Number != 109 {
		t.Errorf("%+v", got)
	}
}

// A failure says who is to blame, when that was, and how many ranks were stopped because of it.
func TestFailure(t *testing.T) {
	f := Build(failed()).Failure
	if f.Who != "GEN_0.1 on n2" || f.Seconds != 115 || f.Phase != protocol.Measuring ||
		f.Log != "logs/ranks/GEN_0.1.log" {
		t.Errorf("%+v", f)
	}
	if f.Stopped != 5 || len(f.Secondary) != 1 {
		t.Errorf("%d stopped, %d secondary", f.Stopped, len(f.Secondary))
	}
	in := failed()
	in.Result.FirstCause.Subject = "host n2"
	if f := Build(in).Failure; f.Who != "host n2" || f.Log != "" || f.String() != in.Result.FirstCause.String() {
		t.Errorf("%+v", f)
	}
}

// The timeline has each role's life, and each point from the end of the one before; a point that is told twice is one.
func TestTimeline(t *testing.T) {
	in := passed(4, 16)
	again := pointOf(0, 4, 30, 1)
	again.Invalid = "2 of 32 requests failed"
	in.Entries = append(in.Entries, protocol.Entry{At: at(150), Kind: protocol.EntryPoint, Point: &again})
	tl := Build(in).Timeline
	want := []PointSpan{
		{Index: 0, Concurrency: 4, Begin: at(60), End: at(100), Invalid: true},
		{Index: 1, Concurrency: 16, Begin: at(100), End: at(140)},
	}
	if diff := cmp.Diff(want, tl.Points); diff != "" {
		t.Error(diff)
	}
	first := RoleSpan{Role: gen, Arrived: at(1), Started: at(5), Ready: at(45), Ended: at(141.8)}
	if diff := cmp.Diff(first, tl.Roles[0]); diff != "" {
		t.Error(diff)
	}
}

// Many servers of a kind have one row, which is ready when the last of them is.
func TestTimelineOfManyServers(t *testing.T) {
	in := manyServers()
	rows := Build(in).Timeline.rows()
	var labels []string
	for _, r := range rows {
		labels = append(labels, r.Label)
	}
	if diff := cmp.Diff([]string{"GEN_0", "CTX × 30", "DISAGG_SERVER", "BENCHMARK"}, labels); diff != "" {
		t.Error(diff)
	}
	last := 45.0
	for _, e := range in.Entries {
		if e.Kind == protocol.EntryKind(protocol.EventReady) && e.Role.Kind == roles.Ctx {
			last = e.At.Sub(begin).Seconds()
		}
	}
	if bars := rows[1].Bars; len(bars) != 3 || bars[1].To != last || bars[2].Class != "serve" {
		t.Errorf("bars %+v, want loading until %v", rows[1].Bars, last)
	}
}

// The model does not depend on what its input's owner does with it later, and does not change it.
func TestBuildLeavesItsInputAlone(t *testing.T) {
	in := everywhere(nasty)
	before, _ := json.Marshal(in.Result)
	Build(in)
	if after, _ := json.Marshal(in.Result); string(before) != string(after) {
		t.Error("the result was changed")
	}
}

// FuzzRenderers makes sure that whatever a verdict and a journal hold, there are reports of it: HTML that is inert,
// Markdown that fits a comment, JUnit that is XML.
func FuzzRenderers(f *testing.F) {
	f.Add([]byte(`{"verdict": "failed", "started_at": "2026-11-26T11:17:18Z", "ended_at": "2026-11-26T11:18:18Z",
		"first_cause": {"role": "GEN_0", "rank": 1, "detail": "x: no room left", "excerpt": ["a", "no room left"]},
		"points": [{"index": 1, "concurrency": 4, "metrics": {"token_throughput": 1e300, "mean_tpot": 1}}],
		"roles": [{"role": "GEN_0", "rank": 1, "outcome": {"code": 1, "stop_reason": "x"}}]}`),
		[]byte(`[{"at": "2026-11-26T11:17:20Z", "kind": "ready", "role": "GEN_0"},
		{"kind": "point", "at": "2027-01-01T00:00:00Z", "point": {"index": 1}},
		{"kind": "phase", "phase": "measuring"}]`))
	f.Add([]byte("{}"), []byte("[]"))
	f.Fuzz(func(t *testing.T, result, entries []byte) {
		in := passed(4, 16)
		in.Entries = nil
		if json.Unmarshal(result, &in.Result) != nil || json.Unmarshal(entries, &in.Entries) != nil {
			t.Skip()
		}
		m := Build(in)
		made, err := Files(m)
		if err != nil {
			t.Fatal(err)
		}
		inert(t, string(made[pageFile]))
		if n := len([]rune(string(Markdown(m)))); n > markdownMost {
			t.Errorf("Markdown has %d characters", n)
		}
		junit, err := JUnit(m)
		if err != nil {
			t.Fatal(err)
		}
		suite(t, junit)
	})
}
