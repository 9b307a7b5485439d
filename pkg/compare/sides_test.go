package compare_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/compare"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
)

// compared compares without a history.
func compared(a, b compare.Side) compare.Comparison { return compare.Compare(a, b, results.History{}) }

// Measurements of servers that had served before are not like first ones: they are no rows, and no point is missing for
// them.
func TestOnlyFirstMeasurements(t *testing.T) {
	a, b := side("a", nil, map[int]float64{4: 1000}), side("b", nil, map[int]float64{4: 1000})
	again := b.Records[0]
	again.Point.Measurement = 1
	again.Point.Metrics = map[string]float64{"token_throughput": 1}
	b.Records = []results.Record{again, b.Records[0]}
	a.Records = append(a.Records, again)
	c := compared(a, b)
	if len(c.Rows) != 1 || c.Rows[0].Cells[0].B != 250 || len(c.Missing) != 0 {
		t.Errorf("%+v, missing %q", c.Rows, c.Missing)
	}
	if len(a.Records) != 2 || len(b.Records) != 2 || b.Records[0].Point.Measurement != 1 {
		t.Error("what is compared was changed")
	}
}

// Points of the same concurrency are told apart by their place.
func TestSameConcurrencyTwice(t *testing.T) {
	twice := func(name string, first, second float64) compare.Side {
		s := side(name, nil, map[int]float64{4: first, 16: second})
		s.Records[1].Point.Concurrency = 4
		return s
	}
	c := compared(twice("a", 400, 800), twice("b", 400, 1600))
	var changes []float64
	for _, r := range c.Rows {
		changes = append(changes, r.Cells[0].Change)
	}
	if diff := cmp.Diff([]float64{0, 1}, changes); diff != "" || len(c.Missing) != 0 {
		t.Errorf("%s: missing %q", diff, c.Missing)
	}
}

// A side that measured nothing has a name, and what its plan says of where it came from.
func TestNothingMeasured(t *testing.T) {
	a, b := side("a", nil, map[int]float64{4: 1000}), side("b", nil, nil)
	b.Plan.Provenance.Driver = "2"
	b.Verdict = protocol.Failed
	c := compared(a, b)
	want := compare.Label{Name: "b", At: b.At, Verdict: protocol.Failed}
	if diff := cmp.Diff(want, c.B); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]plan.Difference{{Path: "GPU driver", A: "1", B: "2"}}, c.Differs); diff != "" {
		t.Error(diff)
	}
	if c.A.RunID != "run-a" || c.Rows == nil || len(c.Rows) != 0 || !slices.Equal(c.Missing, []string{
		"b has no concurrency 4",
	}) {
		t.Errorf("%+v", c)
	}
}

// A point that does not count is named by the side that it is of, and why.
func TestWhoDoesNotCount(t *testing.T) {
	for _, who := range []string{"a", "b"} {
		sides := map[string]compare.Side{}
		for _, name := range []string{"a", "b"} {
			sides[name] = side(name, nil, map[int]float64{4: 1000})
		}
		sides[who].Records[0].Point.Invalid = "why"
		c := compared(sides["a"], sides["b"])
		if want := "concurrency 4 of " + who + " does not count: why"; !slices.Equal(c.Missing, []string{want}) ||
			len(c.Rows) != 0 {
			t.Errorf("%q, %+v, want %q", c.Missing, c.Rows, want)
		}
	}
}

