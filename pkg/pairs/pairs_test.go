package pairs

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
)

// Each side goes first in every other pair, and servers are kept for what follows on the same side.
func TestOrder(t *testing.T) {
	show := func(list []Stint) string {
		var parts []string
		for _, s := range list {
			text := strings.Repeat(s.Arm.String(), s.Count)
			if s.WarmUp {
				text = "w" + text
			}
			if want := len(text); s.Measurements() != want {
				t.Errorf("%s: %d measurements", text, s.Measurements())
			}
			parts = append(parts, text)
		}
		return strings.Join(parts, " ")
	}
	for _, tt := range []struct {
		pairs int
		keep  bool
		want  string
	}{
		{0, true, ""},
		{1, false, "A B"},
		{2, false, "A B B A"},
		{3, false, "A B B A A B"},
		{1, true, "wA wB"},
		{2, true, "wA wBB wA"},
		{8, true, "wA wBB wAA wBB wAA wBB wAA wBB wA"},
	} {
		if got := show(Order(tt.pairs, tt.keep)); got != tt.want {
			t.Errorf("%d, %v: got %q, want %q", tt.pairs, tt.keep, got, tt.want)
		}
	}
}

// stint is one that was measured: a throughput for each measurement.
func stint(s Stint, throughputs ...float64) Done {
	d := Done{Stint: s}
	for n, v := range throughputs {
		d.Records = append(d.Records, results.Record{GPUs: 8, Point: protocol.Point{
			Concurrency: 4, Measurement: n, Metrics: map[string]float64{"token_throughput": v},
		}})
	}
	return d
}

func metrics(t *testing.T, names ...string) (list []results.Metric) {
	t.Helper()
	for _, name := range names {
		m, ok := results.MetricNamed(name)
		if !ok {
			t.Fatal(name)
		}
		list = append(list, m)
	}
	return list
}

// Warm-ups do not count, nor does a side without its partner, or a point that does not count.
func TestWhatCounts(t *testing.T) {
	order := Order(4, true)
	done := []Done{stint(order[0], 1, 100), stint(order[1], 1, 200, 210), stint(order[2], 1, 110, 999)}
	r := Compare(4, done, metrics(t, "token_throughput", "mean_ttft"))
	want := []Cell{{Metric: "token_throughput", Pairs: 2, A: 105, B: 205, Mark: Unclear}}
	got := r.Rows[0].Cells
	got[0].Change, got[0].P, got[0].Detectable = 0, 0, 0
	if diff := cmp.Diff(want, got); diff != "" || r.Pairs != 2 || r.Asked != 4 || !r.Kept {
		t.Errorf("%+v: %s", r, diff)
	}
	done[1].Records[2].Point.Invalid = "1 of 16 requests failed"
	if r := Compare(4, done, metrics(t, "token_throughput")); r.Rows[0].Cells[0].Pairs != 1 {
		t.Errorf("%+v", r)
	}
	if r := Compare(4, done[:1], metrics(t, "token_throughput")); r.Pairs != 0 || len(r.Rows) != 0 {
		t.Errorf("%+v", r)
	}
}

// measure draws what so many pairs measure, with a noise of one measurement and a change from A to B, both as parts.
func measure(rng *rand.Rand, n int, noise, change float64) Result {
	var done []Done
	for _, s := range Order(n, true) {
		values := []float64{50} // a warm-up that is far off
		for range s.Count {
			centre := 1000.0
			if s.Arm == B {
				centre *= 1 + change
			}
			values = append(values, centre*(1+noise*rng.NormFloat64()))
		}
		done = append(done, stint(s, values...))
	}
	m, _ := results.MetricNamed("tok_per_gpu")
	return Compare(n, done, []results.Metric{m})
}

// Eight pairs at 0.3 % noise show a drop of 1 % nine times of ten, and none where there is none. The smallest drop that
// is said is about that.
func TestEightPairs(t *testing.T) {
	const trials = 2000
	rng := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // no secret
	seen, wrong, detectable := 0, 0, 0.0
	for range trials {
		if r := measure(rng, 8, 0.003, -0.0105); r.Worsened("tok_per_gpu", 0) {
			seen++
		}
		r := measure(rng, 8, 0.003, 0)
		detectable += r.Rows[0].Cells[0].Detectable / trials
		if r.Rows[0].Cells[0].Mark != Same {
			wrong++
		}
	}
	if seen < trials*88/100 {
		t.Errorf("a drop of 1.05 %% is seen %d times of %d", seen, trials)
	}
	if wrong > trials*2*2/1000+4 { // both ways, of a thousandth each
		t.Errorf("%d of %d times a difference is seen where there is none", wrong, trials)
	}
	if detectable < 0.009 || detectable > 0.0115 {
		t.Errorf("a drop of %.4f would have been seen, it is said", detectable)
	}
}

// What is shown says how many pairs there are, what changed, and what would have been seen.
func TestPrint(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // no secret
	for change, want := range map[float64]string{-0.2: "▼   < 0.0001  ", 0.2: "▲   < 0.0001  ", 0: "% =     0."} {
		var b strings.Builder
		if err := measure(rng, 8, 0.003, change).Print(&b); err != nil || !strings.Contains(b.String(), want) ||
			!strings.HasPrefix(b.String(), "8 of 8 pairs, on kept servers, each after a warm-up\n") {
			t.Errorf("%v: %v\n%s", change, err, b.String())
		}
	}
	var b strings.Builder
	if err := Compare(2, nil, nil).Print(&b); err != nil ||
		!strings.Contains(b.String(), "no concurrency was measured") {
		t.Errorf("%v %s", err, b.String())
	}
}
