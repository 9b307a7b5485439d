package telemetry_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/telemetry"
	"github.com/disagg/disagg/test/runs"
)

// samples are those of a gauge, by the value of their last label; nil: the run has no such gauge.
func samples(r telemetry.Run, name string) map[string]float64 {
	for _, g := range r.Gauges {
		if g.Name != name {
			continue
		}
		list := map[string]float64{}
		for _, s := range g.Samples {
			list[s.Labels[len(s.Labels)-1].Value] = s.Value
		}
		return list
	}
	return nil
}

// Of the words that a verdict or a comparison may be, exactly the one that holds is 1: alerts are made of that.
func TestOneWordHolds(t *testing.T) {
	for _, verdict := range append(protocol.Verdicts(), "") {
		in := runs.Passed()
		in.Result.Verdict = verdict
		want := map[string]float64{"passed": 0, "failed": 0, "cancelled": 0, "error": 0, "none": 0}
		word := string(verdict)
		if verdict == "" {
			word = "none"
		}
		want[word] = 1
		if diff := cmp.Diff(want, samples(build(in), "disagg.run.verdict")); diff != "" {
			t.Errorf("%q: %s", verdict, diff)
		}
	}
	for _, status := range []protocol.RegressionStatus{
		protocol.RegressionPassed, protocol.RegressionSuspect, protocol.RegressionFailed, protocol.RegressionUnknown,
	} {
		in := runs.Passed()
		in.Result.Regression = &protocol.RegressionVerdict{Status: status}
		want := map[string]float64{"passed": 0, "suspect": 0, "failed": 0, "unknown": 0}
		want[string(status)] = 1
		if diff := cmp.Diff(want, samples(build(in), "disagg.run.regression")); diff != "" {
			t.Errorf("compared: %q: %s", status, diff)
		}
	}
}

