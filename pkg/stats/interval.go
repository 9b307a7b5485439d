package stats

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// PredictionBound is how far one more value may be from the mean of a series on one side, at a level: it is further
// away by chance with that probability. It is infinite if fewer than two values are known.
func (s Summary) PredictionBound(level float64) float64 {
	if s.N < 2 {
		return math.Inf(1)
	}
	return studentQuantile(1-level, s.N-1) * s.predictionSD()
}

// predictionSD is the standard deviation of the difference between one more value and the mean.
func (s Summary) predictionSD() float64 { return s.SD * math.Sqrt(1+1/float64(s.N)) }

// Spread is how far below its own mean one more value is with a probability of at most 1-p, as the normal distribution
// has it.
func (s Summary) Spread(p float64) float64 { return distuv.UnitNormal.Quantile(p) * s.predictionSD() }

// TailProbability is how likely one more value is as far above the mean as away, or further; below it for a negative
// one. It is 1 if fewer than two values are known.
func (s Summary) TailProbability(away float64) float64 {
	if s.N < 2 {
		return 1
	}
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(s.N - 1)}
	return t.Survival(math.Abs(away) / s.predictionSD())
}

// TailOfTwo is how likely two more values both are as far above the mean as away, or further; below it for a negative
// one. They are not independent: both are compared with the same mean and spread, which are a sample's.
func (s Summary) TailOfTwo(away float64) float64 {
	if s.N < 2 {
		return 1
	}
	far, errorOfMean := math.Abs(away)/s.SD, 1/math.Sqrt(float64(s.N))
	const widest = 8 // standard deviations that the mean may be wrong by
	return overSpread(coarse().spreads(s.N-1), func(spread float64) float64 {
		return coarse().integrate(-widest, widest, func(wrong float64) float64 {
			beyond := 1 - distuv.UnitNormal.CDF(far*spread+wrong*errorOfMean)
			return distuv.UnitNormal.Prob(wrong) * beyond * beyond
		})
	})
}

// Detectable is the smallest change of the mean, in its own unit, that one more value shows at a level with a power. It
// is infinite if fewer than two values are known.
func (s Summary) Detectable(level, power float64) float64 {
	if s.N < 2 {
		return math.Inf(1)
	}
	return noncentrality(level, power, s.N-1) * s.predictionSD()
}

// studentQuantile is the value that Student's t of so many degrees of freedom is below with probability p.
func studentQuantile(p float64, freedom int) float64 {
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(freedom)}.Quantile(p)
}

// Holm tells which of several hypotheses are rejected if together they are to be wrongly rejected with a probability of
// at most level: the step-down procedure of Holm (1979). The result has the order of the probabilities.
func Holm(probabilities []float64, level float64) []bool {
	rejected := make([]bool, len(probabilities))
	for _, rank := range ascending(probabilities) {
		left := float64(len(probabilities) - rank.position)
		if rank.value > level/left || math.IsNaN(rank.value) {
			break
		}
		rejected[rank.index] = true
	}
	return rejected
}
