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
	Looking   Phase = "preflight"
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
	sees  func(roles.Task) bool        // tells whether what an agent wrote to the run directory is seen here
	phase Phase
	since map[Phase]time.Time
	ends  time.Time // when Slurm will end the job; zero if unknown
	tasks map[roles.Task]*task
	order []roles.Task // of the plan

	looked    map[string]bool        // hosts that somebody was asked to look at
	surveys   map[roles.Task]*survey // by who was asked
	released  bool                   // the servers are no longer needed
	benchEnd  time.Time
	cause     *suspect
	causeEnds time.Time // until then a more original cause takes its place
	doubt     *suspect  // a doubtful cause that waits for a better one
	doubtEnds time.Time
	checking  map[roles.Task]bool // who has not said yet whom it cannot reach; nil while nobody is asked
	checkEnds time.Time
	cut       *suspect // what somebody could not reach when everybody was asked
	secondary []results.Cause
	points    []results.Point
	judged    bool
}

func newJob(p roles.Plan, send func(roles.Task, control.Directive), now time.Time) *job {
	j := &job{
		plan: p, send: send, words: func(roles.Role) slurm.Words { return slurm.Words{} },
		sees:  func(roles.Task) bool { return true },
		phase: Launching, since: map[Phase]time.Time{Launching: now}, tasks: map[roles.Task]*task{},
		looked: map[string]bool{}, surveys: map[roles.Task]*survey{},
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
	case in.NoStep != "":
		t.cause = results.StepFailed
		j.fail(j.suspectOf(t, results.StepFailed, in.NoStep, now), now)
	}
	j.advance(now)
}

func (j *job) attach(t *task, h *control.Hello, now time.Time) {
	*t = task{Task: t.Task, hello: h, firstSeen: now, lastSeen: now}
	switch j.phase {
	case Stopping:
		j.sendStop(t)
	case Launching:
		j.lookAt(t)
	}
}

func (j *job) event(t *task, e control.Event, now time.Time) {
	switch e.Kind {
	case control.Started:
		t.started = true
	case control.Address:
		t.address = e.Address
	case control.Ready:
		t.ready, t.unready = true, ""
	case control.Unready:
		t.unready = e.Detail
	case control.Release:
		j.released = true
		j.check(now) // before they are stopped: should the benchmark have failed, this may be why
	case control.Unhealthy, control.Stalled, control.Unreachable:
		j.unwell(t, e, now)
	case control.Checked:
		j.checked(t, e, now)
	case control.Surveyed:
		j.surveyed(t, e, now)
	case control.Leaving:
		j.fail(j.suspectOf(t, j.endedBySlurm(e.At), e.Detail, e.At), now)
	case control.Warned:
		if j.phase != Stopping {
			j.fail(j.suspectOf(j.tasks[roles.Hub()], results.TimeLimit, e.Detail, e.At), now)
		}
	case control.Exited:
		t.exited, t.outcome = true, e.Outcome
		j.exited(t, e, now)
	case control.Stopped:
		t.gone, t.exited, t.outcome = true, true, e.Outcome
		j.explain(t)
	}
}

// cancel ends the job because somebody asked for it.
func (j *job) cancel(detail string, now time.Time) {
	if j.phase != Stopping && j.phase != Over {
		j.fail(j.suspectOf(j.tasks[roles.Hub()], results.CauseCancelled, detail, now), now)
	}
}

// measured gives the job its points, once the benchmark has ended well.
func (j *job) measured(points []results.Point, now time.Time) {
	j.points = points
	if j.phase != Measuring {
		return
	}
	if fault := pointsFault(j.plan.Case.Load.Concurrency, points); fault != "" {
		j.blame(j.suspectOf(j.tasks[roles.Hub()], results.ResultsInvalid, fault, now), now)
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
	if j.phase == Launching && !slices.ContainsFunc(j.order, func(t roles.Task) bool { return j.tasks[t].hello == nil }) {
		if j.plan.Policy.StartAlone {
			j.enter(Readying, now)
		} else {
			j.beginSurvey(now)
		}
	}
	if j.phase == Looking || j.phase == Launching && !j.plan.Policy.StartAlone {
		return // no model is loaded before every host was looked at
	}
	for _, pl := range j.plan.Layout.Placements {
		j.startRole(pl, now)
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
		j.watchPeers()
	}
}

// watchPeers tells every leader whom it must be able to reach while the benchmark runs.
func (j *job) watchPeers() {
	for _, pl := range j.plan.Layout.Placements {
		peers := map[string]string{}
		for _, r := range j.plan.Peers(pl.Role) {
			if address := j.leader(r).address; address != "" {
				peers[r.String()] = address
			}
		}
		j.send(pl.Tasks()[0], control.Directive{Kind: control.Watch, Peers: peers})
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
		if !j.serves(j.leader(n)) {
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

// serves tells whether a role can be used: its service has answered, or nothing is known of it but that it runs.
func (j *job) serves(t *task) bool {
	return t.ready || t.started && j.plan.Steps(t.Role).Ready == nil
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
			d.Code = j.cause.code
		}
	}
	j.send(t.Task, d)
}

// recode tells the ranks of the first cause's role again, for another cause than the one they were stopped for.
func (j *job) recode() {
	for _, t := range j.order {
		if tk := j.tasks[t]; t.Role == j.cause.Role && !tk.gone {
			tk.stopSent = false
			j.sendStop(tk)
		}
	}
}

// quiet tells whether every agent came and ended in good order, so that no step of the job can be stuck.
func (j *job) quiet() bool {
	return !slices.ContainsFunc(j.order, func(t roles.Task) bool { tk := j.tasks[t]; return tk.hello == nil || !tk.gone || tk.lost })
}

// hostsAnswer tells whether some agent of every host ended in good order: then an agent that was lost was killed, most
// likely, and not cut off, and its step is about to end.
func (j *job) hostsAnswer() bool {
	answers := map[string]bool{}
	for t := range maps.Values(j.tasks) {
		if t.hello == nil {
			return false
		}
		answers[t.host()] = answers[t.host()] || t.gone && !t.lost
	}
	for answered := range maps.Values(answers) {
		if !answered {
			return false
		}
	}
	return true
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
