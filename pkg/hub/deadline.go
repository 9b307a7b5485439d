package hub

import (
	"fmt"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

// deadline is when the job must be looked at again: the end of a doubt, or of the present phase; zero if neither has
// one.
func (j *job) deadline() time.Time {
	if j.doubt != nil {
		return j.doubtEnds
	}
	return j.phaseEnds()
}

func (j *job) phaseEnds() time.Time {
	t := j.plan.Timeouts
	switch j.phase {
	case Launching:
		if j.plan.Policy.StartAlone {
			return time.Time{} // people start roles when they like
		}
		return j.since[Launching].Add(time.Duration(t.Launch))
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
	if c := j.doubt; c != nil {
		j.doubt = nil
		j.fail(*c, now)
		return
	}
	switch j.phase {
	case Launching:
		t, names := j.missing()
		j.fail(j.causeOf(t, results.NeverStarted, fmt.Sprintf("no agent arrived within %v: %s", time.Duration(j.plan.Timeouts.Launch), names), now), now)
	case Readying:
		t := j.firstUnready()
		detail := fmt.Sprintf("not ready within %v", time.Duration(j.plan.Timeouts.Ready))
		if t.unready != "" {
			detail += ": " + t.unready
		}
		j.fail(j.causeOf(t, results.ReadyTimeout, detail, now), now)
	case Measuring:
		j.fail(j.causeOf(j.tasks[roles.Hub()], results.Deadline, fmt.Sprintf("the benchmark ran for more than %v", time.Duration(j.plan.Timeouts.Benchmark)), now), now)
	case Stopping:
		for _, t := range j.order {
			if tk := j.tasks[t]; tk.hello != nil && !tk.gone {
				tk.gone, tk.lost, tk.cause = true, true, results.AgentLost
			}
		}
	}
	j.advance(now)
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
		if tk := j.tasks[t]; t.Leader() && tk.startSent && !tk.ready {
			return tk
		}
	}
	return j.tasks[roles.Hub()]
}
