package regression

import (
	"math"

	"github.com/disagg/disagg/pkg/stats"
)

// Unconfirmed decides about suspects for which there was no time to measure again: one that is twice as far away as it
// takes to be suspected, and by chance as rarely as a run may fail, fails; another is a warning.
func (p Policy) Unconfirmed(findings []Finding) []Finding {
	out := append([]Finding{}, findings...)
	rare := p.rare(out)
	for i := range out {
		f := &out[i]
		if f.Status != Suspect {
			continue
		}
		f.Once, f.Status, f.Reason = true, Unknown, "suspicious, and not measured a second time"
		if f.Worse > 2*f.Bound && (rare[i] || f.LowConfidence) {
			f.Status, f.Reason = Failed, "measured once, twice as far away as is suspicious"
		}
	}
	return out
}

// rare tells of each finding whether it is too rare by chance, among all that gate. What does not gate is judged alone.
func (p Policy) rare(findings []Finding) []bool {
	var chances []float64
	var gating []int
	rare := make([]bool, len(findings))
	for i, f := range findings {
		rare[i] = f.P <= p.FailLevel
		if f.Gates && f.Status != Unknown {
			chances, gating = append(chances, f.P), append(gating, i)
		}
	}
	for k, rejected := range stats.Holm(chances, p.FailLevel) {
		rare[gating[k]] = rejected
	}
	return rare
}

// Confirm decides about suspects by a second value each, in the order of the findings: NaN where there is none. A
// suspect fails if both values are outside. Of several that gate, Holm's procedure bounds how often the run fails by
// chance.
func (p Policy) Confirm(series []Series, findings []Finding, second []float64) []Finding {
	out := append([]Finding{}, findings...)
	confirmed := make([]bool, len(out))
	for i := range out {
		if out[i].Status == Suspect && !math.IsNaN(second[i]) {
			p.again(series[i], &out[i], second[i])
			confirmed[i] = out[i].Status == Failed
		}
	}
	for i, rare := range p.rare(out) {
		if confirmed[i] && !rare && !out[i].LowConfidence {
			out[i].Status = Unknown
			out[i].Reason = "both values are worse than usual, which chance explains among so many"
		}
	}
	return p.Unconfirmed(out)
}

// again takes in a second value.
func (p Policy) again(s Series, f *Finding, second float64) {
	f.Values = append(f.Values, second)
	segment, _ := p.segment(s.Past)
	base := stats.Clean(segment)
	worse := s.worse(second, base.Mean)
	least := p.MinMagnitude
	if f.LowConfidence {
		least = p.CoarseMagnitude
	}
	if worse <= least {
		f.Status, f.Reason, f.P = Passed, "the second measurement was as usual", 1
		return
	}
	if f.LowConfidence {
		f.Status, f.P = Failed, 0
		return
	}
	// Both must be outside, so the nearer one decides.
	f.P = base.TailOfTwo(min(worse, f.Worse) * math.Abs(base.Mean))
	f.Status, f.Reason = Failed, "both measurements are outside of what earlier runs span"
	if f.P > p.FailLevel {
		f.Status, f.Reason = Passed, "the second measurement was within what earlier runs span"
	}
}
