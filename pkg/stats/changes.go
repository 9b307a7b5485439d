package stats

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Change is a change point of a series.
type Change struct {
	Index  int     // of the first value after it
	Before float64 // the mean since the change point before
	After  float64 // the mean until the next
	P      float64 // how likely the two parts differ by as much if nothing has changed
}

// Magnitude is by how much the mean changed, as a part of the smaller of both.
func (c Change) Magnitude() float64 {
	return max(math.Abs(relative(c.Before, c.After)), math.Abs(relative(c.After, c.Before)))
}

func relative(from, to float64) float64 {
	if from == 0 {
		return 0
	}
	return to/from - 1
}

// ChangeOptions are how change points are looked for. The zero value of a field is its default.
type ChangeOptions struct {
	Window       int     // values that are looked at together: 50
	Level        float64 // of the t test that a change point must pass: 0.001
	MinMagnitude float64 // of a change that is reported: none
}

// weakFactor is how much more lenient the first pass is: of two changes near to each other one may hide the other,
// until a third that is not one has been taken away.
const weakFactor = 10

// Changes are the change points of a series, in order: candidates by the E-divisive statistic of Matteson and James
// (2014) within windows that overlap by half, each tested by Student's t, and then, from the weakest on, those taken
// away that do not hold between what is left: the procedure of Fleming et al., Hunter (2023), which Apache Otava has
// too.
func Changes(series []float64, o ChangeOptions) []Change {
	if o.Window < 2 {
		o.Window = 50
	}
	if o.Level == 0 {
		o.Level = 0.001
	}
	return strongest(series, candidates(series, o.Window, weakLevel(o.Level)), o)
}

func weakLevel(level float64) float64 {
	switch {
	case level < 0.05:
		return weakFactor * level
	case level < 0.5:
		return 2 * level
	}
	return level
}

// candidates are the places of possible change points, ascending.
func candidates(series []float64, window int, level float64) []int {
	var found []int
	for start := 0; start < len(series); {
		last := 0
		for _, at := range divide(series[start:min(start+window, len(series))], level) {
			last = start + at
			if !slices.Contains(found, last) {
				found = append(found, last)
			}
		}
		start = max(last, start+window/2)
	}
	slices.Sort(found)
	return found
}

// divide divides a window again and again where its parts differ most, as long as a t test says that they differ.
func divide(window []float64, level float64) (points []int) {
	within := sumsWithin(window)
	for {
		at, from, to := bestPlace(within, points, len(window))
		if at < 0 || compare(window, from, at, to).P > level {
			return points
		}
		points = append(points, at)
		slices.Sort(points)
	}
}

// sumsWithin is, for every part [a, b) of a window, the sum of the distances between its values.
func sumsWithin(window []float64) [][]float64 {
	n := len(window)
	sums := make([][]float64, n+1)
	for a := range sums {
		sums[a] = make([]float64, n+1)
	}
	for b := 1; b <= n; b++ {
		column := 0.0 // distances of value b-1 to those from a on
		for a := b - 2; a >= 0; a-- {
			column += math.Abs(window[b-1] - window[a])
			sums[a][b] = sums[a][b-1] + column
		}
	}
	return sums
}

// bestPlace is where the parts between the points found so far are best divided, and the part that this divides.
func bestPlace(within [][]float64, points []int, n int) (at, from, to int) {
	best, at := math.Inf(-1), -1
	start := 0
	for _, end := range append(slices.Clone(points), n) {
		place, q := divisive(within, start, end)
		if place >= 0 && q > best {
			best, at, from, to = q, place, start, end
		}
		start = end
	}
	return at, from, to
}

// divisive is the place in [start, end) that the E-divisive statistic is greatest for, and the statistic: how far the
// values before it are from those after it, up to any end, less how far they are from each other.
func divisive(within [][]float64, start, end int) (place int, best float64) {
	place, best = -1, math.Inf(-1)
	for at := start + 1; at < end; at++ {
		for until := at + 1; until <= end; until++ {
			n, m := float64(at-start), float64(until-at)
			left, right := within[start][at], within[at][until]
			q := 2 / (n + m) * (within[start][until] - left - right)
			if n > 1 {
				q -= 2 * m / (n + m) / (n - 1) * left
			}
			if m > 1 {
				q -= 2 * n / (n + m) / (m - 1) * right
			}
			if q > best {
				place, best = at, q
			}
		}
	}
	return place, best
}

// compare is the change between two neighbouring parts of a series, by Student's t with one variance for both. The
// variances are those of the values at hand, not estimates of a population's: so does Otava.
func compare(series []float64, from, at, to int) Change {
	left, right := series[from:at], series[at:to]
	c := Change{Index: at, Before: stat.Mean(left, nil), After: stat.Mean(right, nil), P: 1}
	n, m := float64(len(left)), float64(len(right))
	freedom := n + m - 2
	if freedom <= 0 {
		return c
	}
	pooled := ((n-1)*stat.PopVariance(left, nil) + (m-1)*stat.PopVariance(right, nil)) / freedom
	difference := math.Abs(c.Before - c.After)
	switch {
	case pooled > 0:
		t := difference / math.Sqrt(pooled*(1/n+1/m))
		c.P = 2 * distuv.StudentsT{Mu: 0, Sigma: 1, Nu: freedom}.Survival(t)
	case difference > 0:
		c.P = 0
	}
	return c
}

// strongest takes away what is no change point between its neighbours, the weakest first.
func strongest(series []float64, places []int, o ChangeOptions) []Change {
	for {
		changes := between(series, places)
		if len(changes) == 0 {
			return nil
		}
		weakest := 0
		for i, c := range changes {
			if c.P > changes[weakest].P {
				weakest = i
			}
		}
		if changes[weakest].P < o.Level {
			for i, c := range changes {
				if c.Magnitude() < changes[weakest].Magnitude() {
					weakest = i
				}
			}
			if changes[weakest].Magnitude() > o.MinMagnitude {
				return changes
			}
		}
		places = slices.Delete(slices.Clone(places), weakest, weakest+1)
	}
}

func between(series []float64, places []int) []Change {
	changes := make([]Change, 0, len(places))
	for i, at := range places {
		from, to := 0, len(series)
		if i > 0 {
			from = places[i-1]
		}
		if i+1 < len(places) {
			to = places[i+1]
		}
		changes = append(changes, compare(series, from, at, to))
	}
	return changes
}
