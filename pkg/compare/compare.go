package compare

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/regression"
	"github.com/disagg/disagg/pkg/results"
)

// Side is one run.
type Side struct {
	Name    string // for people: the folder, or what was asked for
	Plan    plan.Plan
	Verdict protocol.Verdict // "": it has none
	At      time.Time        // when it ended
	Records []results.Record
}

// Comparison is what is different between two runs.
type Comparison struct {
	A Label `json:"a"`
	B Label `json:"b"`
	// Differs is what they ran differently, Unknown what at least one of them has not recorded.
	Differs []plan.Difference `json:"differs"`
	Unknown []string          `json:"unknown,omitempty"`
	Rows    []Row             `json:"rows"`
	// Missing are concurrencies that only one side has measured, or whose point does not count.
	Missing []string `json:"missing,omitempty"`
	// Lost are the concurrencies that count in A, and that B has not measured, or not so that they count.
	Lost []int `json:"lost,omitempty"`
}

// Label names a side.
type Label struct {
	Name    string           `json:"name"`
	RunID   string           `json:"run_id,omitempty"`
	At      time.Time        `json:"at,omitzero"`
	Verdict protocol.Verdict `json:"verdict,omitempty"`
}

// Row is one concurrency.
type Row struct {
	Concurrency int    `json:"concurrency"`
	Cells       []Cell `json:"cells"`
}

// Cell is one metric of a row.
type Cell struct {
	Metric string  `json:"metric"`
	A      float64 `json:"a"`
	B      float64 `json:"b"`
	Change float64 `json:"change"` // as a part of A; positive: it has grown
	// Mark tells whether the change is outside of what earlier runs span.
	Mark Mark `json:"mark"`
	// Span is how much a value may differ from the centre of earlier runs, as a part of it, and Past how many those
	// are.
	Span float64 `json:"span,omitempty"`
	Past int     `json:"past"`
}

// Mark is what is said of a change.
type Mark string

// The marks.
const (
	Within  Mark = "within"  // of what earlier runs span
	Better  Mark = "better"  // outside of it
	Worse   Mark = "worse"   // outside of it
	Unclear Mark = "unclear" // there are too few earlier runs to tell
)

// Decides is the metric that a gate looks at: output tokens a second and GPU.
const Decides = "tok_per_gpu"

// shown are the metrics of a comparison, in the order of its columns.
var shown = [...]string{Decides, "tok_per_user", "median_ttft", "p99_ttft", "median_tpot", "p99_tpot"}

// Metrics are the metrics of a comparison, in the order of its columns.
func Metrics() (list []results.Metric) {
	for _, name := range shown {
		if m, ok := results.MetricNamed(name); ok {
			list = append(list, m)
		}
	}
	return list
}

// Compare compares two runs, with earlier runs of the first one's series as the measure of what is usual.
func Compare(a, b Side, h results.History) Comparison {
	a.Records, b.Records = firsts(a.Records), firsts(b.Records)
	c := Comparison{A: a.label(), B: b.label(), Rows: []Row{}, Differs: differences(a.Plan, b.Plan)}
	c.addProvenance(a, b)
	for _, first := range a.Records {
		i := counterpart(first, a.Records, b.Records)
		if first.Point.Invalid == "" && (i < 0 || b.Records[i].Point.Invalid != "") {
			c.Lost = append(c.Lost, first.Point.Concurrency)
		}
		switch {
		case i < 0:
			c.miss("%s has no concurrency %d", b.Name, first.Point.Concurrency)
		case first.Point.Invalid != "":
			c.miss("concurrency %d of %s does not count: %s", first.Point.Concurrency, a.Name, first.Point.Invalid)
		case b.Records[i].Point.Invalid != "":
			c.miss("concurrency %d of %s does not count: %s", first.Point.Concurrency, b.Name,
				b.Records[i].Point.Invalid)
		default:
			c.Rows = append(c.Rows, row(first, b.Records[i], h))
		}
	}
	for _, second := range b.Records {
		if !slices.ContainsFunc(a.Records, func(r results.Record) bool {
			return r.Point.Concurrency == second.Point.Concurrency
		}) {
			c.miss("%s has no concurrency %d", a.Name, second.Point.Concurrency)
		}
	}
	return c
}

// firsts are the records of first measurements: those on servers that had served before are not like them.
func firsts(records []results.Record) []results.Record {
	return slices.DeleteFunc(slices.Clone(records), func(r results.Record) bool { return r.Point.Measurement > 0 })
}

func (s Side) label() Label {
	l := Label{Name: s.Name, At: s.At, Verdict: s.Verdict}
	if len(s.Records) > 0 {
		l.RunID = s.Records[0].RunID
	}
	return l
}

