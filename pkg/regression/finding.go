package regression

import (
	"fmt"
	"math"

	"github.com/disagg/disagg/pkg/results"
)

// Status is what is said of one metric, or of a run.
type Status string

// Statuses. Suspect is between them: outside of what is expected, and not measured a second time yet.
const (
	Passed  Status = "passed"
	Suspect Status = "suspect"
	Failed  Status = "failed"
	Unknown Status = "unknown"
)

// Finding is what is said of one metric of one point.
type Finding struct {
	Concurrency int    `json:"concurrency"`
	Metric      string `json:"metric"`
	Gates       bool   `json:"gates"` // it decides
	Status      Status `json:"status"`
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
	// LowConfidence says that there are so few earlier runs that only a large change is seen.
	LowConfidence bool `json:"low_confidence,omitempty"`
	// Drift is how much worse the last runs are than the pinned baseline; 0: there is none.
	Drift float64 `json:"drift,omitempty"`
}

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

// String is the finding in a sentence.
func (f Finding) String() string {
	name := f.Metric
	if m, ok := results.MetricNamed(f.Metric); ok {
		name = m.Label
	}
	text := fmt.Sprintf("concurrency %d: %s: ", f.Concurrency, name)
	if f.Status == Unknown {
		return text + "unknown: " + f.Reason
	}
	direction, by := "worse", f.Worse
	if by < 0 {
		direction, by = "better", -by
	}
	text += fmt.Sprintf("%s: %.1f %% %s than %d earlier runs (%.4g, was %.4g)", f.Status, 100*by, direction, f.Past,
		f.Values[0], f.Baseline)
	if len(f.Values) > 1 {
		text += fmt.Sprintf("; measured again: %.4g", f.Values[1])
	}
	if f.Detectable > 0 {
		text += fmt.Sprintf("; a drop of %.1f %% would have been seen", 100*f.Detectable)
	}
	if f.Reason != "" {
		text += "; " + f.Reason
	}
	return text
}
