package stats

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// A value is left out if it is more than four spreads away, by the deviations of the others; the spread is never less
// than what any machine has.
func TestOutliers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		series []float64
		out    int
	}{
		"four spreads away":         {[]float64{99, 99, 100, 100, 101, 101, 100 + 4*1.48}, 0},
		"more":                      {[]float64{99, 99, 100, 100, 101, 101, 100 + 4*1.49}, 1},
		"below":                     {[]float64{99, 99, 100, 100, 101, 101, 100 - 4*1.49}, 1},
		"steady, four spreads away": {[]float64{1000, 1000, 1000, 1000, 1011.9}, 0},
		"steady, more":              {[]float64{1000, 1000, 1000, 1000, 1012.1}, 1},
		"below zero":                {[]float64{-1000, -1000, -1000, -1000, -1012.1}, 1},
		"below zero, near":          {[]float64{-1000, -1000, -1000, -1000, -1011.9}, 0},
		"both sides":                {[]float64{10, 100, 100, 100, 100, 100, 1000}, 2},
	} {
		if got := Clean(tt.series); got.Dropped != tt.out || got.N+got.Dropped != len(tt.series) {
			t.Errorf("%s: %+v, want %d left out", name, got, tt.out)
		}
	}
}

// The order of a series is of no matter, and it is left as it is; its unit is that of the summary.
func TestCleanOfAnyOrder(t *testing.T) {
	t.Parallel()
	series := []float64{104, 99, 101, 97, 300, 100, 102}
	want, backwards, scaled := Clean(series), slices.Clone(series), slices.Clone(series)
	slices.Reverse(backwards)
	for i := range scaled {
		scaled[i] *= -10
	}
	if got := Clean(backwards); got.N != want.N || !near(got.Mean, want.Mean, 1e-12) || !near(got.SD, want.SD, 1e-12) {
		t.Errorf("backwards %+v, want %+v", got, want)
	}
	if got := Clean(scaled); !near(got.Mean, -10*want.Mean, 1e-12) || !near(got.SD, 10*want.SD, 1e-12) {
		t.Errorf("in another unit %+v, want -10 times %+v", got, want)
	}
	if series[4] != 300 || want.Dropped != 1 {
		t.Errorf("%v: %+v", series, want)
	}
}

// A bound is what Student's t has for as many values; two are the fewest that tell something.
func TestBoundsOfFewValues(t *testing.T) {
	t.Parallel()
	for n, quantile := range map[int]float64{2: 6.313752, 3: 2.919986, 5: 2.131847, 30: 1.699127} { // R: qt(0.95, n-1)
		s := Summary{N: n, SD: 3}
		want := quantile * 3 * math.Sqrt(1+1/float64(n))
		if got := s.PredictionBound(0.05); !near(got, want, 1e-6) {
			t.Errorf("%d values: %v, want %v", n, got, want)
		}
		for _, away := range []float64{want, -want} {
			if got := s.TailProbability(away); !near(got, 0.05, 1e-6) {
				t.Errorf("%d values: %v away with %v", n, away, got)
			}
		}
	}
	for _, n := range []int{0, 1} {
		s := Summary{N: n, SD: 3}
		if !math.IsInf(s.PredictionBound(0.05), 1) || s.TailProbability(100) != 1 || s.TailOfTwo(100) != 1 ||
			!math.IsInf(s.Detectable(0.05, 0.9), 1) {
			t.Errorf("%d values tell something", n)
		}
	}
	if got := (Summary{N: 4, SD: 2}).Spread(0.975); !near(got, 1.959964*2*math.Sqrt(1.25), 1e-6) {
		t.Errorf("the spread is %v", got)
	}
}

// Of very many values the mean and spread are known: two more are far away as often as two independent ones. Of few it
// is likelier, but not as likely as for one of them.
func TestTailOfTwoIsBetween(t *testing.T) {
	t.Parallel()
	for _, away := range []float64{0, 0.5, 1, 2, 3} {
		one := distuv.UnitNormal.Survival(away)
		many := Summary{N: 1_000_000, SD: 5}.TailOfTwo(-5 * away)
		if !near(many/(one*one), 1, 1e-3) {
			t.Errorf("%v: %v, want %v", away, many, one*one)
		}
		few := Summary{N: 6, SD: 5}
		if both, single := few.TailOfTwo(5*away), few.TailProbability(5*away); both < many || both > single {
			t.Errorf("%v: both %v, one %v, of many %v", away, both, single, many)
		}
	}
}

