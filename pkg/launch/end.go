package launch

import (
	"fmt"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/report/gather"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// How long a terminal waits for the verdict once its role has ended, and how often it looks.
const (
	endBound = 10 * time.Second
	endEvery = 100 * time.Millisecond
)

// tellEnd waits for the verdict of the run that this role was part of, and hands on what is for this terminal. A role
// that has met no hub is part of no run yet.
func (b ByHand) tellEnd(p plan.Plan, a rundir.Attempt, patience time.Duration) {
	if _, met := rundir.ReadPublished(a, roles.Hub(), p.RunID(a.Number())); met {
		b.tellVerdict(p, a, patience)
	}
}

// tellVerdict hands on what is for this terminal of an attempt's verdict. Without one in time it is what the hub knows
// by then.
func (b ByHand) tellVerdict(p plan.Plan, a rundir.Attempt, patience time.Duration) {
	if b.OnEnd == nil {
		return
	}
	in, ended := awaitEnd(a, patience)
	switch {
	case !ended, in.Result.Verdict == "":
	case in.Result.Verdict != protocol.Passed, b.measures():
		b.OnEnd(report.Build(in), a)
	}
	if in.Result.Kept && b.measures() {
		fmt.Fprintf(b.Out, "kept:    servers stay: to measure again, start BENCHMARK again, or\n"+
			"         disagg-submit bench %s\n", p.RunDir)
	}
}

// awaitEnd reads how an attempt ended, as soon as that is known; of one that is not over in time it is the first cause
// that its hub has found so far, if any.
func awaitEnd(a rundir.Attempt, patience time.Duration) (in report.Input, ended bool) {
	look := time.NewTicker(endEvery)
	defer look.Stop()
	late := time.After(patience)
	for over := false; !over && !rundir.HasResult(a); {
		select {
		case <-look.C:
		case <-late:
			over = true
		}
	}
	in, _, err := gather.Brief(string(a))
	if err != nil {
		return in, false
	}
	if s, err := rundir.ReadState(a); in.Result.Verdict == "" && err == nil && s.Cause != nil {
		in.Result.FirstCause = s.Cause
		in.Result.Verdict, in.Result.ExitCode = protocol.Judge(s.Cause)
	}
	return in, in.Result.Verdict != ""
}
