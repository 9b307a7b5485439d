package protocol

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// RegressionStatus is what is said of one metric, or of a run, in comparison with those before it.
type RegressionStatus string

// The statuses. Suspect is between them: outside of what is expected, and not measured a second time yet.
const (
	RegressionPassed  RegressionStatus = "passed"
	RegressionSuspect RegressionStatus = "suspect"
	RegressionFailed  RegressionStatus = "failed"
	RegressionUnknown RegressionStatus = "unknown"
)

// RegressionVerdict is what is said of a whole run. It is part of the result, and does not depend on whether anything
// was uploaded.
type RegressionVerdict struct {
	Status   RegressionStatus    `json:"status"`
	Reason   string              `json:"reason"`
	Detector string              `json:"detector"`
	Findings []RegressionFinding `json:"findings"`
}

// Suspicious tells whether a second measurement could change what decides.
func (v RegressionVerdict) Suspicious() bool {
	return slices.ContainsFunc(v.Findings, func(f RegressionFinding) bool { return f.Gates && f.Once })
}

// RegressionFinding is what is said of one metric of one point.
type RegressionFinding struct {
	Concurrency int              `json:"concurrency"`
	Metric      string           `json:"metric"`
	Label       string           `json:"label"` // of the metric, for people
	Gates       bool             `json:"gates"` // it decides
	Status      RegressionStatus `json:"status"`
	// Reason is in words why the status is unknown, or what limits it.
	Reason string    `json:"reason,omitempty"`
	Values []float64 `json:"values"` // measured: the first, and the second if it was measured again
	// Baseline is the centre of the earlier runs, and Past how many there are of them without outliers.
	Baseline float64 `json:"baseline,omitempty"`
	Past     int     `json:"past"`
	// Worse is how much worse the first value is than the baseline, as a part of it; negative: better.
	Worse float64 `json:"worse"`
	// Bound is the part of the baseline that a value may be worse without suspicion.
	Bound float64 `json:"bound,omitempty"`
	// Detectable is the smallest worsening that would have been seen nine times of ten; 0: none can be told.
	Detectable float64 `json:"detectable,omitempty"`
	// P is how likely a value is so much worse by chance; of two values, both.
	P float64 `json:"p"`
	// Once says that it was suspicious, and measured only once.
	Once bool `json:"once,omitempty"`
	// LowConfidence says that there are so few earlier runs that only a large change is seen.
	LowConfidence bool `json:"low_confidence,omitempty"`
	// Drift is how much worse the last runs are than the pinned baseline; 0: there is none.
	Drift float64 `json:"drift,omitempty"`
}

// String is the finding in a sentence.
func (f RegressionFinding) String() string {
	text := fmt.Sprintf("concurrency %d: %s: ", f.Concurrency, f.Label)
	if f.Status == RegressionUnknown || len(f.Values) == 0 { // a program that says so may leave out the rest
		return text + "unknown: " + f.Reason
	}
	direction, by := "worse", f.Worse
	if by < 0 {
		direction, by = "better", -by
	}
	text += fmt.Sprintf("%s: %.1f %% %s than %d earlier runs (%s, was %s)", f.Status, 100*by, direction, f.Past,
		short(f.Values[0]), short(f.Baseline))
	if len(f.Values) > 1 {
		text += "; measured again: " + short(f.Values[1])
	}
	if f.Detectable > 0 {
		text += fmt.Sprintf("; a drop of %.1f %% would have been seen", 100*f.Detectable)
	}
	if f.Reason != "" {
		text += "; " + f.Reason
	}
	return text
}

// short is a number with four digits that count, and no exponent.
func short(v float64) string {
	digits := 3
	for limit := 1.0; digits > 0 && math.Abs(v) >= 10*limit; limit *= 10 {
		digits--
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}
