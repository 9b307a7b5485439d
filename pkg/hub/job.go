package hub

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/slurm"
	"github.com/disagg/disagg/pkg/supervisor"
)

// Phase is what a job is waiting for.
type Phase string

// The phases, in order.
const (
	Launching Phase = "launching"
	Readying  Phase = "readying"
	Measuring Phase = "measuring"
	Stopping  Phase = "stopping"
	Over      Phase = "over"
)

// task is what the hub knows of one rank.
type task struct {
	roles.Task
	hello               *control.Hello
	firstSeen, lastSeen time.Time
	startSent, stopSent bool
	started             bool
	ready               bool
	address             string
	unready             string // why its service does not answer
	exited              bool
	gone                bool // stopped, lost, or said goodbye
	lost                bool // gone without a word
	outcome             *supervisor.Outcome
	cause               results.CauseKind
}

func (t *task) host() string {
	if t.hello == nil {
		return ""
	}
	return t.hello.Node
}

// job is the state of one attempt and the decisions on it. It is not safe for concurrent use.
type job struct {
	plan  roles.Plan
	send  func(roles.Task, control.Directive)
	words func(roles.Role) slurm.Words // what Slurm says in a role's log
	phase Phase
	since map[Phase]time.Time
	ends  time.Time // when Slurm will end the job; zero if unknown
	tasks map[roles.Task]*task
	order []roles.Task // of the plan

	released  bool // the servers are no longer needed
	benchEnd  time.Time
	cause     *results.Cause
	causeCode int            // what the agent that failed first ends with; 0 if it is not known
	doubt     *results.Cause // a weak cause that waits for a stronger one
	doubtEnds time.Time
	secondary []results.Cause
	points    []results.Point
	judged    bool
}

func newJob(p roles.Plan, send func(roles.Task, control.Directive), now time.Time) *job {
	j := &job{
		plan: p, send: send, words: func(roles.Role) slurm.Words { return slurm.Words{} },
		phase: Launching, since: map[Phase]time.Time{Launching: now}, tasks: map[roles.Task]*task{},
	}
	for _, pl := range p.Layout.Placements {
		for _, t := range pl.Tasks() {
			j.tasks[t] = &task{Task: t}
			j.order = append(j.order, t)
		}
	}
	return j
}

func (j *job) enter(p Phase, now time.Time) {
	j.phase = p
	j.since[p] = now
}

// hear takes in what an agent said, and acts on it.
func (j *job) hear(in control.Inbound, now time.Time) {
	t := j.tasks[in.Task]
	if t == nil {
		return
	}
	t.lastSeen = now
	switch {
	case in.Hello != nil:
		j.attach(t, in.Hello, now)
	case in.Event != nil:
		j.event(t, *in.Event, now)
	case in.Bye:
		t.gone = true
	case in.Lost != "":
		j.lost(t, in.Lost, now)
	}
	j.advance(now)
}

func (j *job) attach(t *task, h *control.Hello, now time.Time) {
	*t = task{Task: t.Task, hello: h, firstSeen: now, lastSeen: now}
	if j.phase == Stopping {
		j.sendStop(t)
	}
}

func (j *job) event(t *task, e control.Event, now time.Time) {
	switch e.Kind {
	case control.Started:
		t.started = true
		t.ready = t.ready || j.plan.Steps(t.Role).Ready == nil
	case control.Address:
		t.address = e.Address
	case control.Ready:
		t.ready, t.unready = true, ""
	case control.Unready:
		t.unready = e.Detail
	case control.Release:
		j.released = true
		j.stopServers()
	case control.Leaving:
		j.fail(j.causeOf(t, j.endedBySlurm(e.At), e.Detail, e.At), now)
	case control.Warned:
		if j.phase != Stopping {
			j.fail(j.causeOf(j.tasks[roles.Hub()], results.TimeLimit, e.Detail, e.At), now)
		}
	case control.Exited:
		t.exited, t.outcome = true, e.Outcome
		j.exited(t, e, now)
	case control.Stopped:
		t.gone, t.exited, t.outcome = true, true, e.Outcome
		j.explain(t)
	}
}

