package regression

import (
	"encoding/json"
	"math"
	"os"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/results"
)

func metricNamed(t *testing.T, name string) results.Metric {
	t.Helper()
	m, ok := results.MetricNamed(name)
	if !ok {
		t.Fatalf("no metric %s", name)
	}
	return m
}

// The baseline is that of an independent computation (numpy) over a made history of which some days have no run, some
// several, and some are older than 90 days.
func TestUpstreamBaseline(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/upstream-90-days.json")
	if err != nil {
		t.Fatal(err)
	}
	var history struct {
		Now       time.Time
		Zone      string
		Inside    int
		Baselines map[string]float64
		Documents []map[string]any
	}
	if err := json.Unmarshal(data, &history); err != nil || len(history.Baselines) != 3 {
		t.Fatal(err, len(history.Baselines))
	}
	zone, err := time.LoadLocation(history.Zone)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range history.Baselines {
		var past []Dated
		for _, d := range history.Documents {
			at, err := time.Parse(time.RFC3339, d["at"].(string))
			if err != nil {
				t.Fatal(err)
			}
			past = append(past, Dated{At: at, Value: d[name].(float64)})
		}
		got, ok := UpstreamBaseline(metricNamed(t, name), past, history.Now, zone)
		if !ok || math.Abs(got-want) > 1e-9*want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
		f := JudgeUpstream(Series{Metric: metricNamed(t, name)}, past, want, 0.05, history.Now, zone)
		if f.Past != history.Inside || f.Status != Passed {
			t.Errorf("%s: %+v, want %d earlier documents", name, f, history.Inside)
		}
	}
}

func TestJudgeUpstream(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	day := func(n int, d Dated) Dated { d.At = now.AddDate(0, 0, -n); return d }
	steady := []Dated{day(3, Dated{Value: 100}), day(2, Dated{Value: 100}), day(1, Dated{Value: 100})}
	tests := map[string]struct {
		metric string
		past   []Dated
		value  float64
		want   Status
	}{
		"at the bound":         {"token_throughput", steady, 95, Passed},
		"below it":             {"token_throughput", steady, 94.99, Failed},
		"better":               {"token_throughput", steady, 200, Passed},
		"a time at the bound":  {"mean_ttft", steady, 105, Passed},
		"a time above it":      {"mean_ttft", steady, 105.01, Failed},
		"a time for a token":   {"mean_tpot", steady, 200, Passed}, // upstream takes it for better
		"nothing is known":     {"token_throughput", nil, 1, Unknown},
		"only what is too old": {"token_throughput", []Dated{day(92, Dated{Value: 100})}, 1, Unknown},
		"a baseline of 0":      {"token_throughput", []Dated{day(1, Dated{})}, 1, Unknown},
		"a stored baseline wins": {"token_throughput", append(steady, day(0, Dated{Value: 1, Baseline: 200})),
			189, Failed},
		"that of the newest alone": {"token_throughput", append(steady, day(9, Dated{Value: 100, Baseline: 200})),
			99, Passed},
		"a stored threshold wins": {"token_throughput", append(steady, day(0, Dated{Value: 100, Threshold: 0.2})),
			81, Passed},
		"a stored baseline of none": {
			"token_throughput", append(steady, day(0, Dated{Value: 100, Baseline: -1})), 94, Failed,
		},
	}
	for name, tt := range tests {
		f := JudgeUpstream(Series{Metric: metricNamed(t, tt.metric)}, tt.past, tt.value, PostMergeFraction, now,
			time.UTC)
		if f.Status != tt.want || (f.Status == Unknown) != (f.Reason != "") {
			t.Errorf("%s: got %+v, want %s", name, f, tt.want)
		}
	}
}
