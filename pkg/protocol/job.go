package protocol

import "time"

// JobPhase is how far a job is, as its scheduler tells.
type JobPhase string

// The phases of a job.
const (
	JobUnknown JobPhase = "" // nothing is known, which is no answer
	JobQueued  JobPhase = "queued"
	JobRunning JobPhase = "running"
	JobEnding  JobPhase = "ending" // its processes are being ended, or its nodes freed
	JobEnded   JobPhase = "ended"
)

// JobState is what a scheduler says about a job.
type JobState struct {
	Phase JobPhase
	// Word is the scheduler's own word for it, such as CANCELLED; "" if it gives none.
	Word string
	// Reason is why it waits, in the scheduler's words, and Why in plain ones; "" if that is not known.
	Reason, Why string
	// Never says that it waits for what cannot come: Why tells what it asks for, and what there is.
	Never bool
	// Starts is when the scheduler expects it to start; zero if it does not say. It changes from answer to answer.
	Starts time.Time
	// Cause is how a job has ended, as far as the scheduler tells: cancelled, time_limit, or "" for anything else.
	Cause CauseKind
	// NeverRan says that not even its first process could be started.
	NeverRan bool
	// Note is the verdict that the job left with its scheduler, as JSON; "" if it left none.
	Note string
}

// ExitCode is what `disagg-submit run` ends with for a job that left no verdict, which is never success.
func (s JobState) ExitCode() int {
	switch s.Cause {
	case CauseCancelled:
		return ExitCancelled
	case TimeLimit:
		return ExitDeadline
	}
	return ExitFailed
}

// Text is the state in words: "PENDING (waits for free nodes)", "PENDING (NEVER: asks for 9 nodes, …)".
func (s JobState) Text() string {
	why := s.Reason
	switch {
	case s.Never:
		why = "NEVER: " + s.Why
	case s.Why != "":
		why = s.Why
	}
	if why == "" {
		return s.Word
	}
	return s.Word + " (" + why + ")"
}

// CancelRequest is cancel.json: who asked for the end of a run's job, through this tool.
type CancelRequest struct {
	Schema int       `json:"schema"` // 1
	At     time.Time `json:"at"`
	By     string    `json:"by"`  // the user and the host, such as alice@login1
	How    string    `json:"how"` // such as "by disagg-submit cancel"
}

// KnownRun is a line of runs.ndjson, the list of the runs that a user has started.
type KnownRun struct {
	At   time.Time `json:"at"`  // when it was submitted
	ID   string    `json:"id"`  // of its plan
	Dir  string    `json:"dir"` // absolute
	Case string    `json:"case"`
	Job  string    `json:"job,omitempty"` // the scheduler's
}