// endedBySlurm tells why Slurm, or a person, ended a task: because the job's time is over, or because somebody wanted to.
func (j *job) endedBySlurm(at time.Time) results.CauseKind {
	if !j.ends.IsZero() && !at.Before(j.ends.Add(-time.Second)) {
		return results.TimeLimit
	}
	return results.CauseCancelled
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

// exited judges the end of a child.
func (j *job) exited(t *task, e control.Event, now time.Time) {
	if t.Task == roles.Hub() {
		j.benchEnd = now
	}
	o := *e.Outcome
	switch {
	case j.phase == Stopping || t.stopSent || o.StopReason != "":
		return // it was asked to
	case t.Task == roles.Hub() && o.Clean():
		return // judged with its points
	case j.released && o.Clean():
		return // servers may end once they are no longer needed
	}
	kind, detail := describe(t, o)
	c := j.causeOf(t, kind, detail, e.At)
	c.LogTail = o.Tail
	t.cause = kind
	if j.cause == nil {
		j.causeCode = e.Code
	}
	if o.Clean() && !t.Leader() {
		j.suspect(c, now)
		return
	}
	j.fail(c, now)
}

// settle is how long a weak cause waits for a stronger one.
const settle = 500 * time.Millisecond

// suspect notes a weak cause: a rank other than 0 that ended with code 0. A rank launcher lets its workers go, in good
// order, when the command of rank 0 has died, and only then ends itself: the workers are heard first.
func (j *job) suspect(c results.Cause, now time.Time) {
	if j.cause != nil || j.doubt != nil || j.judged {
		j.secondary = append(j.secondary, c)
		return
	}
	j.doubt, j.doubtEnds = &c, now.Add(settle)
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
	return results.ChildExit, fmt.Sprintf("exited with code %d%s", o.Code, because)
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
	j.fail(j.causeOf(t, kind, detail, now), now)
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

func (j *job) causeOf(t *task, kind results.CauseKind, detail string, at time.Time) results.Cause {
	return results.Cause{Role: t.Role, Rank: t.Rank, Host: t.host(), Kind: kind, Detail: detail, At: at}
}

// fail notes a cause; the first one ends the job.
func (j *job) fail(c results.Cause, now time.Time) {
	if j.cause != nil || j.judged {
		j.secondary = append(j.secondary, c)
		return
	}
	j.cause = &c
	if j.doubt != nil {
		j.secondary = append(j.secondary, *j.doubt)
		j.doubt = nil
	}
	j.stopAll(now)
}

// cancel ends the job because somebody asked for it.
func (j *job) cancel(detail string, now time.Time) {
	if j.phase != Stopping && j.phase != Over {
		j.fail(j.causeOf(j.tasks[roles.Hub()], results.CauseCancelled, detail, now), now)
	}
}

// measured gives the job its points, once the benchmark has ended well.
func (j *job) measured(points []results.Point, now time.Time) {
	j.points = points
	if j.phase != Measuring {
		return
	}
	if fault := pointsFault(j.plan.Case.Load.Concurrency, points); fault != "" {
		j.fail(j.causeOf(j.tasks[roles.Hub()], results.ResultsInvalid, fault, now), now)
		return
	}
	j.judged = true
	j.stopAll(now)
}

// pointsFault tells why the points are not what the case asked for.
func pointsFault(want []int, got []results.Point) string {
	for i, c := range want {
		at := slices.IndexFunc(got, func(p results.Point) bool { return p.Index == i })
		if at < 0 {
			return fmt.Sprintf("the benchmark ended well but left no result for concurrency %d", c)
		}
		if got[at].Invalid != "" {
			return fmt.Sprintf("the result for concurrency %d does not count: %s", c, got[at].Invalid)
		}
	}
	return ""
}

// advance starts what can be started, and moves to the next phase when a phase is complete.
func (j *job) advance(now time.Time) {
	if j.phase == Stopping {
		if j.allGone() {
			j.enter(Over, now)
		}
		return
	}
	for _, pl := range j.plan.Layout.Placements {
		j.startRole(pl, now)
	}
	if j.phase == Launching && !slices.ContainsFunc(j.order, func(t roles.Task) bool { return j.tasks[t].hello == nil }) {
		j.enter(Readying, now)
	}
}

// startRole starts every rank of a role at once, when all of them are attached and what the role needs is there: ranks
// of an MPI job wait for each other, with a limit.
func (j *job) startRole(pl roles.Placement, now time.Time) {
	tasks := pl.Tasks()
	if j.tasks[tasks[0]].startSent || slices.ContainsFunc(tasks, func(t roles.Task) bool { return j.tasks[t].hello == nil }) {
		return
	}
	peers, ok := j.peers(pl.Role)
	if !ok {
		return
	}
	for _, t := range tasks {
		j.tasks[t].startSent = true
		j.send(t, control.Directive{Kind: control.Start, Peers: peers})
	}
	if pl.Role == roles.Hub().Role {
		j.enter(Measuring, now)
	}
}

// peers are the addresses of what a role needs; ok tells whether all of it is there.
func (j *job) peers(r roles.Role) (map[string]string, bool) {
	address, ready := j.plan.Needed(r)
	peers := map[string]string{}
	for _, n := range address {
		peers[n.String()] = j.leader(n).address
	}
	for _, n := range ready {
		peers[n.String()] = j.leader(n).address
		if !j.leader(n).ready {
			return nil, false
		}
	}
	for _, n := range address {
		if peers[n.String()] == "" {
			return nil, false
		}
	}
	return peers, true
}

func (j *job) leader(r roles.Role) *task { return j.tasks[roles.Task{Role: r}] }

// stopServers stops the servers while the benchmark finishes.
func (j *job) stopServers() {
	for _, t := range j.order {
		if t != roles.Hub() {
			j.sendStop(j.tasks[t])
		}
	}
}

func (j *job) stopAll(now time.Time) {
	j.enter(Stopping, now)
	for _, t := range j.order {
		j.sendStop(j.tasks[t])
	}
}

// sendStop tells a rank to stop. The ranks of the role that failed first end with its code: Slurm takes the code of a step
// from whichever of its tasks it likes.
func (j *job) sendStop(t *task) {
	if t.stopSent || t.hello == nil {
		return
	}
	t.stopSent = true
	d := control.Directive{Kind: control.Stop, Reason: "the benchmark is done", Finished: true}
	if j.cause != nil {
		d.Reason, d.Finished = j.cause.String(), false
		if t.Role == j.cause.Role {
			d.Code = j.causeCode
		}
	}
	j.send(t.Task, d)
}

// quiet tells whether every agent came and ended in good order, so that no step of the job can be stuck.
func (j *job) quiet() bool {
	return !slices.ContainsFunc(j.order, func(t roles.Task) bool { tk := j.tasks[t]; return tk.hello == nil || !tk.gone || tk.lost })
}

// allGone tells whether nothing is left of any agent that ever arrived.
func (j *job) allGone() bool {
	for t := range maps.Values(j.tasks) {
		if t.hello != nil && !t.gone {
			return false
		}
	}
	return true
}
