package results

import (
	"slices"
	"sync"

	"github.com/disagg/disagg/pkg/protocol"
)

// Metric is something that a benchmark measures. The table of all of them ([Metrics]) is the one place that tells what
// a number means and in which direction it is better: gates, charts, reports and documentation read it.
type Metric struct {
	Name       string // upstream's, as in a point
	Label      string // for tables and charts
	Unit       string
	Definition string
	// Higher is better; a time is better the lower it is.
	Higher bool
	Gate   Gate
	// Derived says that it is computed from a point and its servers, and in no client's output.
	Derived bool
}

// Gate tells in which runs a metric decides about a regression.
type Gate int

// Gates are upstream's: what a run is tuned for decides, and what follows from it is shown.
const (
	Shown     Gate = iota // it decides nothing
	Always                // it decides in every mode but those of decode alone
	IfThere               // likewise, where it is measured: with speculative decoding
	DecodeRun             // it decides where decode alone is measured
)

const (
	acceptance = "al"
	// stepTimeName is of the time of decode's steps, after mean, median, std, p75 and p99.
	stepTimeName = "gen_worker_per_iter_device_step_time"
)

// Metrics lists every metric, in the order in which tables show them.
var Metrics = sync.OnceValue(func() []Metric {
	list := []Metric{
		{
			Name: "token_throughput", Label: "output tok/s", Unit: "tok/s", Higher: true, Gate: Always,
			Definition: "output tokens of all successful requests over the time of the whole measurement",
		},
		{
			Name: "total_token_throughput", Label: "total tok/s", Unit: "tok/s", Higher: true, Gate: Always,
			Definition: "input and output tokens of all successful requests over the time of the whole measurement",
		},
		{
			Name: "seq_throughput", Label: "req/s", Unit: "req/s", Higher: true,
			Definition: "successful requests over the time of the whole measurement",
		},
		{
			Name: userThroughput, Label: "tok/s/user (client's)", Unit: "tok/s", Higher: true,
			Definition: "mean over requests of output tokens over the request's own time, as upstream's client " +
				"computes it",
		},
		{
			Name: acceptance, Label: "accepted tokens", Unit: "tokens", Higher: true, Gate: IfThere,
			Definition: "mean of the tokens that one decode iteration yields, with speculative decoding",
		},
	}
	for _, l := range []struct{ name, label, definition string }{
		{"ttft", "TTFT", "time from sending a request until its first token"},
		{"tpot", "TPOT", "time for each token after the first: (latency - TTFT) / (output tokens - 1)"},
		{"itl", "ITL", "time between two pieces of a stream"},
		{"e2el", "latency", "time from sending a request until its last token"},
	} {
		for _, s := range []string{"mean", "median", "p90", "p95", "p99"} {
			list = append(list, Metric{
				Name: s + "_" + l.name, Label: statLabel[s] + l.label, Unit: "ms",
				Definition: statDefinition[s] + l.definition,
			})
		}
	}
	for _, s := range []string{"mean", "median", "std", "p75", "p99"} {
		m := Metric{
			Name: s + "_" + stepTimeName, Label: statLabel[s] + "step time", Unit: "ms",
			Definition: statDefinition[s] + "time of one decode iteration on the device, from the fifth on, over the " +
				"iterations with the usual number of tokens",
		}
		if s == "mean" || s == "median" {
			m.Gate = DecodeRun
		}
		list = append(list, m)
	}
	list = append(list,
		Metric{
			Name: "mean_gpu_utilization", Label: "GPU use", Unit: "%", Higher: true,
			Definition: "mean of the part of the time in which a GPU computed something, over all that were sampled",
		},
		Metric{
			Name: "max_gpu_memory", Label: "most GPU memory", Unit: "MiB",
			Definition: "maximum of the memory in use on a GPU, over all that were sampled",
		},
		Metric{
			Name: "mean_gpu_power", Label: "GPU power", Unit: "W",
			Definition: "mean of the power that a GPU drew, over all that were sampled",
		},
		Metric{
			Name: "max_gpu_power", Label: "most GPU power", Unit: "W",
			Definition: "maximum of the power that a GPU drew, over all that were sampled",
		},
		Metric{
			Name: "gpu_energy", Label: "GPU energy", Unit: "J",
			Definition: "energy that all GPUs together used while the point was measured, as far as they were sampled",
		})
	return append(list,
		Metric{
			Name: "tok_per_gpu", Label: "tok/s/GPU", Unit: "tok/s", Higher: true, Derived: true,
			Definition: "output tok/s over the GPUs of all servers that were used",
		},
		Metric{
			Name: "tok_per_user", Label: "tok/s/user", Unit: "tok/s", Higher: true, Derived: true,
			Definition: "1000 over the mean TPOT: how fast one user's stream flows",
		})
})

var statLabel = map[string]string{
	"mean": "", "median": "median ", "std": "spread of ", "p75": "P75 ", "p90": "P90 ", "p95": "P95 ", "p99": "P99 ",
}

var statDefinition = map[string]string{
	"mean": "mean of the ", "median": "median of the ", "std": "standard deviation of the ",
	"p75": "75th percentile of the ", "p90": "90th percentile of the ", "p95": "95th percentile of the ",
	"p99": "99th percentile of the ",
}

// MetricNamed finds a metric; ok is false for one that the table has not.
func MetricNamed(name string) (m Metric, ok bool) {
	list := Metrics()
	i := slices.IndexFunc(list, func(m Metric) bool { return m.Name == name })
	if i < 0 {
		return Metric{}, false
	}
	return list[i], true
}

// Gates tells whether a metric decides about a regression of a run: decodeAlone says that prefill was not measured.
func (m Metric) Gates(decodeAlone bool) bool {
	switch m.Gate {
	case Always, IfThere:
		return !decodeAlone
	case DecodeRun:
		return decodeAlone
	}
	return false
}

// Value is a metric of a point that was measured with so many GPUs; ok is false if it is not known.
func (m Metric) Value(pt protocol.Point, gpus int) (v float64, ok bool) {
	switch {
	case !m.Derived:
		v, ok = pt.Metrics[m.Name]
		return v, ok
	case m.Name == "tok_per_gpu":
		v, ok = pt.Metrics["token_throughput"]
		return v / float64(max(gpus, 1)), ok && gpus > 0
	}
	v = pt.Metrics["mean_tpot"]
	return 1000 / v, v > 0
}
