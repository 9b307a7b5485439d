package decide

import (
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// Fact is something that went wrong, as it is weighed. Times are by the hub's clock.
type Fact struct {
	protocol.Cause
	// Since is when it began, as far as that can be told: the end of a child, by its agent's clock as the hub knows it;
	// the last sign of life of an agent that is lost.
	Since time.Time
	// By is when it had begun at the latest, if that is long after Since: nobody saw it meanwhile.
	By time.Time
	// Code is what its agent ends with; 0 if that is not known.
	Code int
	// Weak says that somebody else may have done it: Slurm and MPI kill what a sibling's failure leaves.
	Weak bool
	// Loss says that nobody reported it: an agent or a host vanished. Seen is when the agent was last heard: it
	// vanished then at the earliest, and at Since at the latest.
	// Silent says that its connection has not ended: its host has vanished with it, or is cut off.
	Loss, Silent bool
	Seen         time.Time
	// PauseEnds is when the pause of the hub ended in which it vanished, or which was too long (hub_lost).
	PauseEnds time.Time
	// Whole says that all of the job was asked to end: some of its steps are before others, and before the hub.
	Whole bool
	// StepEnds says that it vanished with another of its role, whose child had ended or that was asked to end: the
	// scheduler ends their step.
	StepEnds bool
	// LetGo says that a rank ended well before its time, as those do that the launcher of rank 0 lets go.
	LetGo bool
	// Symptom says that somebody else noticed it: what the role's own agent says counts more.
	Symptom bool

	clock *hostClock // by which it was told when it began; nil: by the hub's
	own   time.Time  // when it began by that clock
}

// date dates a fact by what an agent says of when it began; its message was under way for so long at most. The hub's
// own agent does not count time as the others do, which no setting of the clock disturbs.
func (t *task) date(f *Fact, at, now time.Time, most time.Duration) {
	f.Since = t.when(at, now, most)
	if f.Since.Before(now) && t.Task != roles.Hub() { // what is only known to have begun by now has no time of its own
		f.clock, f.own = t.clock, at
	}
}

// after is how much later than another a fact began. Of one host they are compared by its own clock, as what the hub
// knows of that gets better from message to message.
func (f *Fact) after(other Fact) time.Duration {
	if f.clock != nil && f.clock == other.clock {
		return f.own.Sub(other.own)
	}
	return f.Since.Sub(other.Since)
}

// move moves its beginning.
func (f *Fact) move(at time.Time) {
	f.own, f.Since = f.own.Add(at.Sub(f.Since)), at
}

// inPause tells whether something may be because an agent gave up a hub that stood still: nobody knows when in that
// pause it happened.
func inPause(f, hub Fact) bool {
	if f.Loss {
		return f.PauseEnds.Equal(hub.PauseEnds)
	}
	return f.By.After(hub.Since) && f.Since.Before(hub.PauseEnds)
}

// seenBefore tells whether an agent that is lost was last heard before another fact began, as well as the times of two
// hosts can be compared.
func (f *Fact) seenBefore(other Fact) bool {
	began := other.Since
	if f.Host != other.Host {
		began = began.Add(precision)
	}
	return f.Seen.Before(began)
}

// beganWith moves the beginning of a failure to when a rank was let go because of it: a launcher ends after that, and
// who crashes may take a while to end.
func (f *Fact) beganWith(rank Fact) {
	because := rank.LetGo && rank.Role == f.Role && f.Kind == protocol.ChildExit
	if earlier := f.after(rank); because && earlier > 0 {
		f.move(f.Since.Add(-earlier))
	}
}

// lets tells whether a launcher may have let a rank go before it ended.
func lets(launcher, rank Fact) bool {
	return rank.LetGo && rank.Role == launcher.Role && launcher.Task().Leader() && launcher.Kind == protocol.ChildExit
}

// ended tells whether a fact is the end of a process, which does not wait for anybody to notice it.
func ended(f Fact) bool {
	switch f.Kind {
	case protocol.ChildExit, protocol.ChildSignal, protocol.BenchmarkFailed:
		return true
	}
	return f.Loss
}

// explainsItself tells whether a cause of a kind is nobody's consequence.
func explainsItself(k protocol.CauseKind) bool {
	switch k {
	case protocol.CauseCancelled, protocol.TimeLimit, protocol.Deadline, protocol.ReadyTimeout, protocol.OOM,
		protocol.DiskStuck:
		return true
	}
	return false
}
