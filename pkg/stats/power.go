package stats

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"gonum.org/v1/gonum/integrate/quad"
	"gonum.org/v1/gonum/stat/distuv"
)

type ranked struct {
	index, position int
	value           float64
}

// ascending are the values with their places before and after sorting; NaN comes last.
func ascending(values []float64) []ranked {
	list := make([]ranked, len(values))
	for i, v := range values {
		list[i] = ranked{index: i, value: v}
	}
	slices.SortStableFunc(list, func(a, b ranked) int {
		if math.IsNaN(a.value) != math.IsNaN(b.value) {
			return cmp.Compare(boolInt(math.IsNaN(a.value)), boolInt(math.IsNaN(b.value)))
		}
		return cmp.Compare(a.value, b.value)
	})
	for i := range list {
		list[i].position = i
	}
	return list
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// rule is a quadrature rule on [-1, 1]: places and weights.
type rule struct{ places, weights []float64 }

func legendre(points int) func() rule {
	return sync.OnceValue(func() rule {
		r := rule{places: make([]float64, points), weights: make([]float64, points)}
		quad.Legendre{}.FixedLocations(r.places, r.weights, -1, 1)
		return r
	})
}

// Their numbers of points are enough for five digits of what is integrated with them here.
var fine, coarse = legendre(200), legendre(40)

func (r rule) integrate(from, to float64, f func(float64) float64) float64 {
	sum, middle, half := 0.0, (from+to)/2, (to-from)/2
	for i, place := range r.places {
		sum += r.weights[i] * f(middle+half*place)
	}
	return sum * half
}

// edge is the part of a distribution on either side that integrals leave out.
const edge = 1e-10

// spread is a value that the standard deviation of a sample may have, as a part of the true one, and how likely it is
// where a rule of quadrature has its place.
type spread struct{ value, chance float64 }

// spreads are what the standard deviation of a sample with so many degrees of freedom may be. The density is that of
// the root of a chi squared value: its square's has no bound at 0 for one degree of freedom.
func (r rule) spreads(freedom int) []spread {
	chi := distuv.ChiSquared{K: float64(freedom)}
	from, to := math.Sqrt(chi.Quantile(edge)), math.Sqrt(chi.Quantile(1-edge))
	list := make([]spread, len(r.places))
	for i, place := range r.places {
		x := (from+to)/2 + (to-from)/2*place
		list[i] = spread{x / math.Sqrt(float64(freedom)), r.weights[i] * (to - from) / 2 * 2 * x * chi.Prob(x*x)}
	}
	return list
}

// overSpread integrates over what the standard deviation of a sample may be.
func overSpread(spreads []spread, f func(spread float64) float64) (sum float64) {
	for _, s := range spreads {
		sum += s.chance * f(s.value)
	}
	return sum
}

// fewFreedoms: with fewer degrees of freedom than these the density is too steep for the coarse rule.
const fewFreedoms = 5

// tTest is a one-sided t test at a level with so many degrees of freedom.
type tTest struct {
	bound   float64
	spreads []spread
}

func newTTest(level float64, freedom int) tTest {
	r := coarse()
	if freedom < fewFreedoms {
		r = fine()
	}
	return tTest{bound: studentQuantile(1-level, freedom), spreads: r.spreads(freedom)}
}

// power is how often the test rejects if its statistic has a noncentrality: the survival function of the noncentral t
// distribution at the test's bound. A noncentral t is a normal value over the root of an independent chi squared one,
// over which this integrates.
func (t tTest) power(noncentrality float64) float64 {
	return overSpread(t.spreads, func(spread float64) float64 {
		return distuv.UnitNormal.CDF(noncentrality - t.bound*spread)
	})
}

// noncentrality is the one with which a t test at a level has a power. The normal distribution gives the first guess.
func noncentrality(level, wanted float64, freedom int) float64 {
	test := newTTest(level, freedom)
	low, high := 0.0, test.bound+distuv.UnitNormal.Quantile(wanted)
	for test.power(high) < wanted {
		low, high = high, 2*high
	}
	for high-low > 1e-6*high {
		if middle := (low + high) / 2; test.power(middle) < wanted {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}
