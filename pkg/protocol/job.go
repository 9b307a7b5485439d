package protocol

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
	// Reason is why it waits, in the scheduler's words.
	Reason string
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
