package hub

import (
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/slurm"
	"github.com/disagg/disagg/pkg/supervisor"
)

// suspect is something that went wrong, as the hub weighs it.
type suspect struct {
	results.Cause
	code int  // what its agent ends with; 0 if that is not known
	weak bool // somebody else may have done it: Slurm kills what a sibling's failure leaves
}

const (
	// settle is how long the first cause can still turn out to be a consequence. Everybody is told to stop at once all the
	// same.
	settle = 500 * time.Millisecond
	// checkBound is how long a failed benchmark waits for its peers to say whom they cannot reach. Most answer at once.
	checkBound = 1500 * time.Millisecond
)

// fail notes what went wrong; the first time ends the job.
func (j *job) fail(s suspect, now time.Time) {
	switch {
	case j.judged:
		j.secondary = append(j.secondary, s.Cause)
	case j.cause == nil:
		j.cause, j.causeEnds = &s, now.Add(settle)
		if j.doubt != nil {
			j.secondary = append(j.secondary, j.doubt.Cause)
			j.doubt = nil
		}
		j.stopAll(now)
	case now.Before(j.causeEnds) && j.moreOriginal(s, *j.cause):
		j.secondary = append(j.secondary, j.cause.Cause)
		j.cause = &s
		j.recode()
	default:
		j.secondary = append(j.secondary, s.Cause)
	}
}

// moreOriginal tells whether something that was heard of later was there first. Within a role a rank that failed by itself
// comes before one that was killed, which is what Slurm and MPI do to the others. A role comes before one that needs it.
// What explains itself is nobody's consequence.
func (j *job) moreOriginal(later, first suspect) bool {
	switch first.Kind {
	case results.CauseCancelled, results.TimeLimit, results.Deadline, results.ReadyTimeout, results.OOM:
		return false
	}
	if later.Role == first.Role {
		return first.weak && !later.weak
	}
	return j.dependsOn(first.Role, later.Role, map[roles.Role]bool{})
}

// dependsOn tells whether a role needs another, or needs one that does.
func (j *job) dependsOn(r, other roles.Role, seen map[roles.Role]bool) bool {
	if seen[r] {
		return false
	}
	seen[r] = true
	address, ready := j.plan.Needed(r)
	for _, n := range append(address, ready...) {
		if n == other || j.dependsOn(n, other, seen) {
			return true
		}
	}
	return false
}

// suspect notes a doubtful cause, which waits for a better one before anybody is stopped.
func (j *job) suspect(s suspect, wait time.Duration, now time.Time) {
	if j.cause != nil || j.doubt != nil || j.judged {
		j.secondary = append(j.secondary, s.Cause)
		return
	}
	j.doubt, j.doubtEnds = &s, now.Add(wait)
}

// endDoubt lets a doubtful cause count.
func (j *job) endDoubt(now time.Time) {
	s := *j.doubt
	j.doubt = nil
	j.fail(s, now)
}

// blame takes the benchmark's failure for what it mostly is, a consequence: before it counts, everybody says whom they
// cannot reach, and whoever died is heard.
func (j *job) blame(s suspect, now time.Time) {
	if !j.released {
		j.check(now)
	}
	j.suspect(s, checkBound, now)
	if j.checking == nil {
		j.conclude(now)
	}
}

// check asks every leader whom it cannot reach.
func (j *job) check(now time.Time) {
	j.checking, j.checkEnds = map[roles.Task]bool{}, now.Add(checkBound)
	for _, t := range j.order {
		if tk := j.tasks[t]; t.Leader() && tk.hello != nil && !tk.gone {
			j.checking[t] = true
			j.send(t, control.Directive{Kind: control.Check})
		}
	}
}

// checked takes in whom a leader cannot reach.
func (j *job) checked(t *task, e control.Event, now time.Time) {
	if j.checking == nil {
		return
	}
	if e.Detail != "" && j.cut == nil {
		s := j.suspectOf(t, results.HealthLost, e.Detail, e.At)
		j.cut = &s
	}
	delete(j.checking, t.Task)
	if len(j.checking) == 0 || j.cut != nil && j.doubt != nil {
		j.endCheck(now)
	}
}

// endCheck goes on with what waited for everybody's answer.
func (j *job) endCheck(now time.Time) {
	j.checking = nil
	if j.doubt != nil {
		j.conclude(now)
	}
	if j.released && j.cause == nil {
		j.stopServers()
	}
}

// conclude lets the benchmark's failure count, or what it is a consequence of.
func (j *job) conclude(now time.Time) {
	switch {
	case j.doubt == nil:
	case j.cut != nil:
		j.fail(*j.cut, now)
	default:
		j.endDoubt(now)
	}
}

// unwell judges what an agent says of a service.
func (j *job) unwell(t *task, e control.Event, now time.Time) {
	if j.phase != Readying && j.phase != Measuring || j.released {
		return
	}
	detail := map[control.EventKind]string{
		control.Unhealthy: "its service no longer answers: ", control.Stalled: "it does not get on: ", control.Unreachable: "",
	}[e.Kind]
	t.unready, t.cause = e.Detail, results.HealthLost
	j.fail(j.suspectOf(t, results.HealthLost, detail+e.Detail, e.At), now)
}