// counterpart finds the point of b that is to be compared with one of a, -1 if there is none: that of the same place
// and concurrency, or, as a list of concurrencies may have become another, the only one of that concurrency in both.
func counterpart(first results.Record, a, b []results.Record) int {
	concurrency := first.Point.Concurrency
	only, n := -1, 0
	for i, r := range b {
		if r.Point.Concurrency != concurrency {
			continue
		}
		if r.Point.Index == first.Point.Index {
			return i
		}
		only, n = i, n+1
	}
	for _, r := range a {
		if r.Point.Concurrency == concurrency {
			n++
		}
	}
	if n == 2 {
		return only
	}
	return -1
}

func (c *Comparison) miss(format string, args ...any) {
	c.Missing = append(c.Missing, fmt.Sprintf(format, args...))
}

// ofRun are members of a plan that say where and how a run is kept, and not what is measured, and the layout, which
// follows from the others.
var ofRun = []string{
	"run_dir", "upload", "gate", "case.file", "case.origin", "agent", "case.test_id", "case.upload", "layout",
	"policy",
}

func differences(a, b plan.Plan) (list []plan.Difference) {
	list = []plan.Difference{}
	for _, d := range plan.Differ(a, b) {
		if !slices.ContainsFunc(ofRun, func(p string) bool { return d.Path == p || strings.HasPrefix(d.Path, p+".") }) {
			list = append(list, d)
		}
	}
	return list
}

// addProvenance adds what the results say of where they come from.
func (c *Comparison) addProvenance(a, b Side) {
	p, q := a.provenance(), b.provenance()
	for _, v := range []struct{ name, a, b string }{
		{"engine version", p.Engine, q.Engine}, {"checkout", commit(p), commit(q)}, {"GPU", p.GPUName, q.GPUName},
		{"GPU driver", p.Driver, q.Driver},
	} {
		switch {
		case v.a == "" || v.b == "":
			c.Unknown = append(c.Unknown, v.name)
		case v.a != v.b:
			c.Differs = append(c.Differs, plan.Difference{Path: v.name, A: v.a, B: v.b})
		}
	}
}

func (s Side) provenance() protocol.Provenance {
	if len(s.Records) == 0 {
		return s.Plan.Provenance
	}
	return s.Records[0].Provenance
}

func commit(p protocol.Provenance) string {
	if p.Commit != "" && p.Dirty {
		return p.Commit + " with changes"
	}
	return p.Commit
}

func row(a, b results.Record, h results.History) Row {
	r := Row{Concurrency: a.Point.Concurrency}
	past, _ := h.Of(a, nil)
	past = slices.DeleteFunc(past, func(old results.Record) bool {
		return old.RunID == a.RunID || old.RunID == b.RunID
	})
	past = results.OncePerRun(past, a)
	for _, m := range Metrics() {
		x, inA := m.Value(a.Point, a.GPUs)
		y, inB := m.Value(b.Point, b.GPUs)
		if inA && inB {
			r.Cells = append(r.Cells, cell(m, x, y, values(m, past)))
		}
	}
	return r
}

func values(m results.Metric, records []results.Record) (list []float64) {
	for _, r := range records {
		if v, ok := m.Value(r.Point, r.GPUs); ok {
			list = append(list, v)
		}
	}
	return list
}

// cell compares two values. Both are single ones, so that their difference varies by the root of two times as much as
// one value does.
func cell(m results.Metric, a, b float64, past []float64) Cell {
	c := Cell{Metric: m.Name, A: a, B: b, Mark: Unclear, Past: len(past)}
	if a != 0 {
		c.Change = (b - a) / math.Abs(a)
	}
	policy := regression.Default()
	if len(past) < policy.EnoughRuns {
		return c
	}
	f := policy.Judge(regression.Series{Metric: m, Past: past}, a)
	c.Span, c.Past = f.Bound, f.Past
	if f.Bound == 0 {
		return c
	}
	c.Span *= math.Sqrt2
	switch grown := c.Change > 0; {
	case math.Abs(c.Change) <= c.Span:
		c.Mark = Within
	case grown == m.Higher:
		c.Mark = Better
	default:
		c.Mark = Worse
	}
	return c
}

// Untold says why it cannot be told whether B is worse; "": it can. A point that is lost may be what has become worse.
func (c Comparison) Untold() string {
	if len(c.Rows) > 0 && len(c.Lost) == 0 {
		return ""
	}
	if len(c.Lost) == 0 {
		return "no concurrency was measured by both"
	}
	return fmt.Sprintf("%s has no result that counts for concurrency %d", c.B.Name, c.Lost[0])
}

// Worsened tells whether a metric that gates a run has become worse: by more than a part of its value, or, if that is
// 0, by more than earlier runs span.
func (c Comparison) Worsened(by float64) bool {
	for _, r := range c.Rows {
		for _, cell := range r.Cells {
			m, ok := results.MetricNamed(cell.Metric)
			worse := cell.Change
			if m.Higher {
				worse = -worse
			}
			if ok && cell.Metric == Decides && (by > 0 && worse > by || by == 0 && cell.Mark == Worse) {
				return true
			}
		}
	}
	return false
}
