package hub

import (
	"fmt"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

// deadline is when the job must be looked at again: the end of a doubt, of a question to everybody or of the present
// phase; zero if none of them has one.
func (j *job) deadline() time.Time {
	first := j.phaseEnds()
	sooner := func(is bool, at time.Time) {
		if is && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	sooner(j.doubt != nil, j.doubtEnds)
	sooner(j.checking != nil, j.checkEnds)
	return first
}

func (j *job) phaseEnds() time.Time {
	t := j.plan.Timeouts
	switch j.phase {
	case Launching:
		if j.plan.Policy.StartAlone {
			return time.Time{} // people start roles when they like
		}
		return j.since[Launching].Add(time.Duration(t.Launch))
	case Looking:
		return j.since[Looking].Add(time.Duration(t.Preflight))
	case Readying:
		return j.since[Readying].Add(time.Duration(t.Ready))
	case Measuring:
		return j.since[Measuring].Add(time.Duration(t.Benchmark))
	case Stopping:
		return j.since[Stopping].Add(time.Duration(t.Stop + t.Settle))
	}
	return time.Time{}
}

// due acts on a deadline that has passed.
func (j *job) due(now time.Time) {
	switch {
	case j.checking != nil && !now.Before(j.checkEnds):
		j.endCheck(now)
	case j.doubt != nil && !now.Before(j.doubtEnds):
		j.endDoubt(now)
	case !j.phaseEnds().IsZero() && !now.Before(j.phaseEnds()):
		j.endPhase(now)
	}
	j.advance(now)
}

// endPhase acts on a phase that took too long.
func (j *job) endPhase(now time.Time) {
	switch j.phase {
	case Launching:
		t, names := j.missing()
		j.fail(j.suspectOf(t, results.NeverStarted, fmt.Sprintf("no agent arrived within %v: %s", time.Duration(j.plan.Timeouts.Launch), names), now), now)
	case Looking:
		j.endSurvey(now)
	case Readying:
		t := j.firstUnready()
		detail := fmt.Sprintf("not ready within %v", time.Duration(j.plan.Timeouts.Ready))
		if t.unready != "" {
			detail += ": " + t.unready
		}
		j.fail(j.suspectOf(t, results.ReadyTimeout, detail, now), now)
	case Measuring:
		j.fail(j.suspectOf(j.tasks[roles.Hub()], results.Deadline, fmt.Sprintf("the benchmark ran for more than %v", time.Duration(j.plan.Timeouts.Benchmark)), now), now)
	case Stopping:
		for _, t := range j.order {
			if tk := j.tasks[t]; tk.hello != nil && !tk.gone {
				tk.gone, tk.lost, tk.cause = true, true, results.AgentLost
			}
		}
	}
}

// missing names the agents that have not arrived, and returns the first of them.
func (j *job) missing() (first *task, names string) {
	var list []string
	for _, t := range j.order {
		if j.tasks[t].hello == nil {
			if first == nil {
				first = j.tasks[t]
			}
			list = append(list, t.String())
		}
	}
	const most = 8
	if len(list) > most {
		list = append(list[:most], fmt.Sprintf("and %d more", len(list)-most))
	}
	return first, strings.Join(list, ", ")
}

// firstUnready is the first role, in the order of the plan, that holds the others up.
func (j *job) firstUnready() *task {
	for _, t := range j.order {
		if tk := j.tasks[t]; t.Leader() && tk.startSent && !j.serves(tk) {
			return tk
		}
	}
	return j.tasks[roles.Hub()]
}
