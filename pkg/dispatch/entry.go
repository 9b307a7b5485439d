package dispatch

import (
	"slices"
	"time"

	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/testlist"
)

// Status is what became of a test.
type Status string

// The statuses.
const (
	Planned  Status = "planned"  // it is to be run
	Passed   Status = "passed"   //
	Failed   Status = "failed"   // its verdict is another, or it left none
	Excused  Status = "excused"  // it failed, and its line says XFAIL or UNSTABLE
	Skipped  Status = "skipped"  // by its line
	Waived   Status = "waived"   //
	NotOurs  Status = "not ours" // of a class that this tool does not run
	Refused  Status = "refused"  // it cannot be planned
	NotRun   Status = "not run"  // another failed before, or the watch was ended
	Watching Status = "left"     // its job goes on, and nobody watches it any more
	// Submitted is what a test is whose job nobody was to watch.
	Submitted Status = "submitted"
)

// Entry is a test of the list and what became of it.
type Entry struct {
	Test   testlist.Test
	Status Status
	// Detail says why: of a failure the first cause, of a test that is none of ours its class.
	Detail string
	Job    launch.Job // if it was planned
	// RunDir, JobID are set once it was submitted, Result once there is a verdict.
	RunDir, JobID string
	Result        *protocol.Result
	Took          time.Duration // from its submission to its end
}

// Fails tells whether the entry makes the whole list fail; strict: what was not run does too.
func (e Entry) Fails(strict bool) bool {
	switch e.Status {
	case Failed, Refused, NotRun, Watching:
		return true
	case NotOurs:
		return strict
	}
	return false
}

// ExitCode is the code of a whole list: 0 only if everything that counts has passed, and another than that of a failure
// if all that is missing are jobs that go on. A list of which nothing is ours has not passed.
func ExitCode(entries []Entry, strict bool) int {
	code := protocol.ExitFailed
	if slices.ContainsFunc(entries, func(e Entry) bool { return e.Status != NotOurs }) {
		code = protocol.ExitPassed
	}
	for _, e := range entries {
		switch {
		case e.Status == Watching && code == protocol.ExitPassed:
			code = protocol.ExitPending
		case e.Status != Watching && e.Fails(strict):
			return protocol.ExitFailed
		}
	}
	return code
}
