package regression

import (
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

// A history that could not be asked for makes the verdict unknown, with the reason: it is not taken for an empty one,
// or for a good one.
func TestHistoryCannotBeAsked(t *testing.T) {
	for _, detector := range []string{plan.DetectorInterval, plan.DetectorUpstream} {
		for _, value := range []float64{100, 1} {
			run := Run{Records: measured("new", value), Detector: detector}
			run.History.Error = "connection refused"
			v := Default().JudgeRun(run, time.Unix(0, 0))
			if v.Status != Unknown || !strings.Contains(v.Reason, "could not be asked for: connection refused") {
				t.Errorf("%s: %s: %s", detector, v.Status, v.Reason)
			}
		}
	}
}

// Each point is compared with the history of its own series, also where a case has several points, and where the same
// case stands in a list twice.
func TestEveryPointHasItsHistory(t *testing.T) {
	of := func(run string, concurrency int, throughput float64) results.Record {
		r := measured(run, throughput)[0]
		r.Point.Concurrency = concurrency
		return r
	}
	var h results.History
	for i := range 20 {
		run := "run-" + string(rune('a'+i))
		h.Records = append(h.Records, of(run, 4, about(100, 0.01, 20)[i]), of(run, 8, about(500, 0.01, 20)[i]))
	}
	for _, run := range []string{"first of the list", "second of the list"} {
		v := Default().JudgeRun(Run{
			Records: []results.Record{of(run, 4, 100), of(run, 8, 100)}, History: h, Detector: plan.DetectorInterval,
		}, time.Unix(0, 0))
		got := map[int]protocol.RegressionStatus{}
		for _, f := range v.Findings {
			if f.Metric == "token_throughput" {
				got[f.Concurrency] = f.Status
			}
		}
		if got[4] != Passed || got[8] != Failed || v.Status != Failed {
			t.Errorf("%s: %v, %s", run, got, v.Status)
		}
	}
}

// What other branches have measured takes no part if that is wanted. A record says the branch of its checkout.
func TestBranches(t *testing.T) {
	h := past()
	for i := range h.Records {
		h.Records[i].Provenance.Branch = "release"
	}
	for branch, want := range map[string]protocol.RegressionStatus{"release": Failed, "main": Unknown} {
		v := Default().JudgeRun(Run{
			Records: measured("new", 50), History: h, Detector: plan.DetectorInterval,
			Conditions: []string{"branch=" + branch},
		}, time.Unix(0, 0))
		if v.Status != want {
			t.Errorf("%s: %s, want %s", branch, v.Status, want)
		}
	}
}

// A case that asks for another load under its old name is not compared with what it was, and says why.
func TestAnotherLoad(t *testing.T) {
	h := past()
	for i := range h.Records {
		h.Records[i].Load.OutputLength = 1024
	}
	for length, want := range map[int]protocol.RegressionStatus{1024: Failed, 64: Unknown} {
		r := measured("new", 50)
		r[0].Load.OutputLength = length
		for _, detector := range []string{plan.DetectorInterval, plan.DetectorUpstream} {
			v := Default().JudgeRun(Run{Records: r, History: h, Detector: detector, Pinned: []string{"run=run-a"}},
				h.Records[0].MeasuredAt)
			const why = ": 20 more asked for another load, or had other servers"
			if v.Status != want || want == Unknown && !strings.Contains(v.Reason, why) {
				t.Errorf("%s, %d tokens: %s, %s", detector, length, v.Status, v.Reason)
			}
		}
	}
}

// What earlier runs have measured and this one has not cannot be told, however good the rest is; what the last ones
// have not measured either is no longer asked for.
func TestNotMeasured(t *testing.T) {
	for without, want := range map[int]protocol.RegressionStatus{0: Unknown, 4: Unknown, 5: Passed, 20: Passed} {
		h := past()
		h.Records = h.Records[:20]
		for i := range 20 - without {
			h.Records[i].Point.Metrics["al"] = 2.5
		}
		for _, detector := range []string{plan.DetectorInterval, plan.DetectorUpstream} {
			v := Default().JudgeRun(Run{Records: measured("new", 100), History: h, Detector: detector},
				h.Records[0].MeasuredAt)
			const why = "concurrency 4: accepted tokens: unknown: it was not measured: "
			if v.Status != want || want == Unknown && !strings.HasPrefix(v.Reason, why) {
				t.Errorf("%s, %d without: %s, %s", detector, without, v.Status, v.Reason)
			}
		}
	}
}

// A variant is judged by its own past alone: what other settings have made faster or slower takes no part.
func TestVariantsAreApart(t *testing.T) {
	with := func(run, value string, throughput float64) results.Record {
		r := measured(run, throughput)[0]
		r.Settings = []roles.Setting{{Key: "worker_config.gen.max_batch_size", Value: value}}
		return r
	}
	var h results.History
	for i, v := range about(100, 0.01, 20) {
		run := "run-" + string(rune('a'+i))
		h.Records = append(h.Records, with(run, "8", v), with(run, "16", 5*v), measured(run, 9*v)[0])
	}
	for value, tt := range map[string]struct {
		throughput float64
		status     protocol.RegressionStatus
		past       int
	}{
		"8": {100, Passed, 20}, "16": {100, Failed, 20}, "32": {100, Unknown, 0},
	} {
		v := Default().JudgeRun(Run{
			Records: []results.Record{with("new", value, tt.throughput)}, History: h, Detector: plan.DetectorInterval,
		}, time.Unix(0, 0))
		past := -1
		for _, f := range v.Findings {
			if f.Metric == "token_throughput" {
				past = f.Past
			}
		}
		if v.Status != tt.status || past != tt.past {
			t.Errorf("%s: %s by %d earlier runs, want %s by %d", value, v.Status, past, tt.status, tt.past)
		}
	}
}
