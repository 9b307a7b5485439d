package regression

import (
	"fmt"
	"slices"
	"time"

	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/stats/percentile"
)

// Upstream's window, and by how much a value may be worse: after a merge and before it.
const (
	upstreamDays      = 90
	PostMergeFraction = 0.05
	PreMergeFraction  = 0.10
)

// Dated is a value with the time at which it was stored, and with what upstream stores beside it.
type Dated struct {
	At    time.Time
	Value float64
	// Baseline and Threshold are what the value after this one is judged by; not positive: they are computed, or the
	// default.
	Baseline, Threshold float64
}

// UpstreamBaseline is the baseline that upstream's test has for a metric from what its database holds of the last 90
// days: the one stored with the newest document, else the 95th percentile (the 5th, of a metric that is better the
// lower it is) of the means of the days, each averaged with up to two days before it. Days are those of the zone in
// which upstream's test runs. ok is false if there is none.
func UpstreamBaseline(metric results.Metric, past []Dated, now time.Time, zone *time.Location,
) (baseline float64, ok bool) {
	past = upstreamWindow(past, now)
	if len(past) == 0 {
		return 0, false
	}
	if newest := past[len(past)-1]; newest.Baseline > 0 {
		return newest.Baseline, true
	}
	var means, rolling []float64
	for _, day := range byDay(past, zone) {
		means = append(means, average(day))
		rolling = append(rolling, average(means[max(0, len(means)-rollingDays):]))
	}
	if upstreamMaximises(metric) {
		return percentile.Of(rolling, 95), true
	}
	return percentile.Of(rolling, 5), true
}

// upstreamWindow is what upstream asks its database for, oldest first.
func upstreamWindow(past []Dated, now time.Time) []Dated {
	since := now.UTC().AddDate(0, 0, -upstreamDays).Truncate(24 * time.Hour)
	within := slices.DeleteFunc(slices.Clone(past), func(d Dated) bool { return d.At.Before(since) })
	slices.SortStableFunc(within, func(a, b Dated) int { return a.At.Compare(b.At) })
	return within
}

func byDay(past []Dated, zone *time.Location) (days [][]float64) {
	last := ""
	for _, d := range past {
		if day := d.At.In(zone).Format(time.DateOnly); day != last {
			days, last = append(days, nil), day
		}
		days[len(days)-1] = append(days[len(days)-1], d.Value)
	}
	return days
}

// rollingDays is over how many days upstream averages.
const rollingDays = 3

// upstreamMaximises is upstream's view of a metric. It holds the time for a token to be better the higher it is, which
// has no consequence, because that does not gate.
func upstreamMaximises(m results.Metric) bool {
	return m.Higher || m.Name == "mean_tpot" || m.Name == "median_tpot" || m.Name == "p99_tpot"
}

// JudgeUpstream judges a value as upstream's test does: it fails if it is worse than the baseline by more than a
// fraction of it, which a threshold in the database replaces. Where upstream says nothing (there is no baseline) this
// says that it is unknown.
func JudgeUpstream(s Series, past []Dated, value, fraction float64, now time.Time, zone *time.Location) Finding {
	past = upstreamWindow(past, now)
	if n := len(past); n > 0 && past[n-1].Threshold > 0 {
		fraction = past[n-1].Threshold
	}
	f := Finding{
		Concurrency: s.Concurrency, Metric: s.Metric.Name, Label: s.Metric.Label, Gates: s.Gates,
		Values: []float64{value}, P: 1,
		Status: Passed, Past: len(past), Bound: fraction,
	}
	baseline, ok := UpstreamBaseline(s.Metric, past, now, zone)
	if !ok || baseline <= 0 {
		f.Status, f.Reason = Unknown, fmt.Sprintf("there is no baseline within %d days", upstreamDays)
		return f
	}
	f.Baseline, f.Worse = baseline, (value-baseline)/baseline
	worse := value > baseline*(1+fraction)
	if upstreamMaximises(s.Metric) {
		f.Worse, worse = -f.Worse, value < baseline*(1-fraction)
	}
	if worse {
		f.Status = Failed
	}
	return f
}

func average(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
