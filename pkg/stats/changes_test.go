package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// steps is a series of parts of so many values around a centre, with a little noise that is the same each time.
func steps(noise float64, parts ...[2]float64) (series []float64) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, p := range parts {
		for range int(p[0]) {
			series = append(series, p[1]*(1+noise*random.NormFloat64()))
		}
	}
	return series
}

func places(list []Change) (at []int) {
	for _, c := range list {
		at = append(at, c.Index)
	}
	return at
}

// A change is found where it is, in order, wherever windows begin and end, and however many there are.
func TestChangesWhereTheyAre(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		series []float64
		want   []int
	}{
		"one": {steps(0.01, [2]float64{20, 100}, [2]float64{20, 110}), []int{20}},
		"up and down": {
			steps(0.01, [2]float64{20, 100}, [2]float64{20, 120}, [2]float64{20, 100}), []int{20, 40},
		},
		"at the end of a window":  {steps(0.01, [2]float64{50, 100}, [2]float64{50, 90}), []int{50}},
		"behind the first window": {steps(0.01, [2]float64{110, 100}, [2]float64{40, 90}), []int{110}},
		"far from each other": {
			steps(0.01, [2]float64{70, 100}, [2]float64{70, 90}, [2]float64{70, 80}), []int{70, 140},
		},
		"below zero":         {steps(0.01, [2]float64{20, -100}, [2]float64{20, -110}), []int{20}},
		"none":               {steps(0.01, [2]float64{120, 100}), nil},
		"a single bad night": {steps(0.01, [2]float64{20, 100}, [2]float64{1, 50}, [2]float64{20, 100}), nil},
	} {
		before := slices.Clone(tt.series)
		if got := places(Changes(tt.series, ChangeOptions{})); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
		if !slices.Equal(before, tt.series) {
			t.Errorf("%s: the series was changed", name)
		}
	}
}

// In which unit a series is does not matter, nor which way a change goes.
func TestChangesOfAnotherUnit(t *testing.T) {
	t.Parallel()
	series := steps(0.01, [2]float64{25, 100}, [2]float64{25, 95}, [2]float64{25, 105})
	first := Changes(series, ChangeOptions{})
	if len(first) != 2 {
		t.Fatalf("%v", first)
	}
	scaled := slices.Clone(series)
	for i := range scaled {
		scaled[i] *= 1000
	}
	for i, c := range Changes(scaled, ChangeOptions{}) {
		if c.Index != first[i].Index || !near(c.Before, 1000*first[i].Before, 1e-9) || !near(c.P, first[i].P, 1e-9) {
			t.Errorf("%+v, want 1000 times %+v", c, first[i])
		}
	}
	slices.Reverse(series)
	if got := places(Changes(series, ChangeOptions{})); !slices.Equal(got, []int{25, 50}) {
		t.Errorf("backwards: %v", got)
	}
}

// What is said of a change is about the parts between it and its neighbours.
func TestChangeIsBetweenItsNeighbours(t *testing.T) {
	t.Parallel()
	got := Changes(steps(0.001, [2]float64{20, 100}, [2]float64{20, 200}, [2]float64{20, 50}), ChangeOptions{})
	if len(got) != 2 || !near(got[0].Before, 100, 1e-2) || !near(got[0].After, 200, 1e-2) ||
		!near(got[1].Before, 200, 1e-2) || !near(got[1].After, 50, 1e-2) {
		t.Errorf("%+v", got)
	}
}

// A change smaller than what was asked for is taken away; of one that is left its neighbours are measured anew.
func TestMinMagnitude(t *testing.T) {
	t.Parallel()
	series := steps(0.001, [2]float64{20, 100}, [2]float64{20, 103}, [2]float64{20, 150})
	for least, want := range map[float64][]int{0: {20, 40}, 0.02: {20, 40}, 0.04: {40}, 0.4: {40}, 0.6: nil} {
		got := Changes(series, ChangeOptions{MinMagnitude: least})
		if !slices.Equal(places(got), want) {
			t.Errorf("%v: %v, want %v", least, got, want)
		}
		if len(got) == 1 && !near(got[0].Before, 101.5, 1e-2) {
			t.Errorf("%v: %+v is not of all values before it", least, got[0])
		}
	}
}

