package simulation

import (
	"slices"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// Judge tells which faults of a scenario a verdict names, of a simulated job and of a real one.
type Judge struct {
	StopAt   time.Time // when the job was told to stop; zero: it was not
	JudgedAt time.Time // when there was a verdict
	// MeasuredAt is since when the servers were only kept in case they are measured again; zero: they were not.
	MeasuredAt time.Time

	scenario Scenario
	plan     plan.Plan
	of       map[roles.Task]*host
}

// NewJudge makes the judge of a scenario, whose faults know when they happened.
func NewJudge(s Scenario) (Judge, error) {
	all, err := plans()
	if err != nil {
		return Judge{}, err
	}
	_, of := place(all[s.Shape])
	return Judge{scenario: s, plan: all[s.Shape], of: of}, nil
}

// aboutThen is how long after the decision to stop a fault may still be taken for the cause: the stop is under way.
const aboutThen = time.Second

// Struck are the faults that happened before the job was stopped, in order.
func (g Judge) Struck() []*Fault {
	var list []*Fault
	for _, f := range g.scenario.Faults {
		// What happens at about the time of the stop can have been there first as well as after it.
		until := g.StopAt.Add(aboutThen + g.stoodStill(f))
		if f.Kind == KillHub || f.Kind == PauseHub || f.Kind == Cancel && g.hubWasLost() {
			until = g.JudgedAt
		}
		if !f.At.IsZero() && (g.StopAt.IsZero() || !f.At.After(until)) {
			list = append(list, f)
		}
	}
	slices.SortStableFunc(list, earlier)
	return list
}

// ranBetween is how long the job ran between two moments: not while everything stood still.
func (g Judge) ranBetween(from, to time.Time) time.Duration { return g.without(from, to, PauseAll) }

// hubRanBetween is how long the hub did: what came while it stood still waited.
func (g Judge) hubRanBetween(from, to time.Time) time.Duration {
	return g.without(from, to, PauseAll, PauseHub)
}

// without is the time between two moments without the pauses of some kinds.
func (g Judge) without(from, to time.Time, kinds ...Kind) time.Duration {
	if to.Before(from) {
		from, to = to, from
	}
	ran := to.Sub(from)
	for _, f := range slices.SortedFunc(slices.Values(g.scenario.Faults), earlier) {
		if f.At.IsZero() || f.For == 0 || !slices.Contains(kinds, f.Kind) {
			continue
		}
		ends := f.At.Add(f.For)
		if ends.After(to) {
			ends = to
		}
		if begins := later(f.At, from); ends.After(begins) {
			ran -= ends.Sub(begins)
			from = ends // what overlaps counts once
		}
	}
	return ran
}

func earlier(a, b *Fault) int { return a.At.Compare(b.At) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// stoodStill is how long the agent of a task, or everything, stood still before it was killed or lost: to the hub it
// was lost all that time.
func (g Judge) stoodStill(lost *Fault) (d time.Duration) {
	if lost.Kind != KillAgent && lost.Kind != LoseHost && lost.Kind != CutHost && lost.Kind != CutPair {
		return 0
	}
	for _, f := range g.scenario.Faults {
		stands := f.Kind == PauseAll || f.Kind == PauseAgent && (f.Task == lost.Task || f.Task == lost.Other)
		if stands && !f.At.IsZero() && f.At.Before(g.StopAt.Add(aboutThen)) {
			d = max(d, f.For)
		}
	}
	return d
}

// endsInPause tells whether the hub stood still when it would have heard that an agent was killed: then it vanished at
// some time after its last sign of life.
func (g Judge) endsInPause(killed *Fault) bool {
	return slices.ContainsFunc(g.scenario.Faults, func(f *Fault) bool {
		return (f.Kind == PauseHub || f.Kind == PauseAll) && !f.At.IsZero() &&
			f.At.Before(killed.At.Add(together)) && (f.For == 0 || killed.At.Before(f.At.Add(f.For)))
	})
}

// First is the first fault that mattered, nil if none did.
func (g Judge) First() *Fault {
	for _, f := range g.Struck() {
		if f.fatal() {
			return f
		}
	}
	return nil
}

// fatal tells whether a fault can fail a job.
func (f *Fault) fatal() bool {
	switch f.Kind {
	case PauseAgent, FreezeDisk, PauseAll, Stuck:
		return false
	case PauseHub:
		return f.For == 0 || f.For >= 5*time.Second
	}
	return true
}

// mustShow tells whether a job cannot pass in which a fault happened while the benchmark ran.
func (f *Fault) mustShow() bool {
	switch f.Kind {
	case Crash, ExitZero, KillChild, KillAgent, LoseHost, KillHub, BenchFails, PointIsLost, Cancel, TermStep:
		return f.Phase == protocol.Measuring
	}
	return false
}

// blurred tells whether another rank of the same worker may be named: MPI ended it, and its end looks the same; rank 0,
// whose launcher lets the others go before it ends, or one on another host, whose clock is not known that well; or it
// was all that was known when the hub was lost, or when PMIx ended the step with an agent that stood still.
func (g Judge) blurred(f *Fault, c protocol.Cause) bool {
	elsewhere := c.Rank == 0 || g.of[c.Task()] != g.of[f.Task]
	return f.Kind == KillChild || f.Kind == ExitZero && elsewhere || g.hubWasLost() ||
		g.scenario.pmix && g.isPaused(f.Task, f)
}

// isPaused tells whether the agent of a task stood still when a fault happened, or what it did was to be told.
func (g Judge) isPaused(t roles.Task, f *Fault) bool {
	return slices.ContainsFunc(g.scenario.Faults, func(p *Fault) bool {
		return p.Kind == PauseAgent && p.Task == t && !p.At.IsZero() &&
			p.At.Before(f.At.Add(together)) && f.At.Before(p.At.Add(p.For))
	})
}

// hubWasLost tells whether the hub was killed or stopped: what counts then is what it had told before.
func (g Judge) hubWasLost() bool {
	return slices.ContainsFunc(g.scenario.Faults, func(f *Fault) bool {
		return (f.Kind == KillHub || f.Kind == PauseHub) && !f.At.IsZero()
	})
}

// showsWithin is how long after a fault a job may still end as if there was none.
func (f *Fault) showsWithin() time.Duration {
	if f.Kind == BenchFails || f.Kind == PointIsLost {
		return 0 // it is what the verdict is about
	}
	return 2 * time.Second
}

// HadToShow is a fault because of which the job cannot have passed, nil if there is none.
func (g Judge) HadToShow() *Fault {
	stoodStill := slices.ContainsFunc(g.scenario.Faults, func(f *Fault) bool { // then the hub's time is another
		return f.Kind == PauseAll || f.Kind == PauseHub
	})
	f, needed := g.First(), g.StopAt
	if !g.MeasuredAt.IsZero() {
		needed = g.MeasuredAt
	}
	if f == nil || stoodStill || !f.mustShow() || !f.At.Before(needed.Add(-f.showsWithin())) {
		return nil
	}
	return f
}

// unheard tells whether the request to end a job may not have been heard from the batch script: the hub was lost at
// about the same time, or the disk did not answer, on which the batch script finds the hub.
func (g Judge) unheard(cancel *Fault) bool {
	return slices.ContainsFunc(g.scenario.Faults, func(f *Fault) bool {
		switch f.Kind {
		case KillHub, PauseHub:
			return !f.At.IsZero() && f.At.Before(cancel.At.Add(askedLag))
		case FreezeDisk:
			return !f.At.IsZero() && f.At.Before(cancel.At.Add(askedLag)) && f.At.Add(f.For).After(cancel.At)
		}
		return false
	})
}

// apart is how long after a first fault another may be taken for it. The end of a child is known as well as clocks are;
// by design what others depend on comes first within half a second, and within a second if it is an agent, the end of
// whose connection TCP may have had to send again; when an agent or a host was lost is only known to a heartbeat.
func (g Judge) apart(first, f *Fault) time.Duration {
	const clocks, settle, again = 250 * time.Millisecond, 500 * time.Millisecond, time.Second
	ofChildren := []Kind{Crash, ExitZero, KillChild}
	switch {
	case first.Kind == KillHub:
		return clocks
	case first.Kind == PauseHub:
		return g.plan.Timeouts.Lost.Std() + 2*g.plan.Timeouts.Heartbeat.Std()
	case first.Kind == KillAgent, slices.Contains([]Kind{LoseHost, CutHost, CutPair}, f.Kind):
		return settle + g.plan.Timeouts.Heartbeat.Std()
	case f.Kind == KillAgent && g.needs(first.Task.Role, f.Task.Role):
		return clocks + again
	case f.Kind == KillAgent && g.endsInPause(f):
		return settle + g.plan.Timeouts.Heartbeat.Std()
	case !slices.Contains(ofChildren, f.Kind), f.Task.Role == first.Task.Role, g.needs(f.Task.Role, first.Task.Role),
		g.needs(first.Task.Role, f.Task.Role):
		return settle
	}
	return clocks
}

// needs tells whether by the plan a role needs another to start, directly or not.
func (g Judge) needs(r, other roles.Role) bool {
	address, ready := g.plan.Needed(r)
	return slices.ContainsFunc(slices.Concat(address, ready), func(n roles.Role) bool {
		return n == other || g.needs(n, other)
	})
}

// Unmistakable tells whether the first fault that mattered happened long before anything else, and cannot have gone
// unnoticed: it ended the hub, or a process that must be there in a job whose hub lives, or stopped the hub for longer
// than agents wait for it. Then it must be named, whatever failed because of it or was heard before it.
func (g Judge) Unmistakable(first *Fault) bool {
	if first == nil || first.Phase == protocol.Launching {
		return false
	}
	limits := g.plan.Timeouts
	switch first.Kind {
	case Crash, ExitZero, KillChild, KillAgent, BenchFails:
		if g.hubWasLost() {
			return false
		}
	case KillHub:
	case PauseHub:
		if first.For > 0 && first.For < limits.Lost.Std()+2*limits.Heartbeat.Std() {
			return false
		}
	default:
		return false
	}
	return !slices.ContainsFunc(g.scenario.Faults, func(f *Fault) bool {
		return f != first && f.Kind != Stuck && !f.At.IsZero() && f.At.Before(first.At.Add(g.apart(first, f)))
	})
}

// Names tells whether a cause names a fault: the role and the host, or whatever else was broken.
func (g Judge) Names(f *Fault, c protocol.Cause) bool {
	host := g.of[f.Task].name
	on := func(name string) bool { // of an agent that never arrived the host is not known
		return c.Host == name || c.Host == "" && g.of[c.Task()].name == name
	}
	switch f.Kind {
	case Hang:
		// A rank that is no leader hangs in silence: all that shows is that requests are not answered.
		silent := !f.Task.Leader() && c.Role == roles.Hub().Role && c.Kind == protocol.BenchmarkFailed
		return silent || c.Role == f.Task.Role && c.Kind != protocol.CauseCancelled
	case Crash, ExitZero, KillChild:
		return c.Role == f.Task.Role && (c.Rank == f.Task.Rank || g.blurred(f, c)) && c.Kind != protocol.CauseCancelled
	case KillAgent:
		return c.Role == f.Task.Role && c.Kind != protocol.CauseCancelled
	case TermStep:
		return c.Kind == protocol.CauseCancelled && (c.Role == f.Task.Role || c.Subject != "")
	case LoseHost, CutHost:
		return on(host)
	case CutPair:
		return on(host) || on(g.of[f.Other].name)
	case Cancel: // no step alone is meant
		return c.Kind == protocol.CauseCancelled && (c.Subject != "" || g.unheard(f))
	case KillHub, PauseHub:
		return c.Kind == protocol.HubLost
	case BenchFails:
		return c.Role == roles.Hub().Role && c.Kind == protocol.BenchmarkFailed
	case PointIsLost:
		return c.Role == roles.Hub().Role && c.Kind == protocol.ResultsInvalid
	}
	return false
}
