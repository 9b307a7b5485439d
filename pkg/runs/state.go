package runs

import (
	"fmt"
	"strings"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/roles"
)

// state is how far a run is, in a word and in words.
func (f Facts) state(m report.Model) (State, string) {
	switch {
	case m.Run.Verdict != "":
		return f.verdict(m)
	case f.Submission == nil:
		return f.byHand()
	}
	switch f.Job.Phase {
	case protocol.JobQueued:
		return Pending, "pending: " + f.waits()
	case protocol.JobRunning, protocol.JobEnding:
		return f.progress()
	case protocol.JobEnded:
		return NoVerdict, "no verdict: " + f.Lost
	}
	return Unknown, "unknown: " + f.Fault
}

// byHand is how far a run is that was started by hand, or only prepared.
func (f Facts) byHand() (State, string) {
	switch {
	case f.Lost != "" && len(f.Serving) > 0:
		return Kept, "no verdict: " + f.Lost + "; its servers stay"
	case f.Lost != "":
		return NoVerdict, "no verdict: " + f.Lost
	case f.Hub != nil:
		return f.progress()
	case len(f.Serving) > 0:
		var here []string
		for _, r := range f.Serving {
			here = append(here, r.String())
		}
		return Starting, "starting: BENCHMARK is not yet here; servers: " + named(here)
	}
	return NotSubmitted, "not submitted"
}

// verdict is the verdict in words, and whether the run is over with it: servers that were kept hold their nodes.
func (f Facts) verdict(m report.Model) (State, string) {
	text := string(m.Run.Verdict)
	if m.Failure != nil {
		text += ": " + m.Failure.String()
	}
	switch {
	case len(f.Serving) > 0 && f.Fault == "":
		return Kept, text + "; its servers stay"
	case f.Result.Kept && f.Job.Phase == protocol.JobRunning:
		return Kept, text + "; its servers stay"
	case f.Result.Kept && f.Fault != "":
		return Kept, text + "; whether its servers stay is not known: " + f.Fault
	}
	return Over, text
}

// waits is what a job waits for.
func (f Facts) waits() string {
	j := f.Job
	switch {
	case j.Never:
		return "NEVER: " + j.Why
	case j.Why != "":
		return j.Why
	case j.Reason != "":
		return j.Reason
	}
	return "its scheduler does not say for what"
}

// progress is how far a run is whose job runs, by what its hub has told last. By hand roles may be far ahead of the
// phase, which waits for the last of them to arrive.
func (f Facts) progress() (State, string) {
	if f.Hub == nil {
		return Starting, "starting: nothing has been heard of any role"
	}
	t := tally(f.Hub.Roles)
	switch f.Hub.Phase {
	case protocol.Measuring:
		return Measuring, fmt.Sprintf("measuring: %d of %d points", len(f.Hub.Points), f.points())
	case protocol.Stopping, protocol.Over:
		return Ending, "ending: the roles are being stopped"
	case protocol.Readying:
		return Loading, "loading: " + t.servers()
	case protocol.Checking:
		return Starting, "starting: the hosts are being checked"
	}
	if t.started > 0 {
		return Loading, fmt.Sprintf("loading: %s%s", t.servers(), t.missing())
	}
	return Starting, fmt.Sprintf("starting: %d of %d ranks are there%s", t.attached, t.ranks, t.missing())
}

// points is how many points are measured, all measurements together.
func (f Facts) points() int {
	return len(f.Plan.Case.Load.Points()) * max(f.Plan.Policy.Measurements, 1)
}

// count is how far all roles are together.
type count struct {
	ranks, attached, started int
	all, ready               int      // servers, the coordinator among them
	absent                   []string // roles of which no rank is there
}

func tally(list []protocol.RoleState) (c count) {
	for _, r := range list {
		c.ranks, c.attached, c.started = c.ranks+r.Ranks, c.attached+r.Attached, c.started+r.Started
		if r.Attached == 0 {
			c.absent = append(c.absent, r.Role.String())
		}
		if r.Role.Kind == roles.Benchmark {
			continue
		}
		c.all++
		if r.Ready {
			c.ready++
		}
	}
	return c
}

func (c count) servers() string { return fmt.Sprintf("%d of %d servers are ready", c.ready, c.all) }

// mostNamed is how many roles are named of those that are there, or not.
const mostNamed = 3

func (c count) missing() string {
	if len(c.absent) == 0 {
		return ""
	}
	return ", not yet here: " + named(c.absent)
}

// named names the first of some roles.
func named(list []string) string {
	more := ""
	if n := len(list) - mostNamed; n > 0 {
		list, more = list[:mostNamed], fmt.Sprintf(" and %d more", n)
	}
	return strings.Join(list, ", ") + more
}
