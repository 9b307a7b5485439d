package pairs

import (
	"math"
	"slices"

	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/stats"
)

// level is how likely one comparison may find a difference where there is none, and power how often the smallest
// detectable one is found.
const level, power = 0.001, 0.9

// Done is a stint that was measured.
type Done struct {
	Stint
	Records []results.Record
}

// Result is what the pairs say.
type Result struct {
	Asked int   `json:"asked"` // pairs
	Pairs int   `json:"pairs"` // that were measured
	Kept  bool  `json:"kept"`  // the same servers were measured more than once
	Rows  []Row `json:"rows"`
}

// Row is one concurrency.
type Row struct {
	Concurrency int    `json:"concurrency"`
	Cells       []Cell `json:"cells"`
}

// Cell is one metric of a row.
type Cell struct {
	Metric string  `json:"metric"`
	Pairs  int     `json:"pairs"` // in which both sides have it
	A      float64 `json:"a"`     // means
	B      float64 `json:"b"`
	Change float64 `json:"change"` // mean of the pairs' changes, as a part of A; positive: B is larger
	P      float64 `json:"p"`      // two-sided: how likely pairs differ by as much if A and B are the same
	// Detectable is the smallest change that would have been seen nine times of ten; 0: none can be told.
	Detectable float64 `json:"detectable,omitempty"`
	Mark       Mark    `json:"mark"`
}

// Mark is what is said of a change.
type Mark string

// The marks.
const (
	Better  Mark = "better"
	Worse   Mark = "worse"
	Same    Mark = "same"    // no difference was seen; see Detectable
	Unclear Mark = "unclear" // there are too few pairs to tell
)

// leastPairs is how many pairs it takes to say that no difference was seen.
const leastPairs = 4

// Compare says what the stints that were measured, in their order, show of some metrics.
func Compare(asked int, done []Done, metrics []results.Metric) Result {
	var arms [2][][]results.Record // the measurements that count, in their order
	r := Result{Asked: asked, Rows: []Row{}}
	for _, d := range done {
		r.Kept = r.Kept || d.WarmUp
		arms[d.Arm] = append(arms[d.Arm], d.measurements()...)
	}
	r.Pairs = min(len(arms[A]), len(arms[B]))
	arms[A], arms[B] = arms[A][:r.Pairs], arms[B][:r.Pairs]
	for _, concurrency := range concurrencies(arms[A]) {
		row := Row{Concurrency: concurrency}
		for _, m := range metrics {
			if c := cell(m, values(m, arms[A], concurrency), values(m, arms[B], concurrency)); c.Pairs > 0 {
				row.Cells = append(row.Cells, c)
			}
		}
		r.Rows = append(r.Rows, row)
	}
	r.mark(metrics)
	return r
}

// measurements are the records of each measurement that counts.
func (d Done) measurements() (list [][]results.Record) {
	for n := d.Measurements() - d.Count; n < d.Measurements(); n++ {
		list = append(list, slices.DeleteFunc(slices.Clone(d.Records), func(r results.Record) bool {
			return r.Point.Measurement != n || r.Point.Invalid != ""
		}))
	}
	return list
}

// concurrencies lists those that were measured, in their order.
func concurrencies(measurements [][]results.Record) (list []int) {
	for _, records := range measurements {
		for _, r := range records {
			if !slices.Contains(list, r.Point.Concurrency) {
				list = append(list, r.Point.Concurrency)
			}
		}
	}
	slices.Sort(list)
	return list
}

// values are a metric's, one a measurement; NaN where it has none.
func values(m results.Metric, measurements [][]results.Record, concurrency int) []float64 {
	list := make([]float64, len(measurements))
	for i, records := range measurements {
		list[i] = math.NaN()
		for _, r := range records {
			if v, ok := m.Value(r.Point, r.GPUs); ok && r.Point.Concurrency == concurrency {
				list[i] = v
			}
		}
	}
	return list
}

// cell compares the pairs of which both sides have a value.
func cell(m results.Metric, a, b []float64) Cell {
	var first, second []float64
	for i := range a {
		if a[i] > 0 && !math.IsNaN(b[i]) {
			first, second = append(first, a[i]), append(second, b[i])
		}
	}
	paired := stats.Paired(first, second)
	c := Cell{
		Metric: m.Name, Pairs: paired.Pairs, A: paired.First, B: paired.Second, Change: paired.Change, P: paired.P,
		Mark: Unclear,
	}
	if d := stats.PairedDetectable(paired.Pairs, paired.SD/math.Sqrt2, level, power); !math.IsInf(d, 0) && d < 1 {
		c.Detectable = d
	}
	return c
}

// mark says of each change whether chance explains it. Of what decides, Holm's procedure bounds how often any is called
// different by chance.
func (r Result) mark(metrics []results.Metric) {
	for _, m := range metrics {
		var cells []*Cell
		var chances []float64
		for _, row := range r.Rows {
			for i := range row.Cells {
				if c := &row.Cells[i]; c.Metric == m.Name {
					cells, chances = append(cells, c), append(chances, c.P)
				}
			}
		}
		for i, differs := range stats.Holm(chances, 2*level) { // both ways are looked at
			c := cells[i]
			switch {
			case differs && c.Change > 0 == m.Higher:
				c.Mark = Better
			case differs:
				c.Mark = Worse
			case c.Pairs >= leastPairs:
				c.Mark = Same
			}
		}
	}
}

// Worsened tells whether some concurrency is worse in a metric, by more than a part.
func (r Result) Worsened(metric string, by float64) bool {
	return slices.ContainsFunc(r.Rows, func(row Row) bool {
		return slices.ContainsFunc(row.Cells, func(c Cell) bool {
			return c.Metric == metric && c.Mark == Worse && math.Abs(c.Change) > by
		})
	})
}