// A change is detectable if the bound for as many values is exceeded as often as was asked for; of very many it is what
// the normal distribution says.
func TestDetectableOfManyValues(t *testing.T) {
	t.Parallel()
	s := Summary{N: 100_000, SD: 2}
	if got, want := s.Detectable(0.05, 0.9), 2*(1.644854+1.281552); !near(got, want, 1e-3) {
		t.Errorf("%v, want %v", got, want)
	}
	last := math.Inf(1)
	for _, n := range []int{2, 3, 5, 10, 100} {
		got := Summary{N: n, SD: 2}.Detectable(0.01, 0.9)
		if got >= last || got <= s.Detectable(0.01, 0.9) {
			t.Errorf("of %d values %v, of fewer %v", n, got, last)
		}
		last = got
	}
	if a, b := s.Detectable(0.05, 0.5), s.Detectable(0.001, 0.5); a >= b || s.Detectable(0.05, 0.9) <= a {
		t.Errorf("%v at 5 %%, %v at 0.1 %%", a, b)
	}
}

// The power of a test at what is detectable is what was asked for, for few values and for many.
func TestNoncentralityHasThePower(t *testing.T) {
	t.Parallel()
	for _, freedom := range []int{1, 2, 4, 5, 6, 30, 1000} {
		for _, wanted := range []float64{0.5, 0.9, 0.99} {
			shift := noncentrality(0.01, wanted, freedom)
			if got := newTTest(0.01, freedom).power(shift); !near(got, wanted, 1e-4) || got < wanted {
				t.Errorf("%d degrees of freedom: power %v, want %v", freedom, got, wanted)
			}
		}
		if got := newTTest(0.01, freedom).power(0); !near(got, 0.01, 1e-3) {
			t.Errorf("%d degrees of freedom: without a change %v, want the level", freedom, got)
		}
	}
}

// A rule integrates what it is for: polynomials, and the spread of samples, whose squares have the mean 1.
func TestRules(t *testing.T) {
	t.Parallel()
	if got := coarse().integrate(-1, 3, func(x float64) float64 { return x * x }); !near(got, 28.0/3, 1e-9) {
		t.Errorf("%v", got)
	}
	for freedom, r := range map[int]rule{1: fine(), 2: fine(), 4: fine(), 5: coarse(), 50: coarse(), 5000: coarse()} {
		list := r.spreads(freedom)
		all := overSpread(list, func(float64) float64 { return 1 })
		square := overSpread(list, func(spread float64) float64 { return spread * spread })
		if math.Abs(all-1) > 1e-4 || math.Abs(square-1) > 1e-4 {
			t.Errorf("%d degrees of freedom: %v in all, squares of %v", freedom, all, square)
		}
	}
}

// The procedure stops at the first hypothesis that holds, counts ties, and takes what is no probability for nothing.
func TestHolmStops(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		probabilities []float64
		want          []bool
	}{
		{[]float64{0.05}, []bool{true}}, {[]float64{0.025, 0.05}, []bool{true, true}},
		{[]float64{0.026, 0.001}, []bool{true, true}}, {[]float64{0.026, 0.026}, []bool{false, false}},
		{[]float64{0.03, 0.9, 0.001}, []bool{false, false, true}},
		{[]float64{math.NaN(), 0.04, math.NaN()}, []bool{false, false, false}},
		{[]float64{0, 0, 0}, []bool{true, true, true}},
	} {
		if got := Holm(tt.probabilities, 0.05); !slices.Equal(got, tt.want) {
			t.Errorf("%v: %v, want %v", tt.probabilities, got, tt.want)
		}
	}
}

// Pairs are those of both series that have a first value above 0; means are of those, and what is left over is none.
func TestWhichPairs(t *testing.T) {
	t.Parallel()
	got := Paired([]float64{100, -1, 0, 200, 50}, []float64{110, 7, 7, 180})
	if got.Pairs != 2 || !near(got.First, 150, 1e-12) || !near(got.Second, 145, 1e-12) || !near(got.Change, 0, 1e-12) {
		t.Errorf("%+v", got)
	}
	one := Paired([]float64{100}, []float64{80})
	if one.Pairs != 1 || one.P != 1 || one.SD != 0 || !near(one.Change, -0.2, 1e-12) {
		t.Errorf("%+v", one)
	}
	two := Paired([]float64{100, 100}, []float64{90, 80})
	// R: t.test(c(-.1, -.2)): t = -3, p = 0.2048
	if !near(two.P, 0.204833, 1e-5) || !near(two.SD, 0.0707107, 1e-6) {
		t.Errorf("%+v", two)
	}
	if !math.IsInf(PairedDetectable(0, 1, 0.01, 0.9), 1) || math.IsInf(PairedDetectable(2, 1, 0.01, 0.9), 1) {
		t.Error("two pairs show something, fewer nothing")
	}
}
