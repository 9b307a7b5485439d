package steptime

import (
	"cmp"
	"math"
	"slices"

	"github.com/disagg/disagg/pkg/stats/percentile"
)

// Stats describes the steps of a server, or the mean of several servers. Times are in milliseconds.
type Stats struct {
	Steps int `json:"steps"` // that are described
	// Tokens are those of each of these steps; 0 if the log does not say, and of several servers.
	Tokens int     `json:"tokens,omitempty"`
	Mean   float64 `json:"mean"`
	Median float64 `json:"median"`
	Std    float64 `json:"std"` // of a sample; 0 of a single step
	P75    float64 `json:"p75"` // with linear interpolation between the two nearest ranks, as P99
	P99    float64 `json:"p99"`
}

// Stats describes the log as far as it was read; ok is false if it has no step.
func (r *Reader) Stats() (s Stats, ok bool) {
	ms := r.loose
	for _, b := range r.buckets {
		if c := cmp.Compare(len(b.ms), len(ms)); c > 0 || c == 0 && b.tokens > s.Tokens {
			ms, s.Tokens = b.ms, b.tokens
		}
	}
	if len(ms) == 0 {
		return Stats{}, false
	}
	sorted := slices.Sorted(slices.Values(ms))
	s.Steps, s.Mean = len(ms), sum(ms)/float64(len(ms))
	s.Std = deviation(ms, s.Mean)
	s.Median = percentile.OfSorted(sorted, 50)
	s.P75, s.P99 = percentile.OfSorted(sorted, 75), percentile.OfSorted(sorted, 99)
	return s, true
}

func sum(values []float64) (total float64) {
	for _, v := range values {
		total += v
	}
	return total
}

func deviation(values []float64, mean float64) float64 {
	if len(values) < 2 {
		return 0
	}
	var squares float64
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	return math.Sqrt(squares / float64(len(values)-1))
}

// Mean is the mean of each statistic over servers, every server counting the same; ok is false without any. A mean of
// percentiles is no percentile of all steps: it is what upstream compares.
func Mean(servers []Stats) (m Stats, ok bool) {
	n := float64(len(servers))
	for _, s := range servers {
		m.Steps += s.Steps
		m.Mean += s.Mean / n
		m.Median += s.Median / n
		m.Std += s.Std / n
		m.P75 += s.P75 / n
		m.P99 += s.P99 / n
	}
	return m, n > 0
}