// A stricter level finds no more, and what is found is within the level.
func TestLevel(t *testing.T) {
	t.Parallel()
	series := steps(0.05, [2]float64{12, 100}, [2]float64{12, 108})
	for _, level := range []float64{0.3, 0.05, 0.001, 1e-9} {
		for _, c := range Changes(series, ChangeOptions{Level: level}) {
			if c.P >= level {
				t.Errorf("at level %v: %+v", level, c)
			}
		}
	}
	if len(Changes(series, ChangeOptions{Level: 0.05})) != 1 || len(Changes(series, ChangeOptions{Level: 1e-9})) != 0 {
		t.Error("the level decides nothing")
	}
	for level, want := range map[float64]float64{0.001: 0.01, 0.049: 0.49, 0.05: 0.1, 0.49: 0.98, 0.5: 0.5, 1: 1} {
		if got := weakLevel(level); !near(got, want, 1e-12) {
			t.Errorf("the first pass of level %v has %v, want %v", level, got, want)
		}
	}
}

// A window of fewer than two values is none; a small one sees what is near only.
func TestWindow(t *testing.T) {
	t.Parallel()
	series := steps(0.01, [2]float64{30, 100}, [2]float64{30, 120})
	for _, window := range []int{-1, 0, 1, 50, 20, 1000} {
		if got := places(Changes(series, ChangeOptions{Window: window})); !slices.Equal(got, []int{30}) {
			t.Errorf("window %d: %v", window, got)
		}
	}
	if got := Changes(series, ChangeOptions{Window: 2}); got != nil { // two values show no spread
		t.Errorf("window 2: %v", got)
	}
}

// The magnitude is a part of the smaller side, whichever way the change goes.
func TestMagnitude(t *testing.T) {
	t.Parallel()
	for want, c := range map[float64]Change{
		1: {Before: 10, After: 20}, 1.5: {Before: 25, After: 10}, 0: {Before: 7, After: 7}, 2: {Before: -3, After: -1},
	} {
		if got := c.Magnitude(); !near(got, want, 1e-12) {
			t.Errorf("%+v: %v, want %v", c, got, want)
		}
	}
	if got := (Change{Before: 0, After: 5}).Magnitude(); got != 1 { // all of it
		t.Errorf("from nothing: %v", got)
	}
	if got := (Change{}).Magnitude(); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

// The sum of distances within a part is that of all its pairs.
func TestSumsWithin(t *testing.T) {
	t.Parallel()
	window := []float64{3, 1, 4, 1, 5}
	sums := sumsWithin(window)
	for from := range window {
		for to := from; to <= len(window); to++ {
			want := 0.0
			for i := from; i < to; i++ {
				for k := from; k < i; k++ {
					want += math.Abs(window[i] - window[k])
				}
			}
			if !near(sums[from][to], want, 1e-12) {
				t.Errorf("[%d, %d): %v, want %v", from, to, sums[from][to], want)
			}
		}
	}
}

// FuzzChanges makes sure that whatever a series is, its changes are in order, within it, and hold at the level.
func FuzzChanges(f *testing.F) {
	f.Add([]byte{1, 1, 1, 1, 9, 9, 9, 9}, 4)
	f.Add([]byte{}, 0)
	f.Add([]byte{0, 0, 0, 5, 5, 5, 0, 0, 0, 200}, 50)
	f.Fuzz(func(t *testing.T, data []byte, window int) {
		series := make([]float64, min(len(data), 60))
		for i := range series {
			series[i] = float64(int(data[i]) - 100)
		}
		last := 0
		for _, c := range Changes(series, ChangeOptions{Window: window % 100}) {
			if c.Index <= last || c.Index >= len(series) || !(c.P < 0.001) || c.Before == c.After {
				t.Errorf("%+v after %d in %v", c, last, series)
			}
			last = c.Index
		}
	})
}
