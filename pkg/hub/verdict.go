package hub

import (
	"time"

	"github.com/disagg/disagg/pkg/results"
)

// Exit codes of `disagg-submit run`, which the verdict fixes.
const (
	exitPassed    = 0
	exitFailed    = 1
	exitDeadline  = 124
	exitCancelled = 130
)

func seconds(d time.Duration) float64 { return max(d, 0).Round(time.Millisecond).Seconds() }

// result puts the verdict together.
func (j *job) result(o Options, now time.Time) results.Result {
	r := results.Result{
		Schema: 1, RunID: o.RunID, JobID: o.JobID, Case: j.plan.Case.Name, TestID: j.plan.Case.TestID,
		StartedAt: j.since[Launching].UTC(), EndedAt: now.UTC(), FirstCause: j.firstCause(), Secondary: j.secondary,
		Phases: j.phases(o, now), Points: append([]results.Point{}, j.points...), Roles: []results.RankOutcome{},
	}
	r.Verdict, r.ExitCode = verdict(r.FirstCause)
	for _, t := range j.order {
		tk := j.tasks[t]
		r.Roles = append(r.Roles, results.RankOutcome{
			Role: t.Role, Rank: t.Rank, Host: tk.host(), Cause: tk.cause,
			FirstSeen: tk.firstSeen, LastSeen: tk.lastSeen, Outcome: tk.outcome,
		})
	}
	return r
}

func verdict(c *results.Cause) (results.Verdict, int) {
	if c == nil {
		return results.Passed, exitPassed
	}
	switch c.Kind {
	case results.CauseCancelled:
		return results.Cancelled, exitCancelled
	case results.ReadyTimeout, results.Deadline, results.TimeLimit:
		return results.Failed, exitDeadline
	case results.AgentError:
		return results.Broken, exitFailed
	}
	return results.Failed, exitFailed
}

func (j *job) phases(o Options, now time.Time) results.Phases {
	begun := o.BatchStart
	if begun.IsZero() {
		begun = j.since[Launching]
	}
	var p results.Phases
	if !o.Submitted.IsZero() {
		p.Queue = seconds(begun.Sub(o.Submitted))
	}
	between := func(from, to time.Time) float64 {
		if from.IsZero() || to.IsZero() {
			return 0
		}
		return seconds(to.Sub(from))
	}
	launched := j.since[Looking]
	if launched.IsZero() {
		launched = j.since[Readying]
	}
	p.Launch = between(begun, launched)
	p.Preflight = between(launched, j.since[Readying])
	p.Ready = between(j.since[Readying], j.since[Measuring])
	p.Benchmark = between(j.since[Measuring], j.benchEnd)
	p.Stop = between(j.since[Stopping], now)
	return p
}
