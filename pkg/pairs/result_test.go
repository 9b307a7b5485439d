package pairs

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
)

// measured is a stint of one measurement with a throughput and a time at each concurrency, from the first on.
func measured(arm Arm, concurrency []int, throughput, ttft float64) Done {
	d := Done{Stint: Stint{Arm: arm, Count: 1}}
	for i, c := range concurrency {
		d.Records = append(d.Records, results.Record{GPUs: 4, Point: protocol.Point{
			Index: i, Concurrency: c, Metrics: map[string]float64{"token_throughput": throughput, "mean_ttft": ttft},
		}})
	}
	return d
}

// pairsOf are so many pairs, whose second side differs by a part, each a little more than the one before.
func pairsOf(n int, change float64) (done []Done) {
	for i := range n {
		v := 1000 + float64(i)
		done = append(done, measured(A, []int{16, 4}, v, 100),
			measured(B, []int{16, 4}, v*(1+change*(1+float64(i)/1000)), 100*(1+change*(1+float64(i)/1000))))
	}
	return done
}

// Concurrencies are rows in their order, whatever order they were measured in; metrics are cells in the order asked
// for. A larger throughput is better, a larger time worse.
func TestRowsAndMarks(t *testing.T) {
	r := Compare(6, pairsOf(6, 0.1), metrics(t, "mean_ttft", "token_throughput", "p99_ttft"))
	var got []string
	for _, row := range r.Rows {
		for _, c := range row.Cells {
			got = append(got, string(rune('0'+row.Concurrency/4))+" "+c.Metric+" "+string(c.Mark))
		}
	}
	want := []string{
		"1 mean_ttft worse", "1 token_throughput better", "4 mean_ttft worse", "4 token_throughput better",
	}
	if diff := cmp.Diff(want, got); diff != "" || r.Kept || r.Pairs != 6 || r.Asked != 6 {
		t.Errorf("%s: %+v", diff, r)
	}
	for _, tt := range []struct {
		metric string
		by     float64
		want   bool
	}{
		{"mean_ttft", 0, true}, {"mean_ttft", 0.09, true}, {"mean_ttft", 0.11, false}, {"token_throughput", 0, false},
		{"p99_ttft", 0, false},
	} {
		if got := r.Worsened(tt.metric, tt.by); got != tt.want {
			t.Errorf("%s by %v: %v", tt.metric, tt.by, got)
		}
	}
	if r := Compare(6, pairsOf(6, -0.1), metrics(t, "token_throughput")); !r.Worsened("token_throughput", 0.05) {
		t.Errorf("%+v", r)
	}
}

// Four pairs are the fewest that say that no difference was seen; fewer leave it open.
func TestFewPairs(t *testing.T) {
	for n, want := range map[int]Mark{1: Unclear, 3: Unclear, 4: Same} {
		cell := Compare(n, pairsOf(n, 0), metrics(t, "token_throughput")).Rows[0].Cells[0]
		if cell.Mark != want || cell.Pairs != n || cell.P != 1 {
			t.Errorf("%d pairs: %+v, want %s", n, cell, want)
		}
	}
	one := Compare(1, pairsOf(1, 0.1), metrics(t, "token_throughput")).Rows[0].Cells[0]
	if one.Detectable != 0 || !strings.Contains(one.seen(), "–") {
		t.Errorf("%+v: nothing can be told of one pair", one)
	}
}

// Whatever many concurrencies are looked at, that any is called different by chance stays as rare: the same change that
// one shows is not enough among many.
func TestManyConcurrencies(t *testing.T) {
	cell := func(p float64) Cell {
		return Cell{Metric: "token_throughput", Pairs: 8, P: p, Change: -0.01, Mark: Unclear}
	}
	for others, want := range map[int]Mark{0: Worse, 9: Same} {
		r := Result{Rows: []Row{{Concurrency: 1, Cells: []Cell{cell(0.0015)}}}}
		for range others {
			r.Rows = append(r.Rows, Row{Cells: []Cell{cell(0.5)}})
		}
		r.mark(metrics(t, "token_throughput"))
		if got := r.Rows[0].Cells[0].Mark; got != want {
			t.Errorf("beside %d others: %s, want %s", others, got, want)
		}
	}
}

// A change that is larger than the value is none that can be told of; a pair without a first value, or without a
// second, is none.
func TestCells(t *testing.T) {
	m := metrics(t, "token_throughput")[0]
	wild := cell(m, []float64{1, 100, 1}, []float64{100, 1, 50})
	if wild.Pairs != 3 || wild.Detectable != 0 {
		t.Errorf("%+v", wild)
	}
	none := math.NaN()
	c := cell(m, []float64{0, none, 10, 20, -1}, []float64{1, 1, none, 22, 1})
	if c.Pairs != 1 || c.A != 20 || c.B != 22 || math.Abs(c.Change-0.1) > 1e-12 {
		t.Errorf("%+v", c)
	}
	steady := cell(m, []float64{10, 10, 10}, []float64{10, 10, 10})
	if steady.Detectable != 0 || steady.P != 1 {
		t.Errorf("%+v", steady)
	}
}

// A side that was measured more often has no partner for what is left over: its concurrencies are no rows either.
func TestLeftOver(t *testing.T) {
	done := pairsOf(2, 0)
	done = append(done, measured(A, []int{64}, 1, 1))
	r := Compare(3, done, metrics(t, "token_throughput"))
	if r.Pairs != 2 || len(r.Rows) != 2 {
		t.Errorf("%+v", r)
	}
	if !slices.Equal(concurrencies([][]results.Record{done[4].Records, done[0].Records}), []int{4, 16, 64}) {
		t.Error("concurrencies are not in their order")
	}
}

// The whole of what is printed; how wide columns are is the library's affair.
func TestWholeText(t *testing.T) {
	r := Result{Asked: 8, Pairs: 6, Rows: []Row{{Concurrency: 4, Cells: []Cell{
		{Metric: "mean_ttft", A: 100, B: 9.994, Change: -0.90006, P: 0.00009, Detectable: 0.0123, Mark: Better},
		{Metric: "token_throughput", A: 1, B: 2, Change: 1, P: 0.0001, Mark: Worse},
		{Metric: "own", P: 1, Mark: Unclear}, {Metric: "own", P: 0.12345, Mark: Same},
	}}}}
	want := `6 of 8 pairs, servers were started for each measurement

conc metric A -> B change by chance would have been seen
4 TTFT ms 100 -> 9.99 -90.0 % ▲ < 0.0001 from 1.2 %
4 output tok/s 1.00 -> 2.00 +100.0 % ▼ 0.0001 –
4 own 0.00 -> 0.00 +0.0 % ? 1.0000 –
4 own 0.00 -> 0.00 +0.0 % = 0.1235 –
▼ worse, ▲ better, = no difference was seen, ? too few pairs to tell
`
	var out strings.Builder
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.SplitSeq(out.String(), "\n") {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	if diff := cmp.Diff(want, strings.Join(lines, "\n")); diff != "" {
		t.Error(diff)
	}
	if err := r.Print(full{}); err == nil || err.Error() != "no space left" {
		t.Errorf("%v", err)
	}
}

// full is where nothing can be written.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }
