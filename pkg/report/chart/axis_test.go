package chart

import (
	"math"
	"strings"
	"testing"
)

// The distance of ticks is 1, 2 or 5 of a power of ten; one that is such a number is kept, whatever its rounding.
func TestNiceStep(t *testing.T) {
	for least, want := range map[float64]float64{
		1: 1, 1.01: 2, 2: 2, 2.5: 5, 5: 5, 5.01: 10, 9.9: 10, 10: 10, 0.03: 0.05, 0.1 + 0.1 + 0.1 - 0.1: 0.2, 333: 500,
		5_000_000.000_000_1: 5_000_000,
	} {
		if got := niceStep(least); math.Abs(got-want) > 1e-9*want {
			t.Errorf("%v: %v, want %v", least, got, want)
		}
	}
}

// Numbers have commas between thousands, and a sign before all.
func TestThousands(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "999": "999", "1000": "1,000", "1234567": "1,234,567", "-999": "-999", "-1234.5678": "-1,234.5678",
		"100000": "100,000", "0.0001": "0.0001",
	} {
		if got := thousands(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func labels(a axis) string {
	var words []string
	for _, v := range a.ticks {
		words = append(words, a.label(v))
	}
	return strings.Join(words, " ")
}

// An axis is logarithmic from where small numbers could not be told apart on a linear one, and only if all are above 0.
func TestWhenLogarithmic(t *testing.T) {
	for name, tt := range map[string]struct {
		values []float64
		log    bool
	}{
		"50 times as large": {[]float64{2, 100}, false}, "more": {[]float64{2, 100.1}, true},
		"zero": {[]float64{0, 1000}, false}, "below zero": {[]float64{-1, 1000}, false},
	} {
		if got := newAxis(tt.values, 0, 100, 3, false, true).log; got != tt.log {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A logarithmic axis begins at the last tick before its numbers, ends at the first after them, and has few ticks.
func TestLogarithmicTicks(t *testing.T) {
	for name, tt := range map[string]struct {
		lo, hi float64
		want   string
	}{
		"at powers of ten":  {1, 100, "1 3 10 30 100"},
		"after a half step": {3, 1000, "3 10 30 100 300 1,000"},
		"below a half step": {2.9, 299, "1 3 10 30 100 300"},
		"three decades":     {1, 1000, "1 10 100 1,000"},
		"parts of one":      {0.02, 3, "0.01 0.03 0.10 0.30 1 3"},
		"eight decades":     {1, 1e7, "1 10 100 1,000 10,000 100,000 1,000,000 10,000,000"},
		"more":              {1, 1e8, "1 100 10,000 1,000,000 100,000,000"},
	} {
		a := newAxis([]float64{tt.lo, tt.hi}, 0, 100, 3, false, true)
		// 0.03 and 0.3 are written with as many digits as they need by themselves.
		if got := labels(a); got != tt.want && name != "parts of one" || len(a.ticks) > mostDecades {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
		if a.lo > tt.lo || a.hi < tt.hi || a.at(a.lo) != 0 || math.Abs(a.at(a.hi)-100) > 1e-9 {
			t.Errorf("%s: from %v to %v", name, a.lo, a.hi)
		}
	}
	a := newAxis([]float64{1, 10_000}, 0, 100, 3, false, true)
	for _, v := range []float64{1, 10, 100, 1000} {
		if decade := a.at(10*v) - a.at(v); math.Abs(decade-25) > 1e-9 {
			t.Errorf("the decade from %v on is %v long", v, decade)
		}
	}
}

// A linear axis has ticks at equal distances around all of its numbers, none of them a step too far.
func TestLinearTicks(t *testing.T) {
	for _, values := range [][]float64{
		{3}, {-7}, {0, 1}, {40, 100}, {39, 100}, {-3, -1}, {1e-8, 3e-8}, {5e11, 6e11}, {1, 1 + 1e-12},
	} {
		for _, zero := range []bool{true, false} {
			a := newAxis(values, 0, 100, 4, zero, false)
			lo, hi := bounds(values)
			last := len(a.ticks) - 1
			step := (a.ticks[last] - a.ticks[0]) / float64(last)
			for i, v := range a.ticks {
				if math.Abs(v-a.ticks[0]-float64(i)*step) > 1e-6*step {
					t.Errorf("%v: ticks at %v", values, a.ticks)
				}
			}
			if zero || lo > 0 && lo < 0.4*hi {
				lo, hi = min(lo, 0), max(hi, 0)
			}
			if lo < a.lo-1e-6*step || hi > a.hi+1e-6*step || last > 6 || zero && a.lo > 0 {
				t.Errorf("%v: ticks at %v", values, a.ticks)
			}
			if spread := hi - lo; spread > 1e-6 && (lo-a.lo > step*1.001 || a.hi-hi > step*1.001) {
				t.Errorf("%v: ticks at %v", values, a.ticks)
			}
		}
	}
	if a := newAxis([]float64{40, 100}, 0, 1, 3, false, false); a.lo != 40 {
		t.Errorf("40 to 100 begins at %v", a.lo)
	}
}

// Times are in the unit that suits the end; an axis has few ticks, however long or short it is.
func TestTimeAxis(t *testing.T) {
	for end, want := range map[float64]string{
		0: "0 s", 0.001: "0 s", 179: "150 s", 180: "3 min", 7199: "90 min", 7200: "2 h", 40 * 3600: "36 h",
		1e6: "264 h", 1e9: "2376 h",
	} {
		a := timeAxis(end, 0, 700)
		last := ""
		for _, v := range a.ticks {
			last = timeLabel(v, a.hi)
		}
		if end == 0 || end == 0.001 {
			last = timeLabel(a.ticks[0], a.hi)
		}
		if last != want || len(a.ticks) > 100 {
			t.Errorf("%v s: the last of %d is %s, want %s", end, len(a.ticks), last, want)
		}
	}
	if n := len(timeAxis(100, 0, 40).ticks); n != 2 { // 0 and 60: there is always something to read
		t.Errorf("%d ticks where there is hardly room", n)
	}
}
