package decide

import (
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

const (
	// precision is how well the times of two hosts can be compared.
	precision = 50 * time.Millisecond
	// settle is how much later than its consequence a cause may seem to have begun: it takes a while to be noticed.
	settle = 500 * time.Millisecond
	// signalLag is how much later than a child its agent may see a signal that both were sent, on a machine that is
	// loaded.
	signalLag = 300 * time.Millisecond
	// askedSkew is how much later than what failed because of it a request to end may seem to have been heard.
	askedSkew = 150 * time.Millisecond
	// lossLag is how much later than it happened the end of a connection may be known, when TCP had to send it again.
	lossLag = time.Second
	// launcherLag is how much later than the ranks that it lets go a launcher may end, on a machine that is loaded.
	launcherLag = 1500 * time.Millisecond
)

// Attribution decides what broke first. Facts are observed as they are learned, which is not the order in which they
// happened.
//
//	nothing ──Observe──▶ first cause ◀──a fact that was there first── secondary facts
//	   └──Presume──▶ provisional ──Expire, or a better fact──▶ first cause
type Attribution struct {
	// DependsOn tells whether a role needs another, directly or not.
	DependsOn func(role, other roles.Role) bool

	cause       *Fact
	provisional *Fact
	waits       time.Time // until then a better fact is awaited
	noted       []Fact    // what is secondary
	closed      bool      // the verdict is fixed: nothing failed in time
}

// Ruling is what an observation changes.
type Ruling string

// The rulings.
const (
	Noted    Ruling = "noted"    // it is secondary
	Decided  Ruling = "decided"  // it is the first cause: the job has failed
	Replaced Ruling = "replaced" // it was there before what was taken for the first cause
)

// Observe takes in a fact.
func (a *Attribution) Observe(f Fact) Ruling {
	for _, why := range a.noted {
		a.explain(&f, why)
	}
	switch {
	case a.closed:
		a.Note(f)
		return Noted
	case a.cause == nil:
		if a.provisional != nil {
			other := *a.provisional
			a.provisional = nil
			if a.outlives(other, f) {
				f, other = other, f
			}
			f.beganWith(other)
			a.Note(other)
		}
		a.cause = &f
		return Decided
	case a.precedes(*a.cause, f):
		f.beganWith(*a.cause)
		passed := *a.cause
		a.explain(&passed, f)
		a.cause = &f
		a.reconsider()
		a.Note(passed)
		return Replaced
	}
	a.explain(&f, *a.cause)
	a.Note(f)
	return Noted
}

// Presume takes in a fact that is most likely the consequence of another, which is awaited for so long. Once there is a
// cause it is weighed like any other.
func (a *Attribution) Presume(f Fact, wait time.Duration, now time.Time) Ruling {
	switch {
	case a.cause != nil:
		return a.Observe(f)
	case a.closed:
		a.Note(f)
	case a.provisional == nil:
		a.provisional, a.waits = &f, now.Add(wait)
	case a.precedes(*a.provisional, f):
		a.Note(*a.provisional)
		a.provisional, a.waits = &f, now.Add(wait)
	default:
		a.Note(f)
	}
	return Noted
}

// outlives tells whether a provisional fact counts although another arrives: that began later, and is of a role which
// cannot be why, or is the end of a process too long afterwards, or of a rank that MPI has ended because of it. A
// launcher at rank 0 that ends with a code tells of what it ran, which may have ended first, and have let the other
// ranks go.
func (a *Attribution) outlives(p, f Fact) bool {
	later := f.after(p)
	switch {
	case a.mayFollow(p, f):
		return false
	case f.Kind == protocol.CauseCancelled && ended(p):
		return later > signalLag
	case f.Role != p.Role && later >= settle && ended(f) && !f.Loss:
		return true
	case f.Role != p.Role:
		return later > precision && !a.DependsOn(p.Role, f.Role)
	case !f.Weak || p.Weak:
		return false
	case f.Task().Leader():
		return f.Kind == protocol.ChildSignal && later > precision
	}
	return later > -precision
}

// Outlives tells whether the provisional fact would count although another arrives.
func (a *Attribution) Outlives(f Fact) bool {
	return a.cause == nil && a.provisional != nil && a.outlives(*a.provisional, f)
}

// Expire lets the provisional fact count. It does nothing if there is none.
func (a *Attribution) Expire() Ruling {
	f := a.provisional
	if f == nil {
		return Noted
	}
	a.provisional = nil
	return a.Observe(*f)
}

// Withdraw drops the provisional fact: what was awaited shows that nothing failed.
func (a *Attribution) Withdraw() { a.provisional = nil }

// Release tells that servers are no longer needed: a rank that its launcher let go has not failed.
func (a *Attribution) Release() {
	if a.provisional != nil && a.provisional.LetGo {
		a.Withdraw()
	}
}

// Precedes tells whether a fact was there before the first cause, if that is known.
func (a *Attribution) Precedes(f Fact) bool { return a.cause != nil && a.precedes(*a.cause, f) }

// Close fixes that nothing failed: whatever is learned from now on is secondary.
func (a *Attribution) Close() { a.closed = true }

// Deadline is when the provisional fact counts, zero if there is none.
func (a *Attribution) Deadline() time.Time {
	if a.provisional == nil {
		return time.Time{}
	}
	return a.waits
}

// Provisional is the fact for which a better explanation is awaited, nil if there is none.
func (a *Attribution) Provisional() *Fact { return a.provisional }

// Closed tells whether it is fixed that nothing failed.
func (a *Attribution) Closed() bool { return a.closed }

// Verdict is the first cause, nil while there is none.
func (a *Attribution) Verdict() *Fact { return a.cause }

// Secondary lists what failed because of the first cause, or after it, without log lines: those of the first cause tell
// enough. It is nil if nothing did.
func (a *Attribution) Secondary() (list []protocol.Cause) {
	for _, f := range a.noted {
		list = append(list, f.Brief())
	}
	return list
}

// Missed moves the deadlines on by a pause of the hub.
func (a *Attribution) Missed(d time.Duration) {
	a.waits = a.waits.Add(d)
}

// Note keeps a fact as secondary.
func (a *Attribution) Note(f Fact) { a.noted = append(a.noted, f) }

// reconsider looks for what was surely there before the present cause among what had come after the one before it: such
// as the rank because of which MPI killed the one that is taken for the cause.
func (a *Attribution) reconsider() {
	for i, f := range a.noted {
		if a.precedes(*a.cause, f) && !a.precedes(f, *a.cause) {
			a.noted[i], *a.cause = *a.cause, f
		}
	}
}

// explain dates an end that nobody saw after what it may be the consequence of: it explains nothing that came before.
func (a *Attribution) explain(f *Fact, why Fact) {
	if a.mayFollow(*f, why) {
		f.move(latest(f.Since, why.Since.Add(1)))
	}
}

// mayFollow tells whether an end that nobody saw may be because of something else: of a request, of the failure of a
// role that its own needs, or of its own, as Slurm and MPI kill what that leaves. Ranks that are let go leave because
// of their launcher.
func (a *Attribution) mayFollow(end, why Fact) bool {
	if !why.Since.Before(end.By) {
		return false
	}
	switch own, needs := why.Role == end.Role, a.DependsOn(end.Role, why.Role); {
	case why.Kind == protocol.CauseCancelled, why.Kind == protocol.TimeLimit:
		return own || needs || why.Whole
	case own && why.Loss:
		return end.Weak && !why.StepEnds
	case own && ended(why):
		return end.Weak && !why.Weak && !(why.LetGo && end.Task().Leader())
	case why.Kind == protocol.OOM:
		return needs || own && end.Weak
	default:
		return needs && (ended(why) || why.Kind == protocol.HealthLost)
	}
}

// precedes tells whether a fact that is learned now was there before what was taken for the first cause.
//
// What explains itself is nobody's consequence, and a request to end explains nothing that failed before; but who
// did not answer may be why somebody asked, while a process that had ended before was there first. What began earlier
// was there first, however late it is learned: an agent that fell silent, a child that ended. What others noticed of a
// role gives way to what its own agent says. Of what began at about the same time a role comes before one that needs
// it, and within a role a rank that failed by itself before one that was killed, which is what Slurm and MPI do to the
// others. What nobody saw, as its agent or the hub stood still, gives way to what may explain it. Of services that do
// not answer the one that the others need is why.
func (a *Attribution) precedes(first, f Fact) bool {
	later := f.after(first)
	switch {
	case a.mayFollow(f, first), first.Kind == protocol.HubLost && inPause(f, first):
		return false
	case a.mayFollow(first, f), f.Kind == protocol.HubLost && inPause(first, f):
		return true
	case first.Kind == protocol.CauseCancelled && ended(f):
		return later < -signalLag
	case ended(first) && (f.Kind == protocol.CauseCancelled || f.Kind == protocol.TimeLimit):
		// It was asked for before, but heard of later; when exactly is known less well on a slow network.
		return later < -precision || later < askedSkew && (f.Whole || a.DependsOn(first.Role, f.Role))
	case first.Kind == protocol.ReadyTimeout && f.Kind == protocol.HealthLost && !f.Symptom:
		// It waited for a service that did not answer, which was asked, and says so late.
		return later <= 0 && a.DependsOn(first.Role, f.Role)
	case explainsItself(first.Kind), explainsItself(f.Kind) && f.Kind != protocol.OOM:
		return false
	case f.Role == first.Role && first.Symptom != f.Symptom:
		return first.Symptom
	case a.bothSilent(first, f) && a.DependsOn(first.Role, f.Role):
		return true
	case a.bothSilent(first, f) && a.DependsOn(f.Role, first.Role):
		return false
	case f.Loss && first.Loss:
		return later < 0 // of a host several agents vanish together
	case f.Loss && f.Role == first.Role && first.Weak && (f.Silent || f.seenBefore(first)):
		// Its last words may have been on the way, or the end of its connection. PMIx has the scheduler end the whole
		// step because one of its processes was killed.
		return later < settle && (!f.StepEnds || later <= 0)
	case f.Loss:
		return later <= 0 || later < lossLag && f.seenBefore(first) && a.DependsOn(first.Role, f.Role)
	case lets(first, f):
		return later < -launcherLag
	case lets(f, first):
		return later < launcherLag
	case later < -precision:
		return true
	case later >= settle || f.Symptom:
		return false
	case f.Role == first.Role:
		return first.Weak && !f.Weak
	case first.Loss && !first.Silent && later > precision: // no failure of another role kills an agent
		return false
	}
	return a.DependsOn(first.Role, f.Role)
}

// bothSilent tells whether two facts are of services that do not answer: when that is found depends on when they were
// asked, so that the one which the other needs comes first whenever it was.
func (a *Attribution) bothSilent(first, f Fact) bool {
	return first.Kind == protocol.HealthLost && f.Kind == protocol.HealthLost && !f.Symptom
}
