package protocol

import (
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/roles"
)

// Point is one measurement: what the client reports for one concurrency.
type Point struct {
	Index       int `json:"index"` // of the case's list of concurrencies
	Concurrency int `json:"concurrency"`
	// Successful and Failed are numbers of requests. Both are 0 for a point that counts if its source tells neither.
	Successful int `json:"successful_requests"`
	Failed     int `json:"failed_requests"`
	// Metrics carry upstream's names (token_throughput, mean_ttft): times in milliseconds, throughputs per second.
	Metrics map[string]float64 `json:"metrics"`
	// Invalid says why the point does not count; "" if it does.
	Invalid string `json:"invalid,omitempty"`
	// Measurement is how many measurements the same servers had served before: 0 on servers that were just started.
	Measurement int `json:"measurement,omitempty"`
}

// PhaseTimes is how long each part of a job took, in seconds. A part that was not reached is 0.
type PhaseTimes struct {
	Queue     float64 `json:"queue"`     // from submission until the batch script began
	Install   float64 `json:"install"`   // preparing the nodes
	Launch    float64 `json:"launch"`    // until every agent was attached
	Preflight float64 `json:"preflight"` // checking the hosts
	Ready     float64 `json:"ready"`     // until every server was ready
	Benchmark float64 `json:"benchmark"` // the benchmark's process
	Stop      float64 `json:"stop"`      // until nothing was left of any role
	Upload    float64 `json:"upload"`    // sending the records
}

// RankOutcome is how one rank ended.
type RankOutcome struct {
	Role roles.Role `json:"role"`
	Rank int        `json:"rank"`
	Host string     `json:"host,omitempty"`
	// Cause is why it failed; "" if it did its work.
	Cause     CauseKind `json:"cause,omitempty"`
	FirstSeen time.Time `json:"first_seen,omitzero"`
	LastSeen  time.Time `json:"last_seen,omitzero"`
	// Outcome is absent if nothing was heard of its end.
	Outcome *Outcome `json:"outcome,omitempty"`
}

// UploadReport is how sending the records to a sink went, or to all of them.
type UploadReport struct {
	URL     string `json:"url"` // of the sink; of several: all, with blanks between them
	Sent    int    `json:"sent"`
	Pending int    `json:"pending"`
	Dead    int    `json:"dead,omitempty"` // that the sink will never take
	// Known names those of the dead that were imported, and that the sink had already, with another time or other
	// values. It keeps its own.
	Known []string `json:"known,omitempty"`
	Error string   `json:"error,omitempty"`
	// Local says that the submitting side sends what is pending.
	Local bool `json:"local,omitempty"`
	// Sinks has the reports of several sinks.
	Sinks []UploadReport `json:"sinks,omitempty"`
}

// KnownRecord is why a sink does not take a record that was imported.
const KnownRecord = "already recorded, with another time or other values"

// SumUploads is the report of all sinks.
func SumUploads(reports ...UploadReport) (sum UploadReport) {
	if len(reports) == 1 {
		return reports[0]
	}
	var urls []string
	for _, r := range reports {
		urls = append(urls, r.URL)
		sum.Sent, sum.Pending, sum.Dead = sum.Sent+r.Sent, sum.Pending+r.Pending, sum.Dead+r.Dead
		sum.Known = append(sum.Known, r.Known...)
		if r.Error != "" && sum.Error == "" {
			sum.Error = r.URL + ": " + r.Error
		}
	}
	sum.URL, sum.Sinks = strings.Join(urls, " "), reports
	return sum
}

// LocalPending is how many records the submitting side is to send.
func (r UploadReport) LocalPending() (n int) {
	for _, s := range r.Each() {
		if s.Local {
			n += s.Pending
		}
	}
	return n
}

// Each lists the reports of the sinks.
func (r UploadReport) Each() []UploadReport {
	if len(r.Sinks) > 0 {
		return r.Sinks
	}
	return []UploadReport{r}
}

// Result is result.json: the verdict and everything that explains it. It is written once, last.
type Result struct {
	Schema     int           `json:"schema"` // 1
	RunID      string        `json:"run_id"`
	JobID      string        `json:"job_id,omitempty"`
	Case       string        `json:"case"`
	TestID     string        `json:"test_id"`
	Verdict    Verdict       `json:"verdict"`
	ExitCode   int           `json:"exit_code"`
	FirstCause *Cause        `json:"first_cause,omitempty"`
	Secondary  []Cause       `json:"secondary,omitempty"`
	StartedAt  time.Time     `json:"started_at"`
	EndedAt    time.Time     `json:"ended_at"`
	Phases     PhaseTimes    `json:"phases"`
	Roles      []RankOutcome `json:"roles"`
	Points     []Point       `json:"points"` // of the first measurement, which the verdict is about
	// Again are the points of the measurements that followed on the same servers, one list each.
	Again [][]Point `json:"again,omitempty"`
	// GPUUse is how GPUs were used in the whole run; absent if they were not sampled.
	GPUUse []GPUUse      `json:"gpu_use,omitempty"`
	Upload *UploadReport `json:"upload,omitempty"`
	// Regression is what a comparison with earlier runs says; absent if there was none.
	Regression *RegressionVerdict `json:"regression,omitempty"`
	// Kept says that servers were kept, for another measurement; see plan.Policy.
	Kept bool `json:"servers_kept,omitempty"`
	// Lost says what could not be written to the run directory; "" if everything was.
	Lost string `json:"lost,omitempty"`
}

// Add adds a point to those of its measurement.
func (r *Result) Add(pt Point) {
	if pt.Measurement == 0 {
		r.Points = append(r.Points, pt)
		return
	}
	for len(r.Again) < pt.Measurement {
		r.Again = append(r.Again, []Point{})
	}
	r.Again[pt.Measurement-1] = append(r.Again[pt.Measurement-1], pt)
}

// VerdictLine begins the line by which the hub hands on a verdict that the run directory did not take: the verdict as
// JSON follows.
const VerdictLine = "disagg-verdict: "

// Brief is the verdict without what only explains it.
func (r Result) Brief() Result {
	r.Roles, r.Secondary, r.GPUUse = []RankOutcome{}, nil, nil
	if r.FirstCause != nil {
		c := r.FirstCause.Brief()
		r.FirstCause = &c
	}
	return r
}
