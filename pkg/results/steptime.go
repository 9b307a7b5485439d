package results

import (
	"maps"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/steptime"
)

// WithStepTimes is a point with what the logs of the generation servers say of the steps of decode, under upstream's
// names. What the client has said of them stays.
func WithStepTimes(pt protocol.Point, s steptime.Stats) protocol.Point {
	said := pt.Metrics
	pt.Metrics = map[string]float64{
		"mean_" + stepTimeName: s.Mean, "median_" + stepTimeName: s.Median, "std_" + stepTimeName: s.Std,
		"p75_" + stepTimeName: s.P75, "p99_" + stepTimeName: s.P99,
	}
	maps.Copy(pt.Metrics, said)
	return pt
}
