package report

import (
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// Model is data.json: everything that a report of a run shows. What is not known is absent, not guessed.
type Model struct {
	Schema int     `json:"schema"` // 1
	Run    RunInfo `json:"run"`
	Setup  Setup   `json:"setup"`
	// Failure is why the run did not pass.
	Failure *Failure `json:"failure,omitempty"`
	// Best is the point with the most output tokens a second and GPU, of those that count.
	Best *Best `json:"best,omitempty"`
	// Metrics says what each name in `values` means, in the order in which tables show them.
	Metrics []MetricInfo `json:"metrics"`
	// Points are all that the case asks for, in its order, those included that were not measured.
	Points []PointInfo `json:"points"`
	// Again is what was measured afterwards on the same servers. It is not part of curves, bests and comparisons.
	Again []Measurement `json:"again,omitempty"`
	// Earlier runs of the same series, oldest first, with the points of them that count.
	Earlier []EarlierRun `json:"earlier,omitempty"`
	// Regression is absent if nobody compared the run with earlier ones.
	Regression *Judgement `json:"regression,omitempty"`
	Timeline   Timeline   `json:"timeline"`
	// GPUUse is how each GPU was used in the whole run; absent if they were not sampled.
	GPUUse []protocol.GPUUse `json:"gpu_use,omitempty"`
	Ranks  []RankInfo        `json:"ranks"`
	Logs   []Log             `json:"logs,omitempty"` // of whole roles, and of what came before them

	Upload *protocol.UploadReport `json:"upload,omitempty"`
	// Lost says what could not be written to the run directory.
	Lost string `json:"lost,omitempty"`
	// Notes say what the reader must know to read the rest: what was left out, and why.
	Notes []string `json:"notes,omitempty"`
}

// Measurement is one of several on the same servers.
type Measurement struct {
	Number int         `json:"number"` // from 1; the points of the first are the model's own
	Points []PointInfo `json:"points"` // like those of the model
}

// RunInfo is which run it is, and how it ended.
type RunInfo struct {
	RunID     string              `json:"run_id"`
	JobID     string              `json:"job_id,omitempty"` // the scheduler's
	Case      string              `json:"case"`
	TestID    string              `json:"test_id"`
	Settings  []roles.Setting     `json:"settings,omitempty"` // in place of what the case's file, and the recipe, have
	Verdict   protocol.Verdict    `json:"verdict,omitempty"`  // absent: there is none yet
	ExitCode  int                 `json:"exit_code"`
	StartedAt time.Time           `json:"started_at,omitzero"`
	EndedAt   time.Time           `json:"ended_at,omitzero"`
	Seconds   float64             `json:"seconds"`
	Phases    protocol.PhaseTimes `json:"phases"`
}

// Setup is what was measured, and on what.
type Setup struct {
	Mode      string              `json:"mode,omitempty"`
	Model     string              `json:"model,omitempty"`
	Precision string              `json:"precision,omitempty"`
	Recipe    string              `json:"recipe,omitempty"`
	Cluster   string              `json:"cluster,omitempty"` // name of the profile
	Client    string              `json:"client,omitempty"`  // absent: the engine's own
	Servers   []ServerGroup       `json:"servers,omitempty"`
	Nodes     int                 `json:"nodes,omitempty"`
	UsedGPUs  int                 `json:"used_gpus,omitempty"`  // by servers: throughput a GPU is over these
	AskedGPUs int                 `json:"asked_gpus,omitempty"` // that the allocation holds: whole nodes
	Source    string              `json:"source,omitempty"`     // where the case was found
	SHA256    string              `json:"sha256,omitempty"`     // of the case as it was found, in hex
	Origin    protocol.Provenance `json:"provenance"`
}

// ServerGroup is the servers of one kind.
type ServerGroup struct {
	Kind  roles.Kind `json:"kind"` // GEN or CTX
	Count int        `json:"count"`
	GPUs  int        `json:"gpus"` // of each
}

// Failure is the first cause of a run that did not pass.
type Failure struct {
	Kind protocol.CauseKind `json:"kind"`
	Who  string             `json:"who"` // the rank and its host, or the subject: who is to blame
	// Detail says in one line what happened.
	Detail string `json:"detail"`
	// What happened, in words that follow Who: "ran out of device memory; it exited with code 1".
	What string `json:"what"`
	// Message is the line of the output that explains, or what else is known.
	Message string `json:"message,omitempty"`
	// Known is the name of the cause in the catalogue of known causes; absent if it is none of them.
	Known string `json:"known,omitempty"`
	// Hint is what to look at, or to change; absent if nothing is nearly always right.
	Hint    string         `json:"hint,omitempty"`
	At      time.Time      `json:"at,omitzero"`
	Seconds float64        `json:"seconds"`         // after the run began
	Phase   protocol.Phase `json:"phase,omitempty"` // that it happened in
	// Excerpt is 3 to 8 lines of the rank's output around the one that explains, if there are so many.
	Excerpt []ExcerptLine `json:"excerpt,omitempty"`
	// Log is the file that the excerpt is from, relative to the attempt's folder, Line the number of the line that
	// explains, from 1.
	Log  string `json:"log,omitempty"`
	Line int    `json:"line,omitempty"`
	// Source is the line of source that the output names, as file:line.
	Source string `json:"source,omitempty"`
	// Client is what the benchmark's client says, in a log of its own.
	Client *ClientLine `json:"client,omitempty"`
	// Tail is the last lines of that output.
	Tail []string `json:"tail,omitempty"`
	// Stopped is how many ranks were stopped because of it, StoppedAfter how many seconds later that began, GoneAfter
	// how many seconds it took until nothing was left of them.
	Stopped      int      `json:"stopped"`
	StoppedAfter float64  `json:"stopped_after,omitempty"`
	GoneAfter    float64  `json:"gone_after,omitempty"`
	Secondary    []string `json:"secondary,omitempty"` // failures that followed from it
}

// ClientLine is the line of a log of the benchmark's client that explains.
type ClientLine struct {
	Log  string `json:"log"` // relative to the attempt's folder
	Line int    `json:"line"`
	Text string `json:"text"`
}

// ExcerptLine is a line of a log.
type ExcerptLine struct {
	Number int    `json:"number,omitempty"` // in the file, from 1; absent if it is not known
	Text   string `json:"text"`
	Marked bool   `json:"marked,omitempty"` // it is the one that explains
}

// Best is the point with the most output tokens a second and GPU.
type Best struct {
	Concurrency int     `json:"concurrency"`
	TokPerGPU   float64 `json:"tok_per_gpu"`            // output tokens a second and used GPU
	TokPerUser  float64 `json:"tok_per_user,omitempty"` // there, 1000 / mean TPOT
	Change      float64 `json:"change,omitempty"`       // of tok_per_gpu to the same point of the run before, as a part
}

// MetricInfo is what a number means; see package results for the table.
type MetricInfo struct {
	Name       string `json:"name"`
	Label      string `json:"label"`
	Unit       string `json:"unit"`
	Definition string `json:"definition"`
	Higher     bool   `json:"higher_is_better"`
}

// PointState is what became of a point.
type PointState string

// The states of a point.
const (
	Counts  PointState = "counts"  // it was measured
	Invalid PointState = "invalid" // it was measured, and does not count
	NotRun  PointState = "not_run" // it was not measured, or not yet
)

// PointInfo is one point of the case.
type PointInfo struct {
	Index       int        `json:"index"`
	Concurrency int        `json:"concurrency"`
	State       PointState `json:"state"`
	// Reason is why it does not count although it was measured.
	Reason     string          `json:"reason,omitempty"`
	Load       roles.PointLoad `json:"load"`
	Requests   int             `json:"requests,omitempty"` // that the case asks for
	Successful int             `json:"successful_requests"`
	Failed     int             `json:"failed_requests"`
	// Values are by the names of the metrics; those of a point that does not count are kept, and used nowhere.
	Values map[string]float64 `json:"values,omitempty"`
	// Change is how each value differs from the run before, as a part of that.
	Change map[string]float64 `json:"change,omitempty"`
	// Flags are what the regression check says of a value, where that is not that it passed.
	Flags map[string]string `json:"flags,omitempty"`
}

// EarlierRun is another run of the same series.
type EarlierRun struct {
	RunID  string         `json:"run_id"`
	At     time.Time      `json:"at"` // when its last point was measured
	Points []EarlierPoint `json:"points"`
}

// EarlierPoint is a point of an earlier run.
type EarlierPoint struct {
	Concurrency int                `json:"concurrency"`
	Values      map[string]float64 `json:"values"`
}

// Judgement is what a regression check says of a run; see package regression for the terms.
type Judgement struct {
	Status   string    `json:"status"` // passed, suspect, failed or unknown
	Reason   string    `json:"reason"`
	Detector string    `json:"detector,omitempty"`
	Findings []Finding `json:"findings,omitempty"`
}

// Finding is what is said of one metric of one point.
type Finding struct {
	Concurrency int    `json:"concurrency"`
	Metric      string `json:"metric"`
	Gates       bool   `json:"gates"` // it decides about the run
	Status      string `json:"status"`
	Text        string `json:"text"` // the finding in a sentence
	// Past is how many earlier runs it is judged by, and Worse how much worse the value is than theirs, as a part.
	Past  int     `json:"past"`
	Worse float64 `json:"worse"`
	// Detectable is the smallest worsening that would have been seen nine times of ten, as a part.
	Detectable float64 `json:"detectable,omitempty"`
}

// The statuses of a [Judgement] and of a [Finding].
const (
	statusPassed  = string(protocol.RegressionPassed)
	statusFailed  = string(protocol.RegressionFailed)
	statusUnknown = string(protocol.RegressionUnknown)
)

// JudgementOf is what a comparison with earlier runs says, as a report shows it.
func JudgementOf(v protocol.RegressionVerdict) *Judgement {
	j := Judgement{Status: string(v.Status), Reason: v.Reason, Detector: v.Detector}
	for _, f := range v.Findings {
		j.Findings = append(j.Findings, Finding{
			Concurrency: f.Concurrency, Metric: f.Metric, Gates: f.Gates, Status: string(f.Status), Text: f.String(),
			Past: f.Past, Worse: f.Worse, Detectable: f.Detectable,
		})
	}
	return &j
}

// RankInfo is how one rank ended.
type RankInfo struct {
	Rank  string             `json:"rank"` // such as GEN_0.3
	Host  string             `json:"host,omitempty"`
	Cause protocol.CauseKind `json:"cause,omitempty"` // why it failed; absent if it did its work
	// Ended is false if nothing was heard of its end; the fields below are then absent.
	Ended      bool    `json:"ended"`
	Code       int     `json:"code"`
	Signal     string  `json:"signal,omitempty"`
	StopReason string  `json:"stop_reason,omitempty"`
	PeakRSS    int64   `json:"peak_rss_bytes,omitempty"`
	CPUSeconds float64 `json:"cpu_seconds,omitempty"`
	Survivors  int     `json:"survivors,omitempty"` // processes that even SIGKILL did not end
	Log        string  `json:"log,omitempty"`       // relative to the attempt's folder
}

// Log is a log file.
type Log struct {
	Name string `json:"name"`
	Path string `json:"path"` // relative to the attempt's folder
}
