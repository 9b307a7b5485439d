package stats

import (
	"math"

	"gonum.org/v1/gonum/stat"

	"github.com/disagg/disagg/pkg/stats/percentile"
)

// MinSpread is the least spread that is believed of a series, as a part of its centre: a handful of values may be
// closer to each other by chance than any machine is steady.
const MinSpread = 0.003

// outlierAfter is how many spreads from the median a value must be to be left out: values of a normal distribution are
// further away in 1 of 16,000.
const outlierAfter = 4

// madToSD makes the median absolute deviation of a normal distribution its standard deviation.
const madToSD = 1.4826

// Summary is a series without its outliers.
type Summary struct {
	N       int // values that were kept
	Dropped int // outliers
	Mean    float64
	SD      float64 // of one value; at least MinSpread of the mean
}

// Clean summarises a series: values more than four spreads from the median, by the median absolute deviation, are left
// out; of the rest it takes mean and standard deviation. One bad night in twenty would otherwise widen the interval so
// that no drop is ever outside of it. The order of the series is of no matter. Of an empty one everything is 0.
func Clean(series []float64) Summary {
	if len(series) == 0 {
		return Summary{}
	}
	centre := percentile.Median(series)
	away := make([]float64, len(series))
	for i, v := range series {
		away[i] = math.Abs(v - centre)
	}
	spread := max(madToSD*percentile.Median(away), MinSpread*math.Abs(centre))
	var kept []float64
	for _, v := range series {
		if math.Abs(v-centre) <= outlierAfter*spread {
			kept = append(kept, v)
		}
	}
	s := Summary{N: len(kept), Dropped: len(series) - len(kept), Mean: stat.Mean(kept, nil)}
	if s.N > 1 {
		s.SD = stat.StdDev(kept, nil)
	}
	s.SD = max(s.SD, MinSpread*math.Abs(s.Mean))
	return s
}
