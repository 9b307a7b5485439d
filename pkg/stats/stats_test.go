package stats

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

func near(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance*max(1, math.Abs(b)) }

func TestClean(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		series []float64
		want   Summary
	}{
		"nothing": {nil, Summary{}},
		"one":     {[]float64{100}, Summary{N: 1, Mean: 100, SD: 0.3}},
		"steady":  {[]float64{100, 100, 100}, Summary{N: 3, Mean: 100, SD: 0.3}},
		"one bad night": {
			[]float64{99, 100, 101, 100, 85}, Summary{N: 4, Dropped: 1, Mean: 100, SD: math.Sqrt(2.0 / 3)},
		},
		"no outlier where all are the same but one that is near": {
			[]float64{100, 100, 100, 101}, Summary{N: 4, Mean: 100.25, SD: 0.5},
		},
	}
	for name, tt := range tests {
		got := Clean(tt.series)
		if got.N != tt.want.N || got.Dropped != tt.want.Dropped || !near(got.Mean, tt.want.Mean, 1e-12) ||
			!near(got.SD, tt.want.SD, 1e-12) {
			t.Errorf("%s: got %+v, want %+v", name, got, tt.want)
		}
	}
}

func TestPredictionBound(t *testing.T) {
	t.Parallel()
	s := Summary{N: 10, Mean: 100, SD: 2}
	// R: qt(0.999, 9) * 2 * sqrt(1.1)
	if got := s.PredictionBound(0.001); !near(got, 4.296806*2*math.Sqrt(1.1), 1e-6) {
		t.Errorf("got %v", got)
	}
	if got := s.TailProbability(-s.PredictionBound(0.02)); !near(got, 0.02, 1e-9) {
		t.Errorf("the bound is exceeded with probability %v", got)
	}
	one := Clean([]float64{1})
	if !math.IsInf(one.PredictionBound(0.05), 1) || one.TailProbability(9) != 1 || !math.IsInf(one.Detectable(0.05,
		0.9), 1) {
		t.Error("one value tells nothing of the next")
	}
}

// The detectable change of a series is what one more value shows with the power that is asked for.
func TestDetectable(t *testing.T) {
	t.Parallel()
	const n, level, wanted, trials = 12, 0.05, 0.9, 20_000
	random := rand.New(rand.NewPCG(1, 2))
	shift := noncentrality(level, wanted, n-1) * math.Sqrt(1+1.0/n) // of a standard deviation of 1
	found := 0
	for range trials {
		series := make([]float64, n)
		for i := range series {
			series[i] = 1000 + random.NormFloat64()
		}
		s := Summary{N: n, Mean: mean(series), SD: deviation(series)}
		if 1000-shift+random.NormFloat64() < s.Mean-s.PredictionBound(level) {
			found++
		}
	}
	if got := float64(found) / trials; math.Abs(got-wanted) > 0.01 {
		t.Errorf("power %v, want %v", got, wanted)
	}
}

// Two values are both far away as often as is said.
func TestTailOfTwo(t *testing.T) {
	t.Parallel()
	const n, away, trials = 8, 2, 200_000
	random := rand.New(rand.NewPCG(3, 4))
	both := 0
	for range trials {
		series := make([]float64, n)
		for i := range series {
			series[i] = random.NormFloat64()
		}
		bound := mean(series) + away*deviation(series)
		if a, b := random.NormFloat64(), random.NormFloat64(); a > bound && b > bound {
			both++
		}
	}
	expected := Summary{N: n, SD: 1}.TailOfTwo(-away)
	if got := float64(both) / trials; math.Abs(got-expected) > 0.1*expected {
		t.Errorf("%v of the trials, %v was said", got, expected)
	}
	if got := (Summary{N: 1, SD: 1}).TailOfTwo(5); got != 1 {
		t.Errorf("of one value: %v", got)
	}
}

func mean(series []float64) float64 {
	sum := 0.0
	for _, v := range series {
		sum += v
	}
	return sum / float64(len(series))
}

func deviation(series []float64) float64 {
	sum, m := 0.0, mean(series)
	for _, v := range series {
		sum += (v - m) * (v - m)
	}
	return math.Sqrt(sum / float64(len(series)-1))
}

// The table that tells how many pairs are worth while: the smallest drop with a power of 90 % in coefficients of
// variation of one measurement, by scipy 1.16 (nct.sf).
func TestPairedDetectable(t *testing.T) {
	t.Parallel()
	for pairs, want := range map[int][2]float64{
		4:  {10.527200548842368, 4.852875759974943},
		6:  {4.803408372375834, 2.9259210385708943},
		8:  {3.349802875374055, 2.2663797721948717},
		16: {1.8463345035727057, 1.4063873797001811},
	} {
		for i, level := range []float64{0.001, 0.01} {
			for _, variation := range []float64{0.003, 0.005, 0.01, 0.02} {
				if got := PairedDetectable(pairs, variation, level, 0.9); !near(got/variation, want[i], 1e-5) {
					t.Errorf("%d pairs, %v, level %v: got %v, want %v", pairs, variation, level, got, want[i]*variation)
				}
			}
		}
	}
	if !math.IsInf(PairedDetectable(1, 1, 0.01, 0.9), 1) {
		t.Error("one pair shows nothing")
	}
}

func TestPaired(t *testing.T) {
	t.Parallel()
	// R: t.test(c(-.1, -.12, -.08, -.1))
	got := Paired([]float64{100, 100, 100, 100, 0}, []float64{90, 88, 92, 90, 5})
	if got.Pairs != 4 || !near(got.Change, -0.1, 1e-12) || !near(got.SD, 0.0163299, 1e-6) || !near(got.P, 0.00117,
		1e-4) {
		t.Errorf("%+v", got)
	}
	for _, same := range [][]float64{{1, 1}, {1}, nil} {
		if got := Paired(same, same); got.P != 1 || got.Change != 0 {
			t.Errorf("of equals: %+v", got)
		}
	}
	if got := Paired([]float64{2, 2}, []float64{1, 1}); got.P != 0 || got.Change != -0.5 {
		t.Errorf("of steady ones: %+v", got)
	}
}

func TestHolm(t *testing.T) {
	t.Parallel()
	tests := []struct {
		probabilities []float64
		want          []bool
	}{
		{nil, []bool{}},
		{[]float64{0.04}, []bool{true}},
		{[]float64{0.04, 0.04}, []bool{false, false}},
		{[]float64{0.04, 0.01, 0.03}, []bool{false, true, false}},
		{[]float64{0.03, 0.001, 0.02}, []bool{true, true, true}},
		{[]float64{math.NaN(), 0.001}, []bool{false, true}},
	}
	for _, tt := range tests {
		if got := Holm(tt.probabilities, 0.05); !slices.Equal(got, tt.want) {
			t.Errorf("%v: got %v, want %v", tt.probabilities, got, tt.want)
		}
	}
}

// Change points are those that Apache Otava 0.8.0 finds in the same series, which were made once with known changes,
// noise, outliers and drift. Its figures of a change are compared where they are of the parts that are left: it does
// not renew those of the change before one that it takes away.
func TestChangesAgreeWithOtava(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/otava-0.8.0.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		MinMagnitude float64 `json:"min_magnitude"`
		Series       []float64
		Changes      []struct {
			Index            int
			Stale            bool
			Before, After, P float64
		}
	}
	if err := json.Unmarshal(data, &cases); err != nil || len(cases) != 20 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	found := 0
	for i, c := range cases {
		got := Changes(c.Series, ChangeOptions{MinMagnitude: c.MinMagnitude})
		if len(got) != len(c.Changes) {
			t.Errorf("series %d: got %v, want %v", i, got, c.Changes)
			continue
		}
		for k, want := range c.Changes {
			found++
			g := got[k]
			differs := !near(g.Before, want.Before, 1e-9) || !near(g.After, want.After, 1e-9) ||
				math.Abs(g.P-want.P) > 1e-9
			if g.Index != want.Index || differs && !want.Stale {
				t.Errorf("series %d: got %+v, want %+v", i, g, want)
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d changes were compared", found)
	}
}

func TestChangesOfSteadySeries(t *testing.T) {
	t.Parallel()
	for _, series := range [][]float64{nil, {1}, {1, 2}, {5, 5, 5, 5, 5, 5}} {
		if got := Changes(series, ChangeOptions{}); got != nil {
			t.Errorf("%v: %v", series, got)
		}
	}
	got := Changes([]float64{5, 5, 5, 6, 6, 6}, ChangeOptions{})
	if len(got) != 1 || got[0].Index != 3 || got[0].P != 0 || !near(got[0].Magnitude(), 0.2, 1e-12) {
		t.Errorf("without noise: %+v", got)
	}
}
