package regression

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/results"
)

// shown are metrics that decide nothing, and of which it is said how they compare.
var shown = []string{"mean_ttft", "mean_tpot", "p99_e2el"}

// decodeAlone are the modes in which prefill is not measured.
var decodeAlone = []string{"gen_only", "gen_only_no_context"}

// Run is a run that is compared with those before it.
type Run struct {
	Records []results.Record // its points
	History results.History
	// Detector is its name.
	Detector string
	// Conditions choose the earlier runs, Pinned those that a slow drift is measured against.
	Conditions, Pinned []string
}

// JudgeRun says whether a run is slower than those before it. What was measured a second time confirms a suspicion, or
// refutes it; otherwise it stays one, unless it is overwhelming. The time is that of the judgement.
func (p Policy) JudgeRun(run Run, now time.Time) Verdict {
	if run.History.Error != "" {
		return Verdict{
			Status: Unknown, Detector: run.Detector, Findings: []Finding{},
			Reason: "the earlier runs could not be asked for: " + run.History.Error,
		}
	}
	findings, all, second := []Finding{}, []Series{}, []float64{}
	for _, r := range run.Records {
		if r.Point.Invalid != "" || r.Point.Measurement > 0 {
			continue // one that does not count has failed the run already
		}
		past, others := run.History.Of(r, run.Conditions)
		past = slices.DeleteFunc(past, func(old results.Record) bool { return old.RunID == r.RunID })
		pinned, _ := run.History.Of(r, run.Pinned)
		if len(run.Pinned) == 0 {
			pinned = nil
		}
		if run.Detector != plan.DetectorUpstream { // which reads every row of its database
			past, pinned = results.OncePerRun(past, r), results.OncePerRun(pinned, r)
		}
		for _, m := range results.Metrics() {
			value, ok := m.Value(r.Point, r.GPUs)
			gates := m.Gates(slices.Contains(decodeAlone, r.Mode))
			if !gates && !(ok && slices.Contains(shown, m.Name)) || !ok && !p.expected(m, past) {
				continue
			}
			s := Series{Metric: m, Concurrency: r.Point.Concurrency, Gates: gates}
			s.Past, s.Pinned = values(m, past), values(m, pinned)
			f := p.Judge(s, value)
			switch {
			case !ok:
				f = missing(s)
			case run.Detector == plan.DetectorUpstream:
				f = JudgeUpstream(s, dated(m, past), value, PreMergeFraction, now, time.UTC)
			}
			if others > 0 && f.Status == Unknown {
				f.Reason += fmt.Sprintf(": %d more asked for another load, or had other servers", others)
			}
			findings, all, second = append(findings, f), append(all, s), append(second, run.second(m, r))
		}
	}
	if run.Detector != plan.DetectorUpstream {
		findings = p.Confirm(all, findings, second)
	}
	return Sum(run.Detector, findings)
}

// expected tells whether one of the last earlier runs has measured a metric: what so many have not is no longer part of
// the test.
func (p Policy) expected(m results.Metric, past []results.Record) bool {
	return len(values(m, past[max(0, len(past)-p.FewRuns):])) > 0
}

// missing is about a metric that earlier runs have measured and this one has not.
func missing(s Series) Finding {
	return Finding{
		Concurrency: s.Concurrency, Metric: s.Metric.Name, Label: s.Metric.Label, Gates: s.Gates, Values: []float64{},
		Past: len(s.Past), P: 1, Status: Unknown,
		Reason: fmt.Sprintf("it was not measured: %d earlier runs have it", len(s.Past)),
	}
}

// second is a metric of a point as it was measured a second time, NaN if it was not.
func (run Run) second(m results.Metric, first results.Record) float64 {
	for _, r := range run.Records {
		if r.Point.Measurement != 1 || r.Point.Index != first.Point.Index || r.Point.Invalid != "" {
			continue
		}
		if v, ok := m.Value(r.Point, r.GPUs); ok {
			return v
		}
	}
	return math.NaN()
}

// values are a metric's in some records that have it.
func values(m results.Metric, records []results.Record) (list []float64) {
	for _, r := range records {
		if v, ok := m.Value(r.Point, r.GPUs); ok {
			list = append(list, v)
		}
	}
	return list
}

// dated are a metric's values with their times, and with the baseline and the threshold that upstream's database keeps
// beside them.
func dated(m results.Metric, records []results.Record) (list []Dated) {
	for _, r := range records {
		v, ok := m.Value(r.Point, r.GPUs)
		if !ok {
			continue
		}
		number := func(format string) float64 {
			f, _ := r.Document[fmt.Sprintf(format, m.Name)].(float64)
			return f
		}
		list = append(list, Dated{
			At: r.MeasuredAt, Value: v, Baseline: number("d_baseline_%s"),
			Threshold: number("d_threshold_pre_merge_%s"),
		})
	}
	return list
}
