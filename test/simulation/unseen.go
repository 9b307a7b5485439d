package simulation

import (
	"slices"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// MayStandFor tells whether a cause may be named although it is only what fell because of a fault: what there was to
// know of the fault reached nobody. One that the hub has given itself knows what it knew.
func (g Judge) MayStandFor(c protocol.Cause, f *Fault, byHub bool) bool {
	return !byHub && g.unseen(f, c) || g.untold(f, c) || g.Undated(f, c)
}

// unseen tells whether a cause may stand for a fault that the hub cannot have known of, because it was killed, or
// stopped, soon afterwards: all that was known then is what fell because of the fault.
func (g Judge) unseen(f *Fault, c protocol.Cause) bool {
	return g.fellWith(c, f) && slices.ContainsFunc(g.scenario.Faults, func(h *Fault) bool {
		ended := (h.Kind == KillHub || h.Kind == PauseHub) && !h.At.IsZero() && !f.At.After(h.At)
		return ended && g.hubRanBetween(f.At, h.At) < g.knownWithin(f, c)
	})
}

// untold tells whether a cause may stand for the end of a child, whose agent was lost or cut off from the hub before it
// could tell: of one that is stuck the agent cannot know for half a second, and one that stood still may go on only
// when the scheduler ends its step.
func (g Judge) untold(f *Fault, c protocol.Cause) bool {
	return ofAnEnd(f.Kind) && g.fellWith(c, f) && slices.ContainsFunc(g.scenario.Faults, func(h *Fault) bool {
		stuck := g.isStuck(f.Task) && g.cutsOff(h, f.Task) && !h.At.Before(f.At) && h.At.Sub(f.At) < g.knownWithin(f, c)
		goesOn := h.At.Add(h.For)
		stood := g.scenario.pmix && h.Kind == PauseAgent && h.Task == f.Task && !h.At.IsZero() &&
			h.At.Before(f.At) && goesOn.Sub(f.At) > stepEnds-rankLag
		return stuck || stood
	})
}

// rankLag is how long an agent waits, once it knows that its child has ended well, for a signal that may be why.
const rankLag = 50 * time.Millisecond

// Undated tells whether a cause may stand for a fault because of which it failed, since its agent stood still then:
// when exactly it failed nobody knows, and either may have been first. Of two that need each other that is known.
func (g Judge) Undated(f *Fault, c protocol.Cause) bool {
	return !g.needs(c.Role, f.Task.Role) && g.fellWith(c, f) && g.isPaused(c.Task(), f)
}

// ofAnEnd tells whether a fault is the end of a child, which its agent tells.
func ofAnEnd(k Kind) bool { return k == Crash || k == ExitZero || k == KillChild }

// isCutOff tells whether nothing of a task's agent reached the hub when it had a fault to tell of.
func (g Judge) isCutOff(f *Fault) bool {
	return slices.ContainsFunc(g.scenario.Faults, func(h *Fault) bool {
		return g.cutsOff(h, f.Task) && h.At.Before(f.At.Add(together)) && (h.For == 0 || h.At.Add(h.For).After(f.At))
	})
}

// cutsOff tells whether after a fault nothing of a task's agent reaches the hub.
func (g Judge) cutsOff(f *Fault, t roles.Task) bool {
	here, hub := g.of[t], g.of[roles.Hub()]
	switch {
	case f.At.IsZero():
		return false
	case f.Kind == KillAgent:
		return f.Task == t
	case f.Kind == LoseHost, f.Kind == CutHost:
		return g.of[f.Task] == here
	case f.Kind == CutPair:
		a, b := g.of[f.Task], g.of[f.Other]
		return a == here && b == hub || a == hub && b == here
	}
	return false
}

// knownWithin is how long it takes until the hub, which stops the job because of a cause, knows of a fault; 0: it is
// one that shows otherwise.
func (g Judge) knownWithin(f *Fault, c protocol.Cause) time.Duration {
	within := g.noticedWithin(f, c)
	if within > 0 && g.scenario.tail > 0 { // TCP may have to send it again, and what is before it
		within += time.Second
	}
	return within
}

func (g Judge) noticedWithin(f *Fault, c protocol.Cause) time.Duration {
	switch f.Kind {
	case LoseHost, CutHost: // two seconds of silence, and a try of the hub's if nobody else is left to ask
		if g.isWitnessSilent(f) || g.endsWitness(f, c) { // then only its silence tells
			return g.plan.Timeouts.Lost.Std() + 2*g.plan.Timeouts.Heartbeat.Std()
		}
		return 3 * time.Second
	case KillAgent: // it could come back for a heartbeat, and after a pause of the hub's for longer
		if g.isBehindPause(f) {
			return g.plan.Timeouts.Lost.Std() + together + lookLag
		}
		return g.plan.Timeouts.Heartbeat.Std() + together + lookLag
	case Cancel, TermStep: // the scheduler's way, and a message's
		return askedLag + together
	case Crash, ExitZero, KillChild: // a message's way
		if g.isCutOff(f) {
			return 3 * time.Second
		}
		if g.isStuck(f.Task) {
			return endPatience + 2*endPeriod + together
		}
		return together
	}
	return 0
}

// isWitnessSilent tells whether when a host vanished agents of another could not be asked whether they reach it.
func (g Judge) isWitnessSilent(lost *Fault) bool {
	here, hub := g.of[lost.Task], g.of[roles.Hub()]
	return slices.ContainsFunc(g.scenario.Faults, func(f *Fault) bool {
		there := g.of[f.Task]
		silent := there != hub && (f.Kind == PauseAgent || f.Kind == LoseHost || f.Kind == CutHost) || f.Kind == CutPair
		return silent && there != here && !f.At.IsZero() && f.At.Before(lost.At.Add(3*time.Second)) &&
			(f.For == 0 || f.At.Add(f.For).After(lost.At))
	})
}

// lookLag is how late the hub may look for an agent of which it expects no more while it stops the others.
const lookLag = 100 * time.Millisecond

// endsWitness tells whether the role of a cause, whose step ends with it, ran on a host that could be asked whether it
// reaches the one that vanished: its agents may be killed before they answer.
func (g Judge) endsWitness(lost *Fault, c protocol.Cause) bool {
	if !g.scenario.pmix {
		return false
	}
	here, hub := g.of[lost.Task], g.of[roles.Hub()]
	for t, there := range g.of {
		if t.Role == c.Role && there != here && there != hub {
			return true
		}
	}
	return false
}

// isBehindPause tells whether an agent was killed just after the hub went on: a connection that ends then may have
// ended because the hub stood still.
func (g Judge) isBehindPause(killed *Fault) bool {
	return slices.ContainsFunc(g.scenario.Faults, func(f *Fault) bool {
		behind := killed.At.Sub(f.At.Add(f.For))
		return (f.Kind == PauseHub || f.Kind == PauseAll) && !f.At.IsZero() && f.For > 0 &&
			behind >= 0 && behind < g.plan.Timeouts.Heartbeat.Std()/2
	})
}

// isStuck tells whether the end of a task's child is known late.
func (g Judge) isStuck(t roles.Task) bool {
	return slices.ContainsFunc(g.scenario.Faults, func(f *Fault) bool {
		return f.Kind == Stuck && f.Task == t && !f.At.IsZero()
	})
}

// fellWith tells whether a cause is the end of what a fault may have taken along: another rank of the same role, a role
// that talked to it, or one that talked to that.
func (g Judge) fellWith(c protocol.Cause, f *Fault) bool {
	switch c.Kind {
	case protocol.ChildExit, protocol.ChildSignal, protocol.BenchmarkFailed, protocol.AgentLost:
	default:
		return false
	}
	gone := g.struckBy(f)
	for i := 0; i < len(gone); i++ { // what falls because of these is appended
		if gone[i].Role == c.Role {
			return true
		}
		for t := range g.of {
			if _, falls := g.scenario.Falls(t, gone[i]); falls && !slices.Contains(gone, t) {
				gone = append(gone, t)
			}
		}
	}
	return c.Role == roles.Hub().Role && c.Kind == protocol.BenchmarkFailed // its requests are not answered
}

// struckBy lists the tasks that a fault ends itself.
func (g Judge) struckBy(f *Fault) []roles.Task {
	list := []roles.Task{f.Task}
	for t, h := range g.of {
		ofHost := (f.Kind == LoseHost || f.Kind == CutHost) && h == g.of[f.Task]
		ofStep := (f.Kind == TermStep || f.Kind == KillAgent || g.scenario.pmix) && t.Role == f.Task.Role
		if ofHost || f.Kind == Cancel || ofStep {
			list = append(list, t)
		}
	}
	return list
}
