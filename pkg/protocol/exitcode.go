package protocol

// The exit codes of both programs. Programs that pass a child's code through use 1 to 63 for it.
const (
	ExitPassed = 0 // all is well
	// A role or the test failed; of an agent, it was stopped because of a peer or on request. It is low on purpose:
	// srun reports the highest code of a step, so a stopped rank must not hide the cause.
	ExitFailed        = 1
	ExitRegression    = 3   // the results are worse than earlier ones
	ExitUsage         = 64  // usage or configuration
	ExitUnavailable   = 69  // the scheduler refused, or cannot be reached, and no job of ours can exist
	ExitInternal      = 70  // disagg-submit or disagg-agent itself failed; a job whose cause is agent_error ends with 1
	ExitPending       = 75  // something goes on: results are still to be sent, or the job runs and is no longer watched
	ExitDeadline      = 124 // a deadline or the time limit passed
	ExitNotStarted    = 125 // a child was never started
	ExitNotExecutable = 126 // it is not executable
	ExitNotFound      = 127 // its program was not found
	ExitCancelled     = 130 // somebody ended the job
)

// Judge gives the verdict on a job with a first cause (nil if nothing failed), and the exit code of those who report
// it.
func Judge(c *Cause) (Verdict, int) {
	if c == nil {
		return Passed, ExitPassed
	}
	switch c.Kind {
	case CauseCancelled:
		return Cancelled, ExitCancelled
	case ReadyTimeout, Deadline, TimeLimit:
		return Failed, ExitDeadline
	case Regression:
		return Failed, ExitRegression
	case AgentError:
		return Errored, ExitFailed
	}
	return Failed, ExitFailed
}

// ChildCode is the exit code of an agent whose child ended by itself. A code that would read as one of the agent's own
// becomes 1; the true one is in result.json.
func ChildCode(o Outcome) int {
	if !o.Started || o.Signal != "" || o.Code < ExitUsage {
		return o.Code
	}
	return ExitFailed
}

// HubCode is the exit code of BENCHMARK's agent, which the batch script passes on: its own child's (own) if that failed
// first, else what the verdict says.
func HubCode(v Verdict, verdictCode int, cause *Cause, own int) int {
	switch {
	case v == Passed:
		return ExitPassed
	case verdictCode == ExitDeadline, verdictCode == ExitRegression:
		return verdictCode
	case cause != nil && cause.Role.Kind == hubKind && own > ExitFailed:
		return own
	}
	return ExitFailed
}
