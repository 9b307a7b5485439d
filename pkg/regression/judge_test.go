package regression

import (
	"math"
	"strings"
	"testing"
)

// about are n values that alternate around a centre by a part of it.
func about(centre, by float64, n int) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = centre * (1 + by*float64(i%3-1))
	}
	return values
}

func TestJudge(t *testing.T) {
	t.Parallel()
	steady := about(1000, 0.01, 30)
	tests := map[string]struct {
		metric string
		past   []float64
		value  float64
		status Status
		says   string
	}{
		"as usual":          {"token_throughput", steady, 1000, Passed, "would have been seen"},
		"better":            {"token_throughput", steady, 1200, Passed, "20.0 % better"},
		"less than matters": {"token_throughput", steady, 971, Passed, ""},
		"worse": {"token_throughput", steady, 950, Suspect,
			"5.0 % worse than 30 earlier runs (950.0, was 1000)"},
		"a time that is worse": {"mean_ttft", steady, 1050, Suspect, "5.0 % worse"},
		"a time that is less":  {"mean_ttft", steady, 500, Passed, "50.0 % better"},
		"a time for a token":   {"mean_tpot", steady, 1050, Suspect, "5.0 % worse"},
		"no earlier run": {"token_throughput", nil, 950, Unknown,
			"it needs 5 earlier runs, and has 0"},
		"four earlier runs":  {"token_throughput", steady[:4], 500, Unknown, "it needs 5 earlier runs, and has 4"},
		"few earlier runs":   {"token_throughput", steady[:6], 920, Passed, "only a change of 10 % is seen"},
		"few, and far worse": {"token_throughput", steady[:6], 880, Suspect, "12.0 % worse"},
		"no number":          {"token_throughput", steady, math.NaN(), Unknown, "not a number"},
		"a baseline of 0":    {"token_throughput", make([]float64, 30), 1, Unknown, "the baseline is 0"},
		"too much noise": {"token_throughput", about(1000, 0.12, 30), 1000, Unknown,
			"vary so much that only a drop of"},
		"since a change": {
			"token_throughput", append(about(1000, 0.01, 30), about(900, 0.01, 30)...), 899, Passed,
			"than 30 earlier runs",
		},
		"soon after a change": {
			"token_throughput", append(about(1000, 0.01, 30), about(900, 0.01, 4)...), 899, Suspect,
			"10.1 % worse than 30 earlier runs",
		},
		"after a bad night": {
			"token_throughput", append(about(1000, 0.01, 30), 500), 600, Suspect, "40.0 % worse than 30 earlier runs",
		},
	}
	for name, tt := range tests {
		s := Series{Metric: metricNamed(t, tt.metric), Concurrency: 8, Gates: true, Past: tt.past}
		f := Default().Judge(s, tt.value)
		if f.Status != tt.status || !strings.Contains(f.String(), tt.says) {
			t.Errorf("%s: got %s: %s, want %s: …%s…", name, f.Status, f, tt.status, tt.says)
		}
	}
}

func TestDrift(t *testing.T) {
	t.Parallel()
	slow := make([]float64, 60)
	for i := range slow {
		slow[i] = 1000 * math.Pow(0.9985, float64(i)) // by so little each time that no run differs from the last
	}
	s := Series{Metric: metricNamed(t, "token_throughput"), Past: slow}
	if f := Default().Judge(s, slow[59]); f.Drift != 0 {
		t.Errorf("without a pinned baseline: %+v", f)
	}
	s.Pinned = slow[:5]
	if f := Default().Judge(s, slow[59]); f.Drift < 0.07 || f.Drift > 0.09 {
		t.Errorf("%+v", f)
	}
	s.Past = slow[:20]
	if f := Default().Judge(s, slow[20]); f.Drift != 0 {
		t.Errorf("within what is allowed: %+v", f)
	}
}

