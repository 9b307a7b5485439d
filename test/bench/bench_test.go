package bench_test

import (
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/test/bench"
)

func TestPercentile(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i))
	}
	for _, tt := range []struct {
		values []time.Duration
		p      int
		want   time.Duration
	}{
		{nil, 50, 0},
		{[]time.Duration{7}, 99, 7},
		{[]time.Duration{3, 1, 2}, 50, 2},
		{hundred, 99, 99},
		{hundred[:20], 99, 100}, // of 20 values the 99th percentile is the largest
		{hundred, 0, 1},
	} {
		if got := bench.Percentile(tt.values, tt.p); got != tt.want {
			t.Errorf("p%d of %d values is %d, want %d", tt.p, len(tt.values), got, tt.want)
		}
	}
}

func TestTable(t *testing.T) {
	var table bench.Table
	table.Add(bench.Row{Measure: "a", Goal: "<= 1", Met: true})
	if !table.Met() {
		t.Error("a goal that was met counts as missed")
	}
	table.Add(bench.Row{Measure: "to compare with"})
	if !table.Met() {
		t.Error("what has no goal counts as missed")
	}
	table.Add(bench.Row{Measure: "b", Goal: "<= 2"})
	var out strings.Builder
	if err := table.Print(&out); err != nil || table.Met() || strings.Count(out.String(), "MISSED") != 1 {
		t.Errorf("%v: %s", err, out.String())
	}
}
