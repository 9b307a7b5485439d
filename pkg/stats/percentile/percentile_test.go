package percentile

import (
	"math"
	"slices"
	"testing"
)

func TestPercentile(t *testing.T) {
	t.Parallel()
	series := []float64{4, 1, 3, 2}
	for p, want := range map[float64]float64{0: 1, 50: 2.5, 95: 3.85, 100: 4} {
		if got := Of(series, p); math.Abs(got-want) > 1e-12 {
			t.Errorf("P%v: got %v, want %v", p, got, want)
		}
	}
	if !slices.Equal(series, []float64{4, 1, 3, 2}) {
		t.Error("the series was sorted in place")
	}
	if !math.IsNaN(Median(nil)) || Median([]float64{7}) != 7 {
		t.Error("of no value and of one")
	}
}
