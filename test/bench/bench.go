// Package bench is what the benchmarks share: figures over repeats, and the table in which they are printed.
//
// Rules:
//   - What is compared is measured in one run, in turns, on one machine: machines are shared and noisy, so only ratios
//     carry over from one to another.
//   - A benchmark is no test. It says which goals were met, and its exit status says whether all were.
//
// Vocabulary: a measure is one line of the table; its goal is a bound on the figure or on its ratio to the baseline.
package bench

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// Row is one line of the table.
type Row struct {
	Measure  string
	Figure   string // of ours
	Baseline string // "" if there is none
	Ratio    string // "" if there is no baseline
	Goal     string // "" if the line is there to read the others by
	Met      bool
}

// Table is the outcome of a benchmark.
type Table struct {
	rows []Row
}

// Add adds a line.
func (t *Table) Add(r Row) { t.rows = append(t.rows, r) }

// Met tells whether every goal was met.
func (t *Table) Met() bool {
	return !slices.ContainsFunc(t.rows, func(r Row) bool { return r.Goal != "" && !r.Met })
}

// Print prints the table.
func (t *Table) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MEASURE\tOURS\tBASELINE\tRATIO\tGOAL\t")
	for _, r := range t.rows {
		met := "met"
		switch {
		case r.Goal == "":
			met = ""
		case !r.Met:
			met = "MISSED"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Measure, r.Figure, r.Baseline, r.Ratio, r.Goal, met)
	}
	return w.Flush()
}

// Number is what percentiles can be taken of.
type Number interface{ ~int64 | ~float64 }

// Percentile is the smallest value that at least p percent of the values do not exceed (nearest rank); 0 of none.
func Percentile[T Number](values []T, p int) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := (p*len(sorted) + 99) / 100
	return sorted[max(rank, 1)-1]
}

// Median is the middle value.
func Median[T Number](values []T) T { return Percentile(values, 50) }

// Short writes a duration with as many digits as are worth reading.
func Short(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= 100*time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}
