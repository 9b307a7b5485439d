package protocol

import (
	"fmt"
	"slices"
	"time"

	"github.com/disagg/disagg/pkg/roles"
)

// Verdict is how a job ended.
type Verdict string

// The verdicts.
const (
	Passed    Verdict = "passed"
	Failed    Verdict = "failed"
	Cancelled Verdict = "cancelled"
	Errored   Verdict = "error" // the tool itself failed
)

// Verdicts lists every verdict.
func Verdicts() []Verdict { return []Verdict{Passed, Failed, Cancelled, Errored} }

// Check returns an error if the verdict is unknown, or if no process may end with that exit code for it: only a test
// that passed ends with 0. Codes above 255 are refused too: a parent sees the lowest byte alone, which may be 0.
func (v Verdict) Check(code int) error {
	if !slices.Contains(Verdicts(), v) {
		return fmt.Errorf("%.20q is no verdict", v)
	}
	if code < 0 || code > 255 || code == ExitPassed && v != Passed {
		return fmt.Errorf("the verdict %s cannot have the exit code %d", v, code)
	}
	return nil
}

// CauseKind is what went wrong first.
type CauseKind string

// The kinds of cause.
const (
	ChildExit       CauseKind = "child_exit"       // a process ended that should have gone on
	ChildSignal     CauseKind = "child_signal"     // a signal ended it
	OOM             CauseKind = "oom"              // it ran out of memory
	NeverStarted    CauseKind = "never_started"    // it could not be started, or its agent never arrived
	StepFailed      CauseKind = "step_failed"      // the scheduler could not start or keep the step
	InstallFailed   CauseKind = "install_failed"   // preparing the nodes failed
	PreflightFailed CauseKind = "preflight_failed" // a host lacks what the job needs
	ReadyTimeout    CauseKind = "ready_timeout"    // a server was not ready in time
	HealthLost      CauseKind = "health_lost"      // a service no longer answers, or cannot be reached
	Stalled         CauseKind = "stalled"          // a service answers but makes no progress
	AgentLost       CauseKind = "agent_lost"       // an agent vanished
	HostLost        CauseKind = "host_lost"        // every agent of a host vanished
	HubLost         CauseKind = "hub_lost"         // the hub ended without a verdict
	BenchmarkFailed CauseKind = "benchmark_failed" // the benchmark's process failed by itself
	ResultsInvalid  CauseKind = "results_invalid"  // it ended well, but its results do not count
	Regression      CauseKind = "regression"       // the results are worse than earlier ones
	Deadline        CauseKind = "deadline"         // the benchmark ran for too long
	TimeLimit       CauseKind = "time_limit"       // the job's time is over
	CauseCancelled  CauseKind = "cancelled"        // a person, or the scheduler for one, ended the job
	DiskStuck       CauseKind = "disk_stuck"       // the run directory does not answer
	AgentError      CauseKind = "agent_error"      // a fault of the tool
)

// CauseKinds lists every kind of cause.
func CauseKinds() []CauseKind {
	return []CauseKind{
		ChildExit, ChildSignal, OOM, NeverStarted, StepFailed, InstallFailed, PreflightFailed, ReadyTimeout, HealthLost,
		Stalled, AgentLost, HostLost, HubLost, BenchmarkFailed, ResultsInvalid, Regression, Deadline, TimeLimit,
		CauseCancelled, DiskStuck, AgentError,
	}
}

// Words are what a person reads for a kind, before the detail of a cause; "" if the detail says it by itself.
func (k CauseKind) Words() string {
	return map[CauseKind]string{
		NeverStarted: "never started", PreflightFailed: "its host is not fit", HostLost: "lost", HubLost: "lost",
		TimeLimit: "out of time", CauseCancelled: "cancelled", AgentError: "a fault of disagg",
	}[k]
}

// WholeJob is the subject of a cause that concerns no rank or step by itself.
const WholeJob = "the whole job"

// Cause is why a job did not pass.
type Cause struct {
	Role roles.Role `json:"role"`
	Rank int        `json:"rank"`
	Host string     `json:"host,omitempty"`
	// Subject names what is meant if it is not a rank: a host, or the whole job. Role and rank are then those who told.
	Subject string    `json:"subject,omitempty"`
	Kind    CauseKind `json:"kind"`
	// Detail says in one line what happened.
	Detail string    `json:"detail"`
	At     time.Time `json:"at"`
	// Message is the line of the rank's output that says why, with the first cause only; "" if none does.
	Message string `json:"message,omitempty"`
	// Excerpt is that line in its context, with the first cause only.
	Excerpt []string `json:"excerpt,omitempty"`
	// Line is the number of the message's line in the rank's log, ExcerptLine that of the excerpt's first line, from 1;
	// 0: they were not counted.
	Line        int `json:"line,omitempty"`
	ExcerptLine int `json:"excerpt_line,omitempty"`
	// LogTail is the last lines of the rank's output, with the first cause only.
	LogTail []string `json:"log_tail,omitempty"`
}

// Quote takes in what a rank's output says of its end.
func (c *Cause) Quote(o Outcome) {
	c.Message, c.Excerpt, c.Line, c.ExcerptLine, c.LogTail = o.Headline, o.Excerpt, o.Line, o.ExcerptLine, o.Tail
}

// Brief is the cause without what the rank's output says, but for its detail.
func (c Cause) Brief() Cause {
	c.Quote(Outcome{})
	return c
}

// Task is the rank that the cause names.
func (c Cause) Task() roles.Task { return roles.Task{Role: c.Role, Rank: c.Rank} }

// Who is to blame: what the cause names as its subject, else the rank with its host.
func (c Cause) Who() string {
	switch {
	case c.Subject != "":
		return c.Subject
	case c.Host != "":
		return c.Task().String() + " on " + c.Host
	}
	return c.Task().String()
}

// String is the cause in one line: "GEN_0.3 on n2: killed by SIGKILL", "host n3: lost: all of its agents …".
func (c Cause) String() string { return c.Who() + ": " + c.What() }

// What is what went wrong, in one line.
func (c Cause) What() string {
	if words := c.Kind.Words(); words != "" {
		return words + ": " + c.Detail
	}
	return c.Detail
}

// EndedBy tells on whose account a job is asked to end: the scheduler asks when its time is over (zero: not known when
// that is), at any other time it is a person.
func EndedBy(ends, now time.Time) CauseKind {
	if !ends.IsZero() && !now.Before(ends.Add(-time.Second)) {
		return TimeLimit
	}
	return CauseCancelled
}
