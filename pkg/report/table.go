package report

import (
	"fmt"
	"slices"

	"github.com/disagg/disagg/pkg/results"
)

// column is a metric in a table of points. Its heading has the unit, if that is none of a throughput.
type column struct{ Name, Heading string }

// columns are those that a table of points may have. Of some the heading says more than the metric's label.
func columns() (list []column) {
	headings := map[string]string{
		tokPerGPU: "output tok/s/GPU", tokPerUser: "output tok/s/user",
	}
	for _, name := range []string{
		throughput, tokPerGPU, tokPerUser, "median_ttft", "p99_ttft", "median_tpot", "p99_tpot", "p99_e2el",
		"mean_gen_worker_per_iter_device_step_time", "al", "mean_gpu_utilization", "mean_gpu_power",
	} {
		c := column{Name: name, Heading: headings[name]}
		if m, ok := results.MetricNamed(name); ok && c.Heading == "" {
			if c.Heading = m.Label; slices.Contains([]string{"ms", "%", "W"}, m.Unit) {
				c.Heading += " " + m.Unit
			}
		}
		list = append(list, c)
	}
	return list
}

// columns are those that some point has a value for.
func (m Model) columns() []column {
	return slices.DeleteFunc(columns(), func(c column) bool {
		return !slices.ContainsFunc(m.Points, func(p PointInfo) bool { _, ok := p.Values[c.Name]; return ok })
	})
}

// cell is a value in a table of points.
type cell struct {
	Heading string
	Value   string // "–": it is not known
	Change  string // to the run before; "": there is none
	Flag    string // what the regression check says of it
	Mark    string // of a flag: which way it is worse
}

func (p PointInfo) cells(columns []column) (list []cell) {
	for _, c := range columns {
		text := cell{Heading: c.Heading, Value: "–", Flag: p.Flags[c.Name]}
		if v, ok := p.Values[c.Name]; ok {
			text.Value = figure(v)
		}
		if change, ok := p.Change[c.Name]; ok {
			text.Change = percent(change)
		}
		if text.Flag != "" {
			text.Mark = "▲"
			if m, ok := results.MetricNamed(c.Name); ok && m.Higher {
				text.Mark = "▼"
			}
		}
		list = append(list, text)
	}
	return list
}

// requests is how many requests of a point succeeded, and of how many if that differs.
func (p PointInfo) requests() string {
	switch {
	case p.State == NotRun:
		return "not run"
	case p.Requests > 0 && p.Requests != p.Successful:
		return fmt.Sprintf("%d of %d", p.Successful, p.Requests)
	}
	return fmt.Sprint(p.Successful)
}
