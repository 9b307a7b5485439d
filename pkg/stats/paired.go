package stats

import (
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// PairedResult is what pairs of measurements say of a change.
type PairedResult struct {
	Pairs  int
	First  float64 // mean of the first values
	Second float64
	Change float64 // mean of the changes, as a part of the first value: -0.1 is ten per cent less
	SD     float64 // of the changes
	P      float64 // two-sided: how likely pairs differ by as much if nothing has changed
}

// Paired compares pairs of measurements, of which each was made under the same conditions: a paired t test on the
// relative changes from first to second. A pair whose first value is not positive is left out. P is 1 with fewer than
// two pairs.
func Paired(first, second []float64) PairedResult {
	var changes, firsts, seconds []float64
	for i := range min(len(first), len(second)) {
		if first[i] > 0 {
			changes = append(changes, second[i]/first[i]-1)
			firsts, seconds = append(firsts, first[i]), append(seconds, second[i])
		}
	}
	r := PairedResult{Pairs: len(changes), P: 1}
	if r.Pairs == 0 {
		return r
	}
	r.First, r.Second, r.Change = stat.Mean(firsts, nil), stat.Mean(seconds, nil), stat.Mean(changes, nil)
	if r.Pairs == 1 {
		return r
	}
	r.SD = stat.StdDev(changes, nil)
	switch {
	case r.SD > 0:
		t := math.Abs(r.Change) / (r.SD / math.Sqrt(float64(r.Pairs)))
		r.P = 2 * distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(r.Pairs - 1)}.Survival(t)
	case r.Change != 0:
		r.P = 0
	}
	return r
}

// PairedDetectable is the smallest change, as a part of the value, that so many pairs show in a one-sided test at a
// level with a power, if one measurement has a coefficient of variation. It is infinite with fewer than two pairs.
func PairedDetectable(pairs int, variation, level, power float64) float64 {
	if pairs < 2 {
		return math.Inf(1)
	}
	return noncentrality(level, power, pairs-1) * variation * math.Sqrt2 / math.Sqrt(float64(pairs))
}
