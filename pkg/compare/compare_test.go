package compare_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/compare"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

// side is a run of the same case with so many output tokens per second at each concurrency.
func side(name string, change func(*plan.Plan), throughput map[int]float64) compare.Side {
	p := plan.Plan{ID: name}
	p.Case = roles.Case{
		TestID: "t", Servers: map[roles.Kind]roles.Server{roles.Gen: {Count: 1, GPUs: 4}},
		WorkerConfig: map[roles.Kind]string{roles.Gen: "max_batch_size: 64\nkv: {dtype: fp8}\n"},
	}
	p.Provenance = protocol.Provenance{Commit: "abc", GPUName: "H200", Driver: "1"}
	if change != nil {
		change(&p)
	}
	s := compare.Side{Name: name, Plan: p, Verdict: protocol.Passed, At: time.Date(2026, 11, 26, 11, 15, 0, 0,
		time.UTC)}
	for i, c := range []int{4, 16, 64} {
		if v, ok := throughput[c]; ok {
			s.Records = append(s.Records, p.Record("run-"+name, "", protocol.Point{
				Index: i, Concurrency: c, Successful: 1, Metrics: map[string]float64{"token_throughput": v,
					"mean_tpot": 2},
			}, time.Time{}))
		}
	}
	return s
}

// history is so many earlier runs around 1000 tokens a second, at every concurrency.
func history(n int) (h results.History) {
	for i := range n {
		v := 1000 * (1 + 0.01*float64(i%3-1))
		old := side("old", nil, map[int]float64{4: v, 16: v, 64: v})
		for _, r := range old.Records {
			r.RunID = "old-" + time.Duration(i).String()
			h.Records = append(h.Records, r)
		}
	}
	return h
}

// marks are what is said of the first metric of each row.
func marks(c compare.Comparison) (list []compare.Mark) {
	for _, r := range c.Rows {
		list = append(list, r.Cells[0].Mark)
	}
	return list
}

// A change counts if it is outside of what earlier runs span, whichever way; with too few of them nothing is claimed.
func TestChanges(t *testing.T) {
	a := side("a", nil, map[int]float64{4: 1000, 16: 1000, 64: 1000})
	b := side("b", nil, map[int]float64{4: 985, 16: 900, 64: 1100})
	got := compare.Compare(a, b, history(30))
	if diff := cmp.Diff([]compare.Mark{compare.Within, compare.Worse, compare.Better}, marks(got)); diff != "" {
		t.Error(diff)
	}
	if cell := got.Rows[1].Cells[0]; cell.A != 250 || cell.B != 225 || cell.Change > -0.099 || cell.Past != 30 {
		t.Errorf("%+v", cell)
	}
	few := compare.Compare(a, b, history(5))
	want := []compare.Mark{compare.Unclear, compare.Unclear, compare.Unclear}
	if diff := cmp.Diff(want, marks(few)); diff != "" {
		t.Error(diff)
	}
	for name, tt := range map[string]struct {
		c    compare.Comparison
		by   float64
		want bool
	}{
		"outside of the spread":  {got, 0, true},
		"more than 5 %":          {got, 0.05, true},
		"less than 20 %":         {got, 0.2, false},
		"no spread is known":     {few, 0, false},
		"a part needs no spread": {few, 0.05, true},
	} {
		if got := tt.c.Worsened(tt.by); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// What was run differently comes first; one difference is named as such, and what is not recorded is not taken for the
// same.
func TestDifferences(t *testing.T) {
	a := side("a", nil, map[int]float64{4: 1000})
	for name, tt := range map[string]struct {
		change func(*plan.Plan)
		says   []string
	}{
		"nothing": {nil, []string{"differs: nothing known", "not recorded for both: engine version"}},
		"a worker's setting": {
			func(p *plan.Plan) { p.Case.WorkerConfig[roles.Gen] = "max_batch_size: 128\nkv: {dtype: fp8}\n" },
			[]string{"differs: case.worker_config.GEN.max_batch_size 64 -> 128. Nothing else: one variable"},
		},
		"two things": {func(p *plan.Plan) {
			p.Case.WorkerConfig[roles.Gen] = "max_batch_size: 64\n"
			p.Provenance.Commit, p.Provenance.Dirty = "def", true
		}, []string{
			"differs in 2 things: which one did it cannot be told",
			"case.worker_config.GEN.kv {\"dtype\":\"fp8\"} -> none",
			"checkout abc -> def with changes",
		}},
		"where it is kept": {
			func(p *plan.Plan) { p.RunDir, p.Case.File = "/elsewhere", "/x" }, []string{"nothing known"},
		},
	} {
		var out strings.Builder
		if err := compare.Compare(a, side("b", tt.change, map[int]float64{4: 1000}),
			results.History{}).Print(&out); err != nil {
			t.Fatal(err)
		}
		for _, says := range tt.says {
			if !strings.Contains(out.String(), says) {
				t.Errorf("%s: %q is missing in\n%s", name, says, out.String())
			}
		}
	}
}

// Points that do not count, and those that one side lacks, take no part, and are named.
func TestMissingPoints(t *testing.T) {
	a := side("a", nil, map[int]float64{4: 1000, 16: 1000})
	b := side("b", nil, map[int]float64{4: 1000, 64: 1000})
	b.Records[0].Point.Invalid = "2 of 16 requests failed"
	c := compare.Compare(a, b, results.History{})
	want := []string{
		"concurrency 4 of b does not count: 2 of 16 requests failed", "b has no concurrency 16",
		"a has no concurrency 64",
	}
	if diff := cmp.Diff(want, c.Missing); diff != "" || len(c.Rows) != 0 {
		t.Errorf("%s, rows %v", diff, c.Rows)
	}
	var out strings.Builder
	if err := c.Print(&out); err != nil || !strings.Contains(out.String(), "no concurrency was measured by both") {
		t.Errorf("%v: %s", err, out.String())
	}
}

// The table has both values and the change of each, with a mark.
func TestPrint(t *testing.T) {
	a, b := side("a3f91", nil, map[int]float64{4: 1000}), side("51aa0", nil, map[int]float64{4: 800})
	var out strings.Builder
	if err := compare.Compare(a, b, history(30)).Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, says := range []string{
		"A  a3f91  2026-11-26 11:15  passed\nB  51aa0", "tok/s/GPU", "250 -> 200  -20.0 % ▼", "500 -> 500",
		"▼ worse, ▲ better than what the last 30 runs of this case span",
	} {
		if !strings.Contains(out.String(), says) {
			t.Errorf("%q is missing in\n%s", says, out.String())
		}
	}
}
