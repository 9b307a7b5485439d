package regression

import (
	"flag"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/disagg/disagg/pkg/results"
)

// trials is how many runs are simulated in which nothing has changed; `make rates` takes 20,000.
var trials = flag.Int("trials", 2000, "simulated runs in which nothing has changed")

// allowed is the largest part of so many runs that may fail if a part of all does: three standard deviations more.
func allowed(most float64, trials int) float64 {
	if trials >= 20_000 {
		return most
	}
	return most + 3*math.Sqrt(most*(1-most)/float64(trials))
}

// rates simulates runs over made histories and counts how often they fail.
type rates struct {
	past        int
	noise       float64 // coefficient of variation
	drop        float64 // of the new value
	badPast     float64 // part of the earlier runs that are 15 % worse
	badNew      float64 // likewise of new ones
	metrics     int     // that gate in a run, each at a concurrency of its own
	trials      int
	singleShots bool // there is no time to measure again
}

func (r rates) draw(random *rand.Rand, bad float64) float64 {
	v := 1000 * (1 + r.noise*random.NormFloat64())
	if random.Float64() < bad {
		v *= 0.85
	}
	return v
}

// run returns the parts of the runs that failed, that were suspected, and that stayed unknown.
func (r rates) run(seed uint64) (failed, suspected, unknown float64) {
	random := rand.New(rand.NewPCG(seed, 1))
	metric, _ := results.MetricNamed("token_throughput")
	p := Default()
	for range r.trials {
		var series []Series
		var findings []Finding
		var second []float64
		again := false
		for m := range r.metrics {
			s := Series{Metric: metric, Concurrency: 1 << m, Gates: true}
			for range r.past {
				s.Past = append(s.Past, r.draw(random, r.badPast))
			}
			f := p.Judge(s, (1-r.drop)*r.draw(random, r.badNew))
			again = again || f.Status == Suspect
			series, findings = append(series, s), append(findings, f)
			second = append(second, (1-r.drop)*r.draw(random, r.badNew))
		}
		if again {
			suspected++
		}
		if r.singleShots {
			findings = p.Unconfirmed(findings)
		} else {
			findings = p.Confirm(series, findings, second)
		}
		switch Sum("", findings).Status {
		case Failed:
			failed++
		case Unknown:
			unknown++
		}
	}
	n := float64(r.trials)
	return failed / n, suspected / n, unknown / n
}

// How often a run fails in which nothing has changed, and in which something has. The seeds are fixed, and the bounds
// are what is published in docs/results.md.
func TestErrorRates(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		rates
		least, most float64 // runs that fail
	}{
		"nothing changed, little noise":    {rates{past: 30, noise: 0.01, metrics: 2}, 0, 0.001},
		"nothing changed, much noise":      {rates{past: 30, noise: 0.03, metrics: 2}, 0, 0.001},
		"nothing changed, outliers before": {rates{past: 30, noise: 0.02, badPast: 0.05, metrics: 2}, 0, 0.001},
		"nothing changed, twelve runs":     {rates{past: 12, noise: 0.02, metrics: 2}, 0, 0.0015},
		"nothing changed, twelve points":   {rates{past: 30, noise: 0.02, metrics: 24}, 0, 0.001},
		"nothing changed, few runs":        {rates{past: 6, noise: 0.03, metrics: 2}, 0, 0.001},
		"nothing changed, measured once":   {rates{past: 30, noise: 0.02, metrics: 2, singleShots: true}, 0, 0.001},
		"nothing changed, bad nights now too": {
			rates{past: 30, noise: 0.01, badPast: 0.05, badNew: 0.05, metrics: 1}, 0, 0.004,
		},
		"a drop of 5 %, outliers before": {rates{past: 30, noise: 0.01, drop: 0.05, badPast: 0.05, metrics: 2},
			0.9, 1},
		"a drop of 8 % in noise": {rates{past: 30, noise: 0.02, drop: 0.08, badPast: 0.05, metrics: 2},
			0.9, 1},
		"a drop of 15 %, few runs": {rates{past: 6, noise: 0.01, drop: 0.15, metrics: 2}, 0.9, 1},
		"a drop of 10 %, measured once": {rates{past: 30, noise: 0.01, drop: 0.10, metrics: 2,
			singleShots: true}, 0.9, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.trials = *trials
			if tt.least > 0 || tt.metrics > 10 {
				tt.trials = min(*trials, 2000)
			}
			if tt.least > 0 {
				tt.trials = min(*trials, 1000)
			}
			failed, suspected, unknown := tt.run(20261127)
			t.Logf("failed %.4f, measured again %.3f, unknown %.3f", failed, suspected, unknown)
			if failed < tt.least || failed > allowed(tt.most, tt.trials) {
				t.Errorf("%.4f of the runs failed, want %v to %v", failed, tt.least, allowed(tt.most, tt.trials))
			}
		})
	}
}

// The drop that a finding calls detectable is one that nine runs of ten show.
func TestDetectableIsDetected(t *testing.T) {
	t.Parallel()
	for _, noise := range []float64{0.01, 0.02, 0.03} {
		r := rates{past: 30, noise: noise, metrics: 1, trials: 1000}
		metric, _ := results.MetricNamed("token_throughput")
		random := rand.New(rand.NewPCG(7, 7))
		sum := 0.0
		for range 200 {
			s := Series{Metric: metric, Gates: true}
			for range r.past {
				s.Past = append(s.Past, r.draw(random, 0))
			}
			sum += Default().Judge(s, 1000).Detectable
		}
		r.drop = sum / 200
		failed, _, _ := r.run(3)
		t.Logf("noise %v: detectable %.4f, detected in %.3f", noise, r.drop, failed)
		if failed < 0.85 || math.IsNaN(r.drop) {
			t.Errorf("noise %v: a drop of %.3f was detected in %.3f of the runs", noise, r.drop, failed)
		}
	}
}
