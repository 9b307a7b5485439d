package regression

import (
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
)

// measured are the records of a run: a throughput for each measurement of one point.
func measured(run string, throughputs ...float64) (list []results.Record) {
	for i, v := range throughputs {
		list = append(list, results.Record{RunID: run, TestID: "t", GPUs: 8, Point: protocol.Point{
			Concurrency: 4, Measurement: i, Metrics: map[string]float64{"token_throughput": v},
		}})
	}
	return list
}

// past are earlier runs about 100 tokens a second.
func past() (h results.History) {
	for i, v := range about(100, 0.01, 20) {
		h.Records = append(h.Records, measured("run-"+string(rune('a'+i)), v)...)
	}
	// Warm servers that are slower are no earlier runs.
	for i := range 20 {
		h.Records = append(h.Records, measured("warm-"+string(rune('a'+i)), 100, 50)[1])
	}
	return h
}

// A suspicion is confirmed or refuted by a second measurement on the same servers, and stays one without.
func TestJudgeRun(t *testing.T) {
	for name, tt := range map[string]struct {
		throughputs []float64
		status      protocol.RegressionStatus
		suspicious  bool
		says        string
	}{
		"as usual":              {[]float64{100}, Passed, false, "passed"},
		"as usual, and again":   {[]float64{100, 50}, Passed, false, "passed"},
		"suspicious":            {[]float64{95}, Unknown, true, "not measured a second time"},
		"overwhelming":          {[]float64{50}, Failed, true, "measured once, twice as far away"},
		"confirmed":             {[]float64{95, 94.5}, Failed, false, "both measurements are outside"},
		"refuted":               {[]float64{95, 100}, Passed, false, "the second measurement was as usual"},
		"of several the second": {[]float64{95, 94.5, 100}, Failed, false, "measured again: 94.5"},
	} {
		t.Run(name, func(t *testing.T) {
			run := Run{Records: measured("new", tt.throughputs...), History: past(), Detector: plan.DetectorInterval}
			v := Default().JudgeRun(run, time.Unix(0, 0))
			said := ""
			for _, f := range v.Findings {
				if f.Metric == "token_throughput" {
					said += f.String()
				}
			}
			if v.Status != tt.status || v.Suspicious() != tt.suspicious || !strings.Contains(said, tt.says) {
				t.Errorf("%s, suspicious %v: %s", v.Status, v.Suspicious(), said)
			}
		})
	}
}
