package regression

import (
	"fmt"
	"math"
	"slices"

	"github.com/disagg/disagg/pkg/stats"
	"github.com/disagg/disagg/pkg/stats/percentile"
)

// Policy is how strict a judgement is. [Default] has the values that the simulations in the tests are made with.
type Policy struct {
	// SuspectLevel is how often a first value is suspected by chance: it costs a second measurement.
	SuspectLevel float64
	// FailLevel is how often a run fails by chance, over all that gates in it, if the noise is a normal distribution's
	// and nothing but this level decides. Looking for outliers and change points in the same values adds to it: the
	// simulations say what comes out.
	FailLevel float64
	// MinMagnitude is the least worsening that matters, as a part of the baseline.
	MinMagnitude float64
	// CoarseMagnitude is the least worsening that fails while there are few earlier runs.
	CoarseMagnitude float64
	// FewRuns and EnoughRuns: with fewer than the first nothing is said, with fewer than the second only a coarse
	// change is.
	FewRuns, EnoughRuns int
	// MustDetect is the largest worsening that may stay unseen: with more noise than that a pass is unknown.
	MustDetect float64
	// DriftWindow is how many of the last runs are compared with the pinned baseline, DriftMagnitude by how much they
	// may be worse.
	DriftWindow    int
	DriftMagnitude float64
}

// Default is a policy for throughputs that vary by about one per cent.
func Default() Policy {
	return Policy{
		SuspectLevel: 0.05, FailLevel: 0.0005, MinMagnitude: 0.03, CoarseMagnitude: 0.10, FewRuns: 5, EnoughRuns: 12,
		MustDetect: 0.20, DriftWindow: 7, DriftMagnitude: 0.05,
	}
}

// A detectable change is seen nine times of ten. For two values both to show it, each must with the root of that.
var powerOfEach = math.Sqrt(0.9)

// Judge looks at a first value. A finding is suspect if it should be measured again; see [Policy.Confirm] and
// [Policy.Unconfirmed] for what becomes of it.
func (p Policy) Judge(s Series, value float64) Finding {
	f := Finding{
		Concurrency: s.Concurrency, Metric: s.Metric.Name, Label: s.Metric.Label, Gates: s.Gates,
		Values: []float64{value}, P: 1,
		Status: Passed,
	}
	f.Drift = p.drift(s, value)
	segment, since := p.segment(s.Past)
	base := stats.Clean(segment)
	f.Past, f.Baseline, f.Worse = base.N, base.Mean, s.worse(value, base.Mean)
	switch {
	case math.IsNaN(value) || math.IsInf(value, 0):
		f.Status, f.Reason = Unknown, "the value is not a number"
	case base.N < p.FewRuns:
		f.Status = Unknown
		f.Reason = fmt.Sprintf("it needs %d earlier runs, and has %d%s", p.FewRuns, base.N, since)
	case base.Mean <= 0:
		f.Status, f.Reason = Unknown, fmt.Sprintf("the baseline is %v", base.Mean)
	case base.N < p.EnoughRuns:
		p.coarse(&f, base)
	default:
		p.fine(&f, base)
	}
	return f
}

// segment is the part of a series since its last change point, and in words when that was. A change that nobody took
// back is the new normal: what guards against many small ones is the pinned baseline. A change that so few runs show
// that nothing could be said since is none yet: a bad night would otherwise hide what comes after it.
func (p Policy) segment(past []float64) (segment []float64, since string) {
	for _, change := range slices.Backward(stats.Changes(past, stats.ChangeOptions{MinMagnitude: p.MinMagnitude})) {
		if n := len(past) - change.Index; n >= p.FewRuns {
			return past[change.Index:], fmt.Sprintf(" since the change %d runs ago", n)
		}
	}
	return past, ""
}

func (p Policy) coarse(f *Finding, base stats.Summary) {
	f.LowConfidence, f.Bound, f.Detectable = true, p.CoarseMagnitude, p.least(base, p.CoarseMagnitude)
	f.Reason = fmt.Sprintf("only a change of %.0f %% is seen with fewer than %d earlier runs", 100*p.CoarseMagnitude,
		p.EnoughRuns)
	if f.Worse > p.CoarseMagnitude {
		f.Status = Suspect
	}
}

func (p Policy) fine(f *Finding, base stats.Summary) {
	scale := math.Abs(base.Mean)
	f.Bound = max(base.PredictionBound(p.SuspectLevel)/scale, p.MinMagnitude)
	f.Detectable = max(base.Detectable(math.Sqrt(p.FailLevel), powerOfEach)/scale, p.least(base, p.MinMagnitude))
	if f.Worse > 0 {
		f.P = base.TailProbability(f.Worse * scale)
	}
	switch {
	case f.Worse > f.Bound:
		f.Status = Suspect
	case f.Detectable > p.MustDetect:
		f.Status = Unknown
		f.Reason = fmt.Sprintf("earlier runs vary so much that only a drop of %.0f %% is seen", 100*f.Detectable)
	}
}

// least is the change that a value shows to be larger than a magnitude with the power of each.
func (Policy) least(base stats.Summary, magnitude float64) float64 {
	return magnitude + base.Spread(powerOfEach)/math.Abs(base.Mean)
}

// drift is how much worse the last runs are than the pinned baseline, 0 if that is within what is allowed.
func (p Policy) drift(s Series, value float64) float64 {
	last := append(append([]float64{}, s.Past...), value)
	if len(s.Pinned) == 0 || len(last) < p.DriftWindow {
		return 0
	}
	recent := percentile.Median(last[len(last)-p.DriftWindow:])
	if worse := s.worse(recent, stats.Clean(s.Pinned).Mean); worse > p.DriftMagnitude {
		return worse
	}
	return 0
}
