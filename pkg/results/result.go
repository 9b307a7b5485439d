package results

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/disagg/disagg/pkg/atomicfile"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/supervisor"
)

// Verdict is how a job ended.
type Verdict string

// The verdicts.
const (
	Passed    Verdict = "passed"
	Failed    Verdict = "failed"
	Cancelled Verdict = "cancelled"
	Broken    Verdict = "error" // the tool itself failed
)

// CauseKind is what went wrong first.
type CauseKind string

// The kinds of cause.
const (
	ChildExit       CauseKind = "child_exit"
	ChildSignal     CauseKind = "child_signal"
	OOM             CauseKind = "oom"
	NeverStarted    CauseKind = "never_started"
	StepFailed      CauseKind = "step_failed"
	InstallFailed   CauseKind = "install_failed"
	PreflightFailed CauseKind = "preflight_failed"
	ReadyTimeout    CauseKind = "ready_timeout"
	HealthLost      CauseKind = "health_lost"
	AgentLost       CauseKind = "agent_lost"
	HubLost         CauseKind = "hub_lost"
	BenchmarkFailed CauseKind = "benchmark_failed"
	ResultsInvalid  CauseKind = "results_invalid"
	Deadline        CauseKind = "deadline"
	TimeLimit       CauseKind = "time_limit"
	CauseCancelled  CauseKind = "cancelled"
	AgentError      CauseKind = "agent_error"
)

// Cause is why a job did not pass.
type Cause struct {
	Role    roles.Role `json:"role"`
	Rank    int        `json:"rank"`
	Host    string     `json:"host,omitempty"`
	Kind    CauseKind  `json:"kind"`
	Detail  string     `json:"detail"`
	At      time.Time  `json:"at"`
	LogTail []string   `json:"log_tail,omitempty"`
}

// String is the cause in one line: "GEN_0.3 on n2: child_signal: killed by SIGKILL".
func (c Cause) String() string {
	who := roles.Task{Role: c.Role, Rank: c.Rank}.String()
	if c.Host != "" {
		who += " on " + c.Host
	}
	return fmt.Sprintf("%s: %s: %s", who, c.Kind, c.Detail)
}

// Phases is how long each part of a job took, in seconds. A part that was not reached is 0.
type Phases struct {
	Queue     float64 `json:"queue"`     // from submission until the batch script began
	Install   float64 `json:"install"`   // installing
	Launch    float64 `json:"launch"`    // until every agent was attached
	Preflight float64 `json:"preflight"` // checking the hosts
	Ready     float64 `json:"ready"`     // until every server was ready
	Benchmark float64 `json:"benchmark"` // the benchmark's process
	Stop      float64 `json:"stop"`      // until nothing was left of any role
	Upload    float64 `json:"upload"`    // sending the records
}

// RankOutcome is how one rank ended.
type RankOutcome struct {
	Role      roles.Role          `json:"role"`
	Rank      int                 `json:"rank"`
	Host      string              `json:"host,omitempty"`
	Cause     CauseKind           `json:"cause,omitempty"` // "" if it did its work
	FirstSeen time.Time           `json:"first_seen,omitzero"`
	LastSeen  time.Time           `json:"last_seen,omitzero"`
	Outcome   *supervisor.Outcome `json:"outcome,omitempty"` // absent if nothing was heard of its end
}

// UploadReport is how sending the records went.
type UploadReport struct {
	URL     string `json:"url"`
	Sent    int    `json:"sent"`
	Pending int    `json:"pending"`
	Error   string `json:"error,omitempty"`
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
	Phases     Phases        `json:"phases"`
	Roles      []RankOutcome `json:"roles"`
	Points     []Point       `json:"points"`
	Upload     *UploadReport `json:"upload,omitempty"`
}

// Write stores the result. It replaces nothing: an attempt has one result.
func (r Result) Write(file string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = atomicfile.Create(file, append(data, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("cannot write result: %w", err)
	}
	return nil
}

// ReadResult reads result.json; the error is [os.ErrNotExist] while there is none.
func ReadResult(file string) (Result, error) {
	var r Result
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		return r, fmt.Errorf("cannot read result: %w", err)
	}
	return r, nil
}
