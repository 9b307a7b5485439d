package dispatch

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/testlist"
)

// Status is what became of a run.
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

// Entry is a run and what became of it.
type Entry struct {
	Test testlist.Test // of the list; of a case only its name is known
	// Variant is what the case is run with in place of what it has; none: it is run as it is. Once it is planned, keys
	// are whole.
	Variant []roles.Setting
	// Name tells the run from the others, for people.
	Name   string
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

// Worst is the highest exit code of several runs: that of each verdict, and that of a failure for what has none.
func Worst(entries []Entry) (code int) {
	for _, e := range entries {
		switch {
		case e.Result != nil:
			code = max(code, e.Result.ExitCode)
		case e.Status != Passed:
			code = max(code, protocol.ExitFailed)
		}
	}
	return code
}

// Refusals says of which runs there can be none, and why: a line each, but one for all that have the same fault. It is
// nil if all are planned.
func Refusals(entries []Entry) error {
	var errs []error
	told := map[string]bool{}
	for _, e := range entries {
		if e.Status == Planned || told[e.Detail] {
			continue
		}
		told[e.Detail] = true
		errs = append(errs, fmt.Errorf("%s: %s", e.Name, e.Detail))
	}
	return errors.Join(errs...)
}
