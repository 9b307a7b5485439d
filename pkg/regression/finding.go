package regression

import (
	"math"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
)

// What is said of a run is part of its result; see there.
type (
	// Status is one of the constants below.
	Status = protocol.RegressionStatus
	// Finding is about one metric of one point.
	Finding = protocol.RegressionFinding
	// Verdict is about a run.
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
