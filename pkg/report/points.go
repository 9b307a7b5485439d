package report

import (
	"fmt"
	"math"
	"slices"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
)

// Names of metrics that a report shows in places of their own.
const (
	tokPerGPU  = "tok_per_gpu"
	tokPerUser = "tok_per_user"
	throughput = "token_throughput"
)

// pointsOf lists the points of the case with what was measured of them.
func pointsOf(p plan.Plan, measured []protocol.Point, gpus int) (list []PointInfo) {
	for i, concurrency := range p.Case.Load.Points() {
		list = append(list, asked(p, i, concurrency))
	}
	for _, pt := range measured {
		i := slices.IndexFunc(list, func(p PointInfo) bool { return p.Index == pt.Index })
		if i < 0 {
			list, i = append(list, PointInfo{Index: pt.Index}), len(list)
		}
		list[i].measured(pt, gpus)
	}
	return list
}

// asked is a point that is not measured yet.
func asked(p plan.Plan, index, concurrency int) PointInfo {
	load := p.Case.Load.Of(index)
	return PointInfo{
		Index: index, Concurrency: concurrency, State: NotRun, Load: load,
		Requests: concurrency * load.Rounds,
	}
}

func (p *PointInfo) measured(pt protocol.Point, gpus int) {
	p.Concurrency, p.Successful, p.Failed = pt.Concurrency, pt.Successful, pt.Failed
	p.State, p.Reason, p.Values = Counts, pt.Invalid, values(pt, gpus)
	if pt.Invalid != "" {
		p.State = Invalid
	}
}

// values are all metrics of a point, those included that follow from others. What the table of metrics does not know is
// kept.
func values(pt protocol.Point, gpus int) map[string]float64 {
	v := map[string]float64{}
	for name, x := range pt.Metrics {
		if !math.IsNaN(x) && !math.IsInf(x, 0) {
			v[name] = x
		}
	}
	for _, m := range results.Metrics() {
		if x, ok := m.Value(pt, gpus); ok && m.Derived && !math.IsNaN(x) && !math.IsInf(x, 0) {
			v[m.Name] = x
		}
	}
	return v
}

// earlier groups the records of earlier runs. Points that do not count take no part; runs of another series than this
// one are left out, and the notes say so.
func earlier(in Input) (runs []EarlierRun, notes []string) {
	strange := map[string]bool{}
	for _, r := range in.Earlier {
		again := r.Point.Measurement > 0 || r.Provenance.Warm
		if r.RunID == in.Result.RunID || r.Point.Invalid != "" || again {
			continue
		}
		if !sameSeries(in, r) {
			strange[r.RunID] = true
			continue
		}
		runs = grouped(runs, r)
	}
	slices.SortStableFunc(runs, func(a, b EarlierRun) int { return a.At.Compare(b.At) })
	if n := len(strange); n > 0 {
		notes = append(notes, fmt.Sprintf(
			"%d of the runs to compare with have points of another test, variant, load, cluster or GPU: those are "+
				"left out", n))
	}
	return runs, notes
}

// sameSeries tells whether a record is of the variant of the test, the cluster, the GPU and the load of this run, as
// far as those are known.
func sameSeries(in Input, r results.Record) bool {
	if r.TestID != in.Plan.Case.TestID || r.Cluster != in.Plan.Cluster.Name ||
		results.Variant(r.Settings) != results.Variant(in.Plan.Case.Settings) {
		return false
	}
	for _, own := range in.Records {
		a, b := own.Provenance.GPU, r.Provenance.GPU
		if a != "" && b != "" && a != b || own.Point.Concurrency == r.Point.Concurrency && !own.SameWork(r) {
			return false
		}
	}
	return true
}

func grouped(runs []EarlierRun, r results.Record) []EarlierRun {
	i := slices.IndexFunc(runs, func(e EarlierRun) bool { return e.RunID == r.RunID })
	if i < 0 {
		runs, i = append(runs, EarlierRun{RunID: r.RunID}), len(runs)
	}
	run := &runs[i]
	if r.MeasuredAt.After(run.At) {
		run.At = r.MeasuredAt
	}
	p := EarlierPoint{Concurrency: r.Point.Concurrency, Values: values(r.Point, r.GPUs)}
	run.Points = append(run.Points, p)
	slices.SortStableFunc(run.Points, func(a, b EarlierPoint) int { return a.Concurrency - b.Concurrency })
	return runs
}

// compare says how each point differs from the last earlier run that has it.
func compare(points []PointInfo, runs []EarlierRun) {
	for i := range points {
		p := &points[i]
		before := lastOf(runs, p.Concurrency)
		if p.State != Counts || before == nil {
			continue
		}
		p.Change = map[string]float64{}
		for name, v := range p.Values {
			if was := before[name]; was != 0 {
				p.Change[name] = (v - was) / math.Abs(was)
			}
		}
	}
}

// lastOf are the values of a concurrency in the last run that has it.
func lastOf(runs []EarlierRun, concurrency int) map[string]float64 {
	for _, run := range slices.Backward(runs) {
		for _, p := range run.Points {
			if p.Concurrency == concurrency {
				return p.Values
			}
		}
	}
	return nil
}

// Past are the values of a metric at a concurrency in the earlier runs that have it, oldest first.
func (m Model) Past(metric string, concurrency int) (values []float64) {
	for _, run := range m.Earlier {
		for _, p := range run.Points {
			if v, ok := p.Values[metric]; ok && p.Concurrency == concurrency {
				values = append(values, v)
			}
		}
	}
	return values
}

// addFlags notes what the regression check says beside the values that it is about.
func addFlags(points []PointInfo, j *Judgement) {
	if j == nil {
		return
	}
	for _, f := range j.Findings {
		if f.Status == statusPassed || f.Status == statusUnknown {
			continue
		}
		for i := range points {
			p := &points[i]
			if p.Concurrency != f.Concurrency || p.State != Counts {
				continue
			}
			if p.Flags == nil {
				p.Flags = map[string]string{}
			}
			p.Flags[f.Metric] = f.Status
		}
	}
}

// best is the point with the most output tokens a second and GPU, of those that count; nil if there is none.
func best(points []PointInfo) *Best {
	var b *Best
	for _, p := range points {
		v, ok := p.Values[tokPerGPU]
		if p.State == Counts && ok && (b == nil || v > b.TokPerGPU) {
			b = &Best{
				Concurrency: p.Concurrency, TokPerGPU: v, TokPerUser: p.Values[tokPerUser], Change: p.Change[tokPerGPU],
			}
		}
	}
	return b
}

// metricsOf describes the metrics that some points have, in the order of the table.
func metricsOf(points []PointInfo) []MetricInfo {
	list := []MetricInfo{}
	for _, m := range results.Metrics() {
		if slices.ContainsFunc(points, func(p PointInfo) bool { _, ok := p.Values[m.Name]; return ok }) {
			list = append(list, MetricInfo{
				Name: m.Name, Label: m.Label, Unit: m.Unit, Definition: m.Definition, Higher: m.Higher,
			})
		}
	}
	return list
}
