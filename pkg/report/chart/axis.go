package chart

import (
	"math"
	"strconv"
	"strings"
)

// axis maps numbers to a coordinate.
type axis struct {
	lo, hi   float64 // numbers at the ends
	from, to float64 // their coordinates
	log      bool
	ticks    []float64
}

// wide is how many times as large as the smallest number the largest must be for a logarithmic axis.
const wide = 50

// newAxis makes an axis for some numbers, with about so many ticks. A linear one begins at 0 if zero says so, or if the
// numbers begin close to it.
func newAxis(values []float64, from, to float64, ticks int, zero, mayBeLog bool) axis {
	lo, hi := bounds(values)
	a := axis{from: from, to: to}
	if mayBeLog && lo > 0 && hi/lo > wide {
		a.logarithmic(lo, hi)
		return a
	}
	if zero || lo > 0 && lo < 0.4*hi {
		lo, hi = min(lo, 0), max(hi, 0)
	}
	if hi-lo < 1e-9*max(math.Abs(lo), math.Abs(hi)) {
		lo, hi = lo-math.Abs(lo)/10, hi+math.Abs(hi)/10
	}
	if hi == lo {
		hi = lo + 1
	}
	step := niceStep((hi - lo) / float64(ticks))
	a.lo, a.hi = math.Floor(lo/step+1e-9)*step, math.Ceil(hi/step-1e-9)*step
	for i := range int(math.Round((a.hi-a.lo)/step)) + 1 {
		a.ticks = append(a.ticks, a.lo+float64(i)*step)
	}
	return a
}

func bounds(values []float64) (lo, hi float64) {
	for i, v := range values {
		if i == 0 {
			lo, hi = v, v
		}
		lo, hi = min(lo, v), max(hi, v)
	}
	return lo, hi
}

// logarithmic makes an axis whose ticks are powers of ten, and steps between them if there are few.
func (a *axis) logarithmic(lo, hi float64) {
	a.log = true
	steps := []float64{1}
	if math.Log10(hi/lo) < 3 {
		steps = []float64{1, 3}
	}
	for e := math.Floor(math.Log10(lo)); e <= math.Ceil(math.Log10(hi)); e++ {
		for _, s := range steps {
			a.ticks = append(a.ticks, s*math.Pow(10, e))
		}
	}
	for len(a.ticks) > 1 && a.ticks[1] <= lo {
		a.ticks = a.ticks[1:]
	}
	for n := len(a.ticks); n > 1 && a.ticks[n-2] >= hi; n = len(a.ticks) {
		a.ticks = a.ticks[:n-1]
	}
	a.lo, a.hi = min(a.ticks[0], lo), max(a.ticks[len(a.ticks)-1], hi)
	var some []float64
	for i := 0; i < len(a.ticks); i += (len(a.ticks) + mostDecades - 1) / mostDecades {
		some = append(some, a.ticks[i])
	}
	a.ticks = some
}

// mostDecades is how many ticks a logarithmic axis has at most.
const mostDecades = 8

// niceStep is the number of 1, 2, 5 and their tenfolds that is next above.
func niceStep(least float64) float64 {
	scale := math.Pow(10, math.Floor(math.Log10(least)))
	for _, s := range []float64{1, 2, 5} {
		if s*scale >= least*(1-1e-9) {
			return s * scale
		}
	}
	return 10 * scale
}

// at is the coordinate of a number.
func (a axis) at(v float64) float64 {
	part := (v - a.lo) / (a.hi - a.lo)
	if a.log {
		part = math.Log(v/a.lo) / math.Log(a.hi/a.lo)
	}
	return a.from + part*(a.to-a.from)
}

// label is a tick's number, with as many digits as tell it from the next.
func (a axis) label(v float64) string {
	step := v
	if !a.log && len(a.ticks) > 1 {
		step = a.ticks[1] - a.ticks[0]
	}
	decimals := 0
	if step > 0 && step < 1 {
		decimals = int(math.Ceil(-math.Log10(step) - 1e-9))
	}
	return thousands(strconv.FormatFloat(v, 'f', decimals, 64))
}

// thousands puts commas into a number.
func thousands(text string) string {
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	whole, fraction, found := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if found {
		fraction = "." + fraction
	}
	return sign + whole + fraction
}
