package results_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/steptime"
)

// What the logs say is added under upstream's names; what the client has said stays, and so does the point it is of.
func TestWithStepTimes(t *testing.T) {
	const name = "gen_worker_per_iter_device_step_time"
	s := steptime.Stats{Steps: 3, Mean: 7.25, Median: 7, Std: 0.5, P75: 7.5, P99: 8}
	said := protocol.Point{Metrics: map[string]float64{"mean_" + name: 7.3, "token_throughput": 100}}
	got := results.WithStepTimes(said, s)
	want := map[string]float64{
		"mean_" + name: 7.3, "median_" + name: 7, "std_" + name: 0.5, "p75_" + name: 7.5, "p99_" + name: 8,
		"token_throughput": 100,
	}
	if diff := cmp.Diff(want, got.Metrics); diff != "" {
		t.Error(diff)
	}
	if len(said.Metrics) != 2 {
		t.Errorf("the client's point has %v", said.Metrics)
	}
	for metric := range want {
		if _, known := results.MetricNamed(metric); !known {
			t.Errorf("%s is no metric", metric)
		}
	}
}