// A run that failed has a first cause, one that passed has none; what was not compared says nothing of a comparison.
func TestFactsThatAreAbsent(t *testing.T) {
	if got := samples(build(runs.Died()), "disagg.run.first_cause"); got["child_exit"] != 1 || len(got) != 1 {
		t.Errorf("it died: %v", got)
	}
	passed := build(runs.Passed())
	for _, name := range []string{"disagg.run.first_cause", "disagg.run.regression"} {
		if got := samples(passed, name); got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A part of a run that was not reached has no duration: 0 would read as a very short one. Nor has a run times of which
// nothing is known.
func TestTimesThatAreAbsent(t *testing.T) {
	in := runs.Passed()
	in.Result.Phases = protocol.PhaseTimes{Ready: 0.25, Upload: 2}
	got := samples(build(in), "disagg.phase.duration")
	if diff := cmp.Diff(map[string]float64{"ready": 0.25, "upload": 2}, got); diff != "" {
		t.Error(diff)
	}
	r := telemetry.Build(report.Input{}, runs.Submitted)
	for _, name := range []string{
		"disagg.phase.duration", "disagg.run.start_timestamp", "disagg.run.end_timestamp", "disagg.run.duration",
	} {
		if got := samples(r, name); got != nil {
			t.Errorf("nothing is known, but %s: %v", name, got)
		}
	}
}

// Moments are in seconds with their fractions: durations that a tool takes of them are exact to a millisecond.
func TestMomentsHaveFractions(t *testing.T) {
	in := runs.Passed()
	in.Result.StartedAt, in.Result.EndedAt = runs.At(0.25), runs.At(0.5)
	in.Entries = nil
	r := build(in)
	begin, end := samples(r, "disagg.run.start_timestamp"), samples(r, "disagg.run.end_timestamp")
	for gpu, v := range begin {
		if want := float64(runs.Begin.Unix()) + 0.25; v != want || end[gpu] != want+0.25 {
			t.Errorf("from %f to %f, want from %f", v, end[gpu], want)
		}
	}
}

// Every planned point is counted once: as one that counts, as one that does not, or as one that was not run.
func TestPointsAreCounted(t *testing.T) {
	for name, tt := range map[string]struct {
		in   report.Input
		want map[string]float64
	}{
		"passed":  {runs.Passed(), map[string]float64{"counts": 3, "invalid": 0, "not_run": 0}},
		"invalid": {runs.Invalid(), map[string]float64{"counts": 2, "invalid": 1, "not_run": 0}},
		"died":    {runs.Died(), map[string]float64{"counts": 1, "invalid": 0, "not_run": 2}},
	} {
		if diff := cmp.Diff(tt.want, samples(build(tt.in), "disagg.run.points")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A metric that no table knows is exported of points that count alone, under its own name, however that begins.
func TestOtherMetricsOfPoints(t *testing.T) {
	in := runs.Invalid()
	for i := range in.Result.Points {
		in.Result.Points[i].Metrics["goodness"] = float64(i)
		in.Result.Points[i].Metrics["p99_goodness"] = 7
	}
	for _, g := range build(in).Gauges {
		if g.Name != "disagg.point.other" {
			continue
		}
		var got []string
		for _, s := range g.Samples {
			got = append(got, s.Labels[4].Value+" "+s.Labels[len(s.Labels)-1].Value)
		}
		want := []string{"0 goodness", "0 p99_goodness", "1 goodness", "1 p99_goodness"} // the third does not count
		if diff := cmp.Diff(want, got); diff != "" || g.Unit != "" || g.Help == "" {
			t.Errorf("%+v: %s", g, diff)
		}
		return
	}
	t.Error("there is no gauge of other metrics")
}

// Points of one concurrency are samples of their own: the number of the point tells them from each other.
func TestPointsOfOneConcurrency(t *testing.T) {
	in := runs.Passed()
	in.Plan.Case.Load.Concurrency = []int{4, 4, 4}
	for i := range in.Result.Points {
		in.Result.Points[i].Concurrency = 4
	}
	seen := map[string]bool{}
	for _, g := range build(in).Gauges {
		for _, s := range g.Samples {
			key := g.Name
			for _, l := range s.Labels {
				key += "\x00" + l.Value
			}
			if seen[key] {
				t.Errorf("%s has two samples with the labels %v", g.Name, s.Labels)
			}
			seen[key] = true
		}
	}
}

// full is a run whose first point has every metric of the table, and one that is in none.
func full() report.Input {
	in := runs.Passed()
	for _, m := range results.Metrics() {
		if !m.Derived {
			in.Result.Points[0].Metrics[m.Name] = 1
		}
	}
	in.Result.Points[0].Metrics["mine"] = 1
	return in
}

// Every gauge can be told to people and to tools: its name is there once, its help is a sentence, and each of its
// samples has labels of the same names, no name twice.
func TestGaugesAreWellFormed(t *testing.T) {
	in := full()
	in.Result.Regression = &protocol.RegressionVerdict{Status: protocol.RegressionPassed}
	names := map[string]bool{}
	for _, g := range build(in).Gauges {
		first := g.Help[:1]
		if names[g.Name] || !strings.HasPrefix(g.Name, "disagg.") || first != strings.ToUpper(first) ||
			!strings.HasSuffix(g.Help, ".") || strings.HasSuffix(g.Help, "..") || len(g.Samples) == 0 {
			t.Errorf("%+v", g)
		}
		names[g.Name] = true
		want := labelNames(g.Samples[0])
		for _, s := range g.Samples {
			got := labelNames(s)
			if !slices.Equal(got, want) || len(slices.Compact(slices.Sorted(slices.Values(got)))) != len(got) ||
				math.IsNaN(s.Value) {
				t.Errorf("%s: %+v, want labels %v", g.Name, s, want)
			}
		}
	}
}

func labelNames(s telemetry.Sample) (names []string) {
	for _, l := range s.Labels {
		names = append(names, l.Name)
	}
	return names
}

// The statistics of a metric are samples of one gauge, which is told as what was measured, not as one of them.
func TestStatisticsShareAGauge(t *testing.T) {
	for _, g := range build(full()).Gauges {
		if g.Name != "disagg.point.ttft" {
			continue
		}
		var got []string
		for _, s := range g.Samples {
			if s.Labels[4].Value == "0" {
				got = append(got, s.Labels[len(s.Labels)-1].Value)
			}
		}
		slices.Sort(got)
		for _, statistic := range []string{"max", "mean", "median", "p75", "p90", "p95", "p99", "std"} {
			_, known := results.MetricNamed(statistic + "_ttft")
			if known != slices.Contains(got, statistic) {
				t.Errorf("the table has %s: %v, the gauge has %v", statistic, known, got)
			}
		}
		if !strings.HasPrefix(g.Help, "Time from sending a request") {
			t.Error(g.Help)
		}
		return
	}
	t.Error("there is no gauge of the time to the first token")
}
