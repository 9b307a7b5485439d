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

// Their numbers of points are enough for six digits of what is integrated here.
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

// overSpread integrates over what the standard deviation of a sample with so many degrees of freedom may be, as a part
// of the true one.
func (r rule) overSpread(freedom int, f func(spread float64) float64) float64 {
	chi := distuv.ChiSquared{K: float64(freedom)}
	return r.integrate(chi.Quantile(edge), chi.Quantile(1-edge), func(x float64) float64 {
		return chi.Prob(x) * f(math.Sqrt(x/float64(freedom)))
	})
}

// power is how often a one-sided t test at a level rejects, if the statistic has so many degrees of freedom and a
// noncentrality: the survival function of the noncentral t distribution at the test's bound. A noncentral t is a normal
// value over the root of an independent chi squared one, over which this integrates.
func power(level, noncentrality float64, freedom int) float64 {
	bound := studentQuantile(1-level, freedom)
	return fine().overSpread(freedom, func(spread float64) float64 {
		return distuv.UnitNormal.CDF(noncentrality - bound*spread)
	})
}

// asked is a question for a noncentrality.
type asked struct {
	level, power float64
	freedom      int
}

// answered are those that were asked: the same few levels and sizes are asked for again and again, and each answer
// takes a millisecond.
var answered sync.Map

// noncentrality is the one with which a t test at a level has a power.
func noncentrality(level, wanted float64, freedom int) float64 {
	question := asked{level, wanted, freedom}
	if known, ok := answered.Load(question); ok {
		return known.(float64)
	}
	found := findNoncentrality(level, wanted, freedom)
	answered.Store(question, found)
	return found
}

// findNoncentrality begins with what the normal distribution says.
func findNoncentrality(level, wanted float64, freedom int) float64 {
	low := 0.0
	high := studentQuantile(1-level, freedom) + distuv.UnitNormal.Quantile(wanted)
	for power(level, high, freedom) < wanted {
		low, high = high, 2*high
	}
	for high-low > 1e-6*high {
		if middle := (low + high) / 2; power(level, middle, freedom) < wanted {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}