func TestConfirm(t *testing.T) {
	t.Parallel()
	p, few := Default(), about(1000, 0.01, 6)
	steady := about(1000, 0.01, 30)
	tests := map[string]struct {
		past          []float64
		first, second float64
		want          Status
	}{
		"both are worse":                      {steady, 950, 950, Failed},
		"the second is as usual":              {steady, 950, 1000, Passed},
		"the second is little worse":          {steady, 950, 975, Passed},
		"not measured again":                  {steady, 950, math.NaN(), Unknown},
		"not measured again, far worse":       {steady, 900, math.NaN(), Failed},
		"the first was as usual":              {steady, 1000, 100, Passed},
		"few runs, both are worse":            {few, 850, 850, Failed},
		"few runs, the second is as usual":    {few, 850, 950, Passed},
		"few runs, not measured again":        {few, 850, math.NaN(), Unknown},
		"few runs, not measured, far worse":   {few, 750, math.NaN(), Failed},
		"nothing is known":                    {nil, 1, 1, Unknown},
		"much noise, and both in the outside": {about(1000, 0.02, 30), 950, 950, Failed},
	}
	for name, tt := range tests {
		s := Series{Metric: metricNamed(t, "token_throughput"), Gates: true, Past: tt.past}
		first := []Finding{p.Judge(s, tt.first)}
		got := p.Confirm([]Series{s}, first, []float64{tt.second})
		if got[0].Status != tt.want {
			t.Errorf("%s: got %+v, want %s", name, got[0], tt.want)
		}
		if first[0].Status == Suspect && got[0].Status == Suspect {
			t.Errorf("%s: nothing was decided", name)
		}
	}
}

// Among many that gate it takes more for one to fail.
func TestManyGates(t *testing.T) {
	t.Parallel()
	p := Default()
	var series []Series
	var findings []Finding
	var second []float64
	for i := range 60 {
		s := Series{Metric: metricNamed(t, "token_throughput"), Concurrency: i, Gates: true, Past: about(1000, 0.025,
			30)}
		value := 1000.0
		if i == 7 {
			value = 942
		}
		series, findings, second = append(series, s), append(findings, p.Judge(s, value)), append(second, value)
	}
	alone := p.Confirm(series[7:8], findings[7:8], second[7:8])
	among := p.Confirm(series, findings, second)
	if alone[0].Status != Failed || among[7].Status != Unknown {
		t.Errorf("alone %+v, among many %+v", alone[0], among[7])
	}
}

func TestSum(t *testing.T) {
	t.Parallel()
	finding := func(status Status, gates bool, worse float64) Finding {
		return Finding{
			Metric: "token_throughput", Status: status, Gates: gates, Worse: worse, Detectable: 0.02,
			Values:   []float64{1},
			Baseline: 2, Past: 30, Reason: "because",
		}
	}
	tests := []struct {
		findings []Finding
		want     Status
		says     string
	}{
		{nil, Unknown, "nothing that gates"},
		{[]Finding{finding(Failed, false, 1)}, Unknown, "nothing that gates"},
		{
			[]Finding{finding(Passed, true, 0), finding(Failed, false, 1)}, Passed,
			"no drop above 2.0 % would have been missed",
		},
		{[]Finding{finding(Passed, true, 0), finding(Unknown, true, 0)}, Unknown, "because"},
		{[]Finding{finding(Unknown, true, 0), finding(Suspect, true, 0)}, Suspect, "suspect"},
		{[]Finding{finding(Failed, true, 0.1), finding(Failed, true, 0.2), finding(Suspect, true, 0)}, Failed,
			"20.0 % worse than 30 earlier runs (1.000, was 2.000); " +
				"a drop of 2.0 % would have been seen; because (and 1 more)"},
	}
	for _, tt := range tests {
		if v := Sum("interval", tt.findings); v.Status != tt.want || !strings.Contains(v.Reason, tt.says) {
			t.Errorf("got %s: %s, want %s: %s", v.Status, v.Reason, tt.want, tt.says)
		}
	}
}