// What results say of where they come from is compared, and unknown where one of them does not say it. Changes in a
// checkout are part of what it is.
func TestProvenance(t *testing.T) {
	whole := protocol.Provenance{Engine: "1.2", Commit: "abc", GPUName: "H200", Driver: "580"}
	for name, tt := range map[string]struct {
		change  func(*protocol.Provenance)
		differs string
		unknown string
	}{
		"the same":       {func(*protocol.Provenance) {}, "", ""},
		"another engine": {func(p *protocol.Provenance) { p.Engine = "1.3" }, "engine version 1.2 -> 1.3", ""},
		"another commit": {func(p *protocol.Provenance) { p.Commit = "def" }, "checkout abc -> def", ""},
		"changes":        {func(p *protocol.Provenance) { p.Dirty = true }, "checkout abc -> abc with changes", ""},
		"another GPU":    {func(p *protocol.Provenance) { p.GPUName = "B200" }, "GPU H200 -> B200", ""},
		"another driver": {func(p *protocol.Provenance) { p.Driver = "590" }, "GPU driver 580 -> 590", ""},
		"nothing known": {
			func(p *protocol.Provenance) { *p = protocol.Provenance{Dirty: true} }, "",
			"engine version, checkout, GPU, GPU driver",
		},
	} {
		a, b := side("a", nil, map[int]float64{4: 1}), side("b", nil, map[int]float64{4: 1})
		a.Records[0].Provenance, b.Records[0].Provenance = whole, whole
		tt.change(&b.Records[0].Provenance)
		c := compared(a, b)
		var differs []string
		for _, d := range c.Differs {
			differs = append(differs, d.String())
		}
		if got := strings.Join(differs, ", "); got != tt.differs || strings.Join(c.Unknown, ", ") != tt.unknown {
			t.Errorf("%s: differs in %q, unknown %q", name, got, c.Unknown)
		}
	}
}

// A change is a part of the first value; from nothing it is none. Both are single values, which vary by the root of two
// times as much as one.
func TestChange(t *testing.T) {
	a, b := side("a", nil, map[int]float64{4: 1000}), side("b", nil, map[int]float64{4: 1000})
	a.Records[0].Point.Metrics["median_ttft"], b.Records[0].Point.Metrics["median_ttft"] = 0, 3
	delete(b.Records[0].Point.Metrics, "mean_tpot")
	c := compared(a, b)
	var names []string
	for _, cell := range c.Rows[0].Cells {
		names = append(names, cell.Metric)
		if cell.Metric == "median_ttft" && (cell.Change != 0 || cell.B != 3 || cell.Mark != compare.Unclear) {
			t.Errorf("%+v", cell)
		}
	}
	if !slices.Equal(names, []string{"tok_per_gpu", "median_ttft"}) {
		t.Errorf("metrics %q: what one side lacks is no cell", names)
	}
	one := side("a", nil, map[int]float64{4: 1000})
	cell := compare.Compare(one, side("b", nil, map[int]float64{4: 1000}), history(30)).Rows[0].Cells[0]
	within := compare.Compare(one, side("b", nil, map[int]float64{4: 1000 * (1 + 0.99*cell.Span)}), history(30))
	beyond := compare.Compare(one, side("b", nil, map[int]float64{4: 1000 * (1 + 1.01*cell.Span)}), history(30))
	if marks(within)[0] != compare.Within || marks(beyond)[0] != compare.Better {
		t.Errorf("with a span of %v: %v and %v", cell.Span, marks(within), marks(beyond))
	}
}

// A smaller latency is better, a smaller throughput worse.
func TestWhichWayIsBetter(t *testing.T) {
	with := func(s compare.Side, ttft float64) compare.Side {
		s.Records[0].Point.Metrics["median_ttft"] = ttft
		return s
	}
	past := history(30)
	for i := range past.Records {
		past.Records[i].Point.Metrics["median_ttft"] = 100 + float64(i%3)
	}
	for ttft, want := range map[float64]compare.Mark{50: compare.Better, 200: compare.Worse, 100: compare.Within} {
		a := with(side("a", nil, map[int]float64{4: 1000}), 100)
		c := compare.Compare(a, with(side("b", nil, map[int]float64{4: 1000}), ttft), past)
		for _, cell := range c.Rows[0].Cells {
			if cell.Metric == "median_ttft" && cell.Mark != want {
				t.Errorf("from 100 to %v ms: %+v", ttft, cell)
			}
		}
		if c.Worsened(0) {
			t.Error("only what a gate looks at decides")
		}
	}
}

