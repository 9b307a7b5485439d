package regression

import (
	"math"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
)

// Status, Finding and Verdict are of the result; see there.
type (
	Status  = protocol.RegressionStatus
	Finding = protocol.RegressionFinding
	Verdict = protocol.RegressionVerdict
)

// The statuses by short names.
const (
	Passed  = protocol.RegressionPassed
	Suspect = protocol.RegressionSuspect
	Failed  = protocol.RegressionFailed
	Unknown = protocol.RegressionUnknown
)

// Series is one metric of one point over the earlier runs that count, oldest first.
type Series struct {
	Metric      results.Metric
	Concurrency int
	Gates       bool
	Past        []float64
	// Pinned are the values of the runs that somebody chose as a reference; may be nil.
	Pinned []float64
}

// worse is how much worse a value is than a baseline, as a part of it.
func (s Series) worse(value, baseline float64) float64 {
	if baseline == 0 {
		return 0
	}
	change := (value - baseline) / math.Abs(baseline)
	if s.Metric.Higher {
		return -change
	}
	return change
}
