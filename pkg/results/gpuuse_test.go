package results_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
)

func spread(mean, most float64) *protocol.Spread { return &protocol.Spread{Mean: mean, Max: most} }

func twoGPUs() []protocol.GPUUse {
	return []protocol.GPUUse{
		{
			Host: "n1", Seconds: 60, Utilization: spread(0.5, 1), Memory: spread(1<<30, 2<<30), Power: spread(300, 400),
			Energy: 18000,
		},
		{Host: "n2", Seconds: 60, Utilization: spread(1, 1), Memory: spread(4<<30, 4<<30), Power: spread(700, 900),
			Energy: 42000},
		{Host: "n3", Seconds: 60},
	}
}

// A point has how the GPUs were used together, as metrics of the table, beside what the client has measured; what no
// driver tells is absent.
func TestWithGPUUse(t *testing.T) {
	client := protocol.Point{Metrics: map[string]float64{"token_throughput": 10}}
	got := results.WithGPUUse(client, twoGPUs())
	want := map[string]float64{
		"token_throughput": 10, "mean_gpu_utilization": 75, "max_gpu_memory": 4096, "mean_gpu_power": 500,
		"max_gpu_power": 900, "gpu_energy": 60000,
	}
	if diff := cmp.Diff(want, got.Metrics); diff != "" {
		t.Error(diff)
	}
	if len(client.Metrics) != 1 {
		t.Errorf("the point itself was changed: %v", client.Metrics)
	}
	for name := range want {
		if _, known := results.MetricNamed(name); !known {
			t.Errorf("%s is no metric of the table", name)
		}
	}
	if got := results.WithGPUUse(protocol.Point{}, twoGPUs()[2:]); len(got.Metrics) != 0 {
		t.Errorf("%v", got.Metrics)
	}
}

// People read it in a line, with units of its size.
func TestDescribeGPUUse(t *testing.T) {
	list := twoGPUs()
	for energy, want := range map[float64]string{
		18000:       "75 % in use, 500 W each (at most 900 W), 16.7 Wh in all, at most 4.0 GiB of memory",
		-42000 + 90: "75 % in use, 500 W each (at most 900 W), 90 J in all, at most 4.0 GiB of memory",
		7.2e6:       "75 % in use, 500 W each (at most 900 W), 2.01 kWh in all, at most 4.0 GiB of memory",
	} {
		list[0].Energy = energy
		if got := results.DescribeGPUUse(list); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := results.DescribeGPUUse(nil); got != "" {
		t.Errorf("%q", got)
	}
}

// Upstream's document has the point's numbers and those of the run, with the type in their names; the record keeps each
// GPU, and reads as it was written.
func TestRecordOfGPUUse(t *testing.T) {
	rec := results.NewRecord(results.Origin{RunID: "r-0"}, results.WithGPUUse(protocol.Point{}, twoGPUs()), time.Now())
	rec.GPUUse, rec.RunGPUUse = twoGPUs(), twoGPUs()[:1]
	doc := results.Document(rec)
	for name, want := range map[string]float64{
		"d_mean_gpu_utilization": 75, "d_mean_gpu_power": 500, "d_gpu_energy": 60000, "d_run_mean_gpu_power": 300,
		"d_run_gpu_energy": 18000, "d_run_max_gpu_memory": 2048, "d_run_mean_gpu_utilization": 50,
	} {
		if doc[name] != want {
			t.Errorf("%s is %v, want %v", name, doc[name], want)
		}
	}
	data, err := rec.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := results.DecodeRecord(rec.ID, data)
	if diff := cmp.Diff(rec, back, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}