// Neither side is a measure of what is usual: what they measured is not part of their history. Earlier runs
// that are all alike are no reason to take every change for one.
func TestHistoryIsOfOthers(t *testing.T) {
	a, b := side("a", nil, map[int]float64{4: 1000}), side("b", nil, map[int]float64{4: 900})
	past := history(30)
	past.Records = append(past.Records, slices.Concat(a.Records, b.Records)...)
	if cell := compare.Compare(a, b, past).Rows[0].Cells[0]; cell.Past != 30 {
		t.Errorf("%+v", cell)
	}
	alike := history(30)
	for i := range alike.Records {
		alike.Records[i].Point.Metrics["token_throughput"] = 1000
	}
	near := side("b", nil, map[int]float64{4: 1001})
	if cell := compare.Compare(a, near, alike).Rows[0].Cells[0]; cell.Mark != compare.Within || cell.Span == 0 {
		t.Errorf("%+v", cell)
	}
}

// A part is exceeded by more than it; without one it is the mark that decides.
func TestWorsened(t *testing.T) {
	for name, tt := range map[string]struct {
		cell compare.Cell
		by   float64
		want bool
	}{
		"exactly the part":    {compare.Cell{Metric: compare.Decides, Change: -0.25}, 0.25, false},
		"more":                {compare.Cell{Metric: compare.Decides, Change: -0.26}, 0.25, true},
		"better":              {compare.Cell{Metric: compare.Decides, Change: 0.5}, 0.25, false},
		"by its mark":         {compare.Cell{Metric: compare.Decides, Change: -0.01, Mark: compare.Worse}, 0, true},
		"within":              {compare.Cell{Metric: compare.Decides, Change: -0.5, Mark: compare.Within}, 0, false},
		"a mark, with a part": {compare.Cell{Metric: compare.Decides, Change: -0.01, Mark: compare.Worse}, 0.25, false},
		"another metric":      {compare.Cell{Metric: "median_ttft", Change: 0.5, Mark: compare.Worse}, 0.25, false},
		"one that is unknown": {compare.Cell{Metric: "colour", Change: math.Inf(-1), Mark: compare.Worse}, 0.25, false},
	} {
		c := compare.Comparison{Rows: []compare.Row{{}, {Cells: []compare.Cell{{Metric: compare.Decides}, tt.cell}}}}
		if got := c.Worsened(tt.by); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Whether a run is worse cannot be told if it has lost a point, or if nothing is left to compare; a point that is new
// is no loss. A concurrency is found where its list has become another.
func TestLost(t *testing.T) {
	all := map[int]float64{4: 1000, 16: 1000, 64: 1000}
	invalid := func(s compare.Side, i int) compare.Side {
		s.Records[i].Point.Invalid = "x"
		return s
	}
	moved := side("b", nil, all)
	for i := range moved.Records {
		moved.Records[i].Point.Index = 2 - i
	}
	twice := side("b", nil, map[int]float64{4: 1000, 16: 1000})
	twice.Records[0].Point.Index, twice.Records[1].Point.Index, twice.Records[1].Point.Concurrency = 5, 6, 4
	for name, tt := range map[string]struct {
		a, b   compare.Side
		rows   int
		untold string
	}{
		"all are there":   {side("a", nil, all), side("b", nil, all), 3, ""},
		"in another list": {side("a", nil, all), moved, 3, ""},
		"a new one":       {side("a", nil, map[int]float64{4: 1}), side("b", nil, all), 1, ""},
		"one is lost": {
			side("a", nil, all), side("b", nil, map[int]float64{4: 1000, 64: 1000}), 2,
			"b has no result that counts for concurrency 16",
		},
		"one does not count": {
			side("a", nil, all), invalid(side("b", nil, all), 2), 2, "b has no result that counts for concurrency 64",
		},
		"one did not count": {invalid(side("a", nil, all), 2), side("b", nil, all), 2, ""},
		"it is not known which": {
			side("a", nil, map[int]float64{4: 1}), twice, 0, "b has no result that counts for concurrency 4",
		},
		"nothing was measured": {side("a", nil, nil), side("b", nil, all), 0, "no concurrency was measured by both"},
	} {
		c := compare.Compare(tt.a, tt.b, results.History{})
		if got := c.Untold(); got != tt.untold || len(c.Rows) != tt.rows {
			t.Errorf("%s: %q, %d rows", name, got, len(c.Rows))
		}
	}
}
