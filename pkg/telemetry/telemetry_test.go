package telemetry_test

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/telemetry"
	"github.com/disagg/disagg/test/runs"
)

var update = flag.Bool("update", false, "write the golden files")

func build(in report.Input) telemetry.Run { return telemetry.Build(in, runs.Submitted) }

// Every kind of run has the trace and the gauges that its golden file shows.
func TestGolden(t *testing.T) {
	for name, in := range map[string]report.Input{
		"passed": runs.Passed(), "died": runs.Died(), "invalid": runs.Invalid(), "lost": runs.Lost(),
	} {
		r := build(in)
		got := tree(r) + "\n" + table(r)
		file := filepath.Join("testdata", name+".txt")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// tree shows the spans, each below its parent.
func tree(r telemetry.Run) string {
	var b strings.Builder
	var below func(parent [8]byte, depth int)
	below = func(parent [8]byte, depth int) {
		for _, s := range r.Spans {
			if s.Parent != parent {
				continue
			}
			indent := strings.Repeat("  ", depth)
			fmt.Fprintf(&b, "%s%s [%s, %s]%s\n", indent, s.Name, since(s.Begin), since(s.End), status(s))
			for _, a := range s.Attributes {
				fmt.Fprintf(&b, "%s  - %s = %v\n", indent, a.Key, a.Value)
			}
			for _, e := range s.Events {
				fmt.Fprintf(&b, "%s  ! %s at %s\n", indent, e.Name, since(e.At))
				for _, a := range e.Attributes {
					fmt.Fprintf(&b, "%s    - %s = %q\n", indent, a.Key, fmt.Sprint(a.Value))
				}
			}
			below(s.ID, depth+1)
		}
	}
	below([8]byte{}, 0)
	return b.String()
}

func since(at time.Time) string { return at.Sub(runs.Begin).String() }

func status(s telemetry.Span) string {
	switch s.Status {
	case telemetry.Good:
		return " ok"
	case telemetry.Failed:
		return " failed: " + s.Message
	}
	return ""
}

// table shows the gauges without the labels that all of them have.
func table(r telemetry.Run) string {
	var b strings.Builder
	for _, g := range r.Gauges {
		fmt.Fprintf(&b, "%s [%s] %s\n", g.Name, g.Unit, g.Help)
		for _, s := range g.Samples {
			fmt.Fprintf(&b, "  %v", s.Value)
			for _, l := range s.Labels[4:] {
				fmt.Fprintf(&b, " %s=%s", l.Name, l.Value)
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// The same run has the same ids, whenever it is exported; other runs have other ids. No two spans share one.
func TestIDs(t *testing.T) {
	first, second := build(runs.Died()), build(runs.Died())
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("another export differs: %s", diff)
	}
	in := runs.Died()
	in.Result.RunID = "a1b2c3-1"
	other := build(in)
	if other.Trace == first.Trace || other.Spans[0].ID == first.Spans[0].ID {
		t.Error("another run has the same ids")
	}
	seen := map[[8]byte]bool{}
	for _, s := range first.Spans {
		if seen[s.ID] {
			t.Errorf("two spans have the id of %s", s.Name)
		}
		if !seen[s.Parent] && s.Parent != ([8]byte{}) {
			t.Errorf("%s stands before its parent", s.Name)
		}
		seen[s.ID] = true
	}
}

// A point that does not count has no value, neither in a span nor in a gauge.
func TestInvalidPoints(t *testing.T) {
	in := runs.Passed()
	for i := range in.Result.Points {
		in.Result.Points[i].Invalid = "a request failed"
	}
	r := build(in)
	for _, s := range r.Spans {
		for _, a := range s.Attributes {
			if strings.HasSuffix(a.Key, "throughput") || strings.HasSuffix(a.Key, "ttft") {
				t.Errorf("span %s has %s", s.Name, a.Key)
			}
		}
	}
	for _, g := range r.Gauges {
		if strings.HasPrefix(g.Name, "disagg.point.") {
			t.Errorf("there is a gauge %s", g.Name)
		}
	}
}

// Of which metrics there is a sample does not decide about its labels: all samples of a gauge have the same, and no
// label but those of the info gauge differs between two runs of a test.
func TestLabels(t *testing.T) {
	a, b := runs.Passed(), runs.Passed()
	b.Result.RunID, b.Result.JobID = "d4e5f6-0", "4460"
	for i := range b.Records {
		b.Records[i].Provenance.Commit, b.Records[i].Provenance.Tool = "fedcba", "1.2.4"
	}
	one, two := build(a), build(b)
	for i, g := range one.Gauges {
		for j, s := range g.Samples {
			for k, l := range s.Labels {
				if l.Name != g.Samples[0].Labels[k].Name {
					t.Errorf("%s: label %s stands in the place of another", g.Name, l.Name)
				}
			}
			if diff := cmp.Diff(s.Labels, two.Gauges[i].Samples[j].Labels); diff != "" && g.Name != "disagg.run.info" {
				t.Errorf("%s: %s", g.Name, diff)
			}
		}
	}
}

// Every metric of the table is a gauge with a unit, and with the statistic as a label; units are base units.
func TestEveryMetric(t *testing.T) {
	in := runs.Passed()
	in.Result.Points = in.Result.Points[:1]
	want := map[string]float64{} // by the end of the name and the statistic
	for i, m := range results.Metrics() {
		if m.Derived {
			continue
		}
		v := float64(i + 1)
		in.Result.Points[0].Metrics[m.Name] = v
		switch m.Unit {
		case "ms":
			v /= 1000
		case "%":
			v /= 100
		case "MiB":
			v *= 1 << 20
		}
		want[m.Name] = v
	}
	for _, g := range build(in).Gauges {
		name, ok := strings.CutPrefix(g.Name, "disagg.point.")
		for _, s := range g.Samples {
			if !ok {
				break
			}
			full := name
			if last := s.Labels[len(s.Labels)-1]; last.Name == "statistic" {
				full = last.Value + "_" + name
			}
			if v, measured := want[full]; measured && math.Abs(v-s.Value) > 1e-9 || g.Unit == "" {
				t.Errorf("%s [%s] is %v, want %v", full, g.Unit, s.Value, v)
			}
			delete(want, full)
		}
	}
	if len(want) > 0 {
		t.Errorf("there are no gauges of %v", want)
	}
}

// What the same servers measured again has spans of its own, with its own values, and no gauge.
func TestMeasuredAgain(t *testing.T) {
	in := runs.Passed()
	again := in.Result.Points[0]
	again.Measurement, again.Metrics = 1, map[string]float64{"token_throughput": 399}
	unknown := again
	unknown.Measurement = 2 // of which the verdict has nothing
	in.Result.Add(again)
	for i, pt := range []protocol.Point{again, unknown} {
		in.Entries = append(in.Entries, protocol.Entry{
			Schema: 1, At: runs.At(181 + float64(i)/10), Kind: protocol.EntryPoint, Point: &pt,
		})
	}
	values := map[[8]byte]any{}
	for _, s := range build(in).Spans {
		for _, a := range s.Attributes {
			if s.Name == "concurrency 4" && a.Key == "disagg.point.token_throughput" {
				values[s.ID] = a.Value
			}
		}
	}
	if len(values) != 2 {
		t.Errorf("the spans of the point have the values %v", values)
	}
	if diff := cmp.Diff(build(runs.Passed()).Gauges, build(in).Gauges); diff != "" {
		t.Error(diff)
	}
}

// A metric that no table knows is kept under its own name, and is in the unit that it was measured in.
func TestOtherMetrics(t *testing.T) {
	in := runs.Passed()
	in.Result.Points[1].Metrics["mean_power"] = 412
	r := build(in)
	last := r.Gauges[len(r.Gauges)-1]
	if last.Name != "disagg.point.other" || len(last.Samples) != 1 || last.Samples[0].Value != 412 {
		t.Errorf("the last gauge is %+v", last)
	}
}

// What has hardly begun, or nothing at all, can be exported too; every span ends after it began.
func TestIncomplete(t *testing.T) {
	for name, change := range map[string]func(*report.Input){
		"nothing":      func(in *report.Input) { *in = report.Input{} },
		"no journal":   func(in *report.Input) { in.Entries = nil },
		"no measuring": func(in *report.Input) { in.Entries = in.Entries[:8] },
		"no result":    func(in *report.Input) { in.Result = protocol.Result{} },
		"clocks that differ": func(in *report.Input) {
			for i := range in.Entries {
				in.Entries[i].At = in.Entries[i].At.Add(-time.Hour * time.Duration(i%3))
			}
		},
	} {
		in := runs.Died()
		change(&in)
		r := build(in)
		if begun := name != "nothing"; (len(r.Spans) > 0) != begun || len(r.Gauges) == 0 {
			t.Fatalf("%s: there are %d spans and %d gauges", name, len(r.Spans), len(r.Gauges))
		}
		for _, s := range r.Spans {
			if s.End.Before(s.Begin) || s.Begin.Before(r.Spans[0].Begin) || s.End.After(r.Spans[0].End) {
				t.Errorf("%s: %s is from %v to %v in a run from %v", name, s.Name, s.Begin, s.End, r.Spans[0].Begin)
			}
		}
	}
}
