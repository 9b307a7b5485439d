// Package percentile has percentiles of a series of values, and nothing else: agents, which are too small for a library
// of statistics, use it too.
//
// Rules:
//   - Between the two nearest ranks it interpolates linearly (of n values the rank is p/100·(n-1)), as numpy's default
//     does.
package percentile

import (
	"math"
	"slices"
)

// Median is the middle value of a series, or the mean of the middle two; NaN of an empty one.
func Median(series []float64) float64 { return Of(series, 50) }

// Of is the value below which p per cent of a series are; NaN of an empty series.
func Of(series []float64, p float64) float64 {
	if len(series) == 0 {
		return math.NaN()
	}
	return OfSorted(slices.Sorted(slices.Values(series)), p)
}

// OfSorted is [Of] for a series that is sorted already, with at least one value.
func OfSorted(sorted []float64, p float64) float64 {
	rank := p / 100 * float64(len(sorted)-1)
	low := min(max(int(math.Floor(rank)), 0), len(sorted)-1)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (sorted[high]-sorted[low])*(rank-float64(low))
}