// endedBySlurm tells why Slurm, or a person, ended a task: because the job's time is over, or because somebody wanted to.
func (j *job) endedBySlurm(at time.Time) results.CauseKind {
	if !j.ends.IsZero() && !at.Before(j.ends.Add(-time.Second)) {
		return results.TimeLimit
	}
	return results.CauseCancelled
}

// exited judges the end of a child.
func (j *job) exited(t *task, e control.Event, now time.Time) {
	if t.Task == roles.Hub() {
		j.benchEnd = now
	}
	o := *e.Outcome
	switch {
	case o.StopReason != "":
		return // it was asked to
	case t.Task == roles.Hub() && o.Clean():
		return // judged with its points
	case (j.released || j.judged) && o.Clean():
		return // servers may end once they are no longer needed
	}
	kind, detail := describe(t, o)
	s := j.suspectOf(t, kind, detail, e.At)
	s.LogTail, s.code, s.weak = o.Tail, e.Code, mayBeSlurm(o)
	t.cause = kind
	switch {
	case t.Task == roles.Hub() && j.phase == Measuring:
		j.blame(s, now)
	case o.Clean() && !t.Leader():
		// A rank launcher lets its workers go, in good order, when the command of rank 0 has died, and only then ends
		// itself: the workers are heard first.
		j.suspect(s, settle, now)
	default:
		j.fail(s, now)
	}
}

// mayBeSlurm tells whether a child was ended in a way in which Slurm ends the rest of a step.
func mayBeSlurm(o supervisor.Outcome) bool {
	return o.Signal == "SIGKILL" || o.Signal == "SIGTERM" || o.Code == 128+int(unix.SIGKILL) || o.Code == 128+int(unix.SIGTERM)
}

// describe tells what a child's end means.
func describe(t *task, o supervisor.Outcome) (results.CauseKind, string) {
	because := ""
	if o.Headline != "" {
		because = ": " + o.Headline
	}
	switch {
	case !o.Started:
		return results.NeverStarted, o.Error
	case o.OOM && o.MemoryLimit > 0:
		return results.OOM, fmt.Sprintf("ran out of memory: the limit is %d MiB", o.MemoryLimit>>20)
	case o.OOM:
		return results.OOM, "ran out of memory"
	case o.Signal != "":
		return results.ChildSignal, "killed by " + o.Signal + because
	case t.Task == roles.Hub():
		return results.BenchmarkFailed, fmt.Sprintf("the benchmark exited with code %d%s", o.Code, because)
	case o.Code == 0:
		return results.ChildExit, "exited with code 0 before the benchmark was done"
	}
	if name := unix.SignalName(syscall.Signal(o.Code - 128)); name != "" {
		because = fmt.Sprintf(" (what it ran was ended by %s)%s", name, because)
	}
	return results.ChildExit, fmt.Sprintf("exited with code %d%s", o.Code, because)
}

// explain completes the cause with what is only known once the child's output is complete.
func (j *job) explain(t *task) {
	c := j.cause
	if c == nil || c.Role != t.Role || c.Rank != t.Rank || c.Kind != t.cause || t.outcome.StopReason != "" {
		return
	}
	c.Kind, c.Detail = describe(t, *t.outcome)
	t.cause, c.LogTail = c.Kind, t.outcome.Tail
}

func (j *job) lost(t *task, why string, now time.Time) {
	if t.gone {
		return
	}
	t.gone, t.lost = true, true
	if j.phase == Stopping {
		return
	}
	kind, detail := j.explainLoss(t, why)
	t.cause = kind
	s := j.suspectOf(t, kind, detail, now)
	s.weak = true
	j.fail(s, now)
}

// explainLoss tells why an agent is lost, in Slurm's own words if it has any: it may have ended the whole step.
func (j *job) explainLoss(t *task, why string) (results.CauseKind, string) {
	w := j.words(t.Role)
	if w.Line != "" {
		why += ": " + w.Line
	}
	switch w.Meaning {
	case slurm.OutOfMemory:
		return results.OOM, "ran out of memory: " + w.Line
	case slurm.OutOfTime:
		return results.TimeLimit, w.Line
	case slurm.Preempted:
		return results.CauseCancelled, w.Line
	}
	return results.AgentLost, "its agent is lost: " + why
}

func (j *job) suspectOf(t *task, kind results.CauseKind, detail string, at time.Time) suspect {
	return suspect{Cause: results.Cause{Role: t.Role, Rank: t.Rank, Host: t.host(), Kind: kind, Detail: detail, At: at}}
}

// firstCause is the cause as the verdict tells it, nil if there is none.
func (j *job) firstCause() *results.Cause {
	if j.cause == nil {
		return nil
	}
	return &j.cause.Cause
}
