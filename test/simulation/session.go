package simulation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/disagg/disagg/pkg/decide/steps"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// In a session servers are kept after a measurement that passed: a server may die while nothing is measured, a
// measurement may fail, a role is restarted. Each measurement has a hub of its own.

// act is what happens between two measurements, or during one.
type act int

const (
	nothing    act = iota
	dies           // a server dies while nothing is measured, and its role is restarted
	restarts       // a role that runs is restarted
	fails          // a server dies while it is measured, and its role is restarted
	hubIsGone      // the hub is killed while the servers are measured
	numberActs     // how many there are
)

// mostActs is how many measurements follow the first at most.
const mostActs = 4

// DrawSession draws a session: a scenario without a fault, in which servers are kept.
func DrawSession(seed uint64) (Scenario, error) {
	s, err := Draw(seed, 0)
	if shapes[s.Shape].leave { // its servers end with the benchmark
		s.Shape = 1
	}
	s.again, s.keep, s.ready = again{}, plan.KeepAlways, 0
	return s, err
}

// RunSession runs a session. The story is kept if it is wanted.
func RunSession(s Scenario, story bool) (Report, error) {
	j, err := newJob(s, story)
	if err != nil {
		return Report{}, err
	}
	begun := j.now
	j.begin()
	j.untilMeasured()
	j.expectPassed("the first measurement")
	lot := rand.New(rand.NewPCG(s.Seed, 3)) //nolint:gosec // no secret
	for n := range 1 + lot.IntN(mostActs) {
		j.act(lot, act(lot.IntN(int(numberActs))), n+2)
	}
	j.endSession()
	return Report{Scenario: s, By: j.by, Took: j.now.Sub(begun), Broken: j.faulty, Story: j.story}, nil
}

// measured tells whether the present measurement has its verdict, and its hub has left.
func (j *job) measured() func() bool {
	return func() bool { return j.result != nil && j.hub.proc.dead }
}

func (j *job) untilMeasured() { j.world.run(j.measured(), j.now.Add(j.plan.Timeouts.Job.Std())) }

// pass lets time pass.
func (j *job) pass(d time.Duration) {
	over := false
	j.after(d, func() { over = true })
	j.world.run(func() bool { return over }, j.now.Add(d+time.Second))
}

// settled lets the end of a server be known, and others fall with it, one after the other.
func (j *job) settled() { j.pass(noticed + time.Duration(len(j.plan.Layout.Placements))*fallMost) }

// fallMost is how much later a role falls with another at most.
const fallMost = 3 * time.Second

func (j *job) expectPassed(what string) {
	switch {
	case j.result == nil:
		j.broken("%s has no verdict", what)
	case j.result.Verdict != protocol.Passed:
		j.broken("%s: %s: %v", what, j.result.Verdict, j.result.FirstCause)
	case !j.result.Kept:
		j.broken("%s: nothing was kept", what)
	}
}

// act lets something happen, and measures again.
func (j *job) act(lot *rand.Rand, what act, number int) {
	j.pass(j.between(0, 20*time.Second))
	j.expectKept(fmt.Sprintf("before measurement %d", number))
	servers := slices.DeleteFunc(slices.Clone(j.order), func(t roles.Task) bool { return t == roles.Hub() })
	victim := servers[lot.IntN(len(servers))]
	before := j.startsNow()
	j.tell("act %d on %s", what, victim)
	switch what {
	case dies:
		j.agents[victim].child.end(3, "", "")
		j.settled()
		j.restartWhatFell(victim.Role)
	case restarts:
		j.slurm.step(steps.Wanted{Role: victim.Role})
		j.pass(time.Second)
	case fails:
		j.failing(victim)
		j.settled()
		j.restartWhatFell(victim.Role)
	case hubIsGone:
		j.losingHub()
		j.settled()
	}
	j.anotherHub()
	j.untilMeasured()
	name := fmt.Sprintf("measurement %d", number)
	j.expectPassed(name)
	for role, n := range j.startsNow() {
		fresh := n - before[role]
		idle := what == nothing || what == hubIsGone
		if role != roles.Hub().Role && idle && fresh > 0 {
			j.broken("%s: %s was restarted", name, role)
		}
	}
	if what == restarts && j.starts[victim.Role] == before[victim.Role] {
		j.broken("%s: %s was not started anew", name, victim.Role)
	}
	if server := (roles.Role{Kind: roles.Coordinator}); what == restarts && isWorker(victim.Role) &&
		j.starts[server] == before[server] {
		j.broken("%s: the coordinator goes on with an address that is no more", name)
	}
}

func (j *job) startsNow() map[roles.Role]int {
	now := map[roles.Role]int{}
	for role, n := range j.starts {
		now[role] = n
	}
	return now
}

// expectKept checks that every server whose child runs was kept: it neither ends nor is measured.
func (j *job) expectKept(when string) {
	for _, t := range j.order {
		a := j.agents[t]
		ends := a.left || a.child.ended || a.child.reason != ""
		if t != roles.Hub() && (ends || !a.machine.Free()) {
			j.broken("%s: %s was not kept", when, t)
		}
	}
}

// failing measures while a server dies: the verdict names it, and the others stay, but for those that it took along.
func (j *job) failing(victim roles.Task) {
	f := &Fault{Task: victim, Kind: Crash, Phase: protocol.Measuring, After: j.between(0, time.Second)}
	j.scenario.Faults = []*Fault{f}
	j.anotherHub()
	j.untilMeasured()
	j.scenario.Faults = nil
	switch {
	case j.result == nil:
		j.broken("a measurement that fails has no verdict")
	case j.result.FirstCause == nil:
		j.broken("a measurement passed although %s died", victim)
	case j.result.FirstCause.Role != victim.Role && !j.fellTogether(j.result.FirstCause.Role, victim.Role):
		j.broken("%s died, and the cause is %s", victim, j.result.FirstCause)
	}
	j.fell = map[roles.Role][]roles.Task{}
}

// losingHub kills the hub in a measurement: the servers stay.
func (j *job) losingHub() {
	j.scenario.Faults = []*Fault{{
		Task: roles.Hub(), Kind: KillHub, Phase: protocol.Measuring, After: j.between(0, time.Second),
	}}
	j.anotherHub()
	hub := j.hub
	j.world.run(func() bool { return hub.proc.dead }, j.now.Add(j.plan.Timeouts.Job.Std()))
	j.scenario.Faults = nil
}

// restartWhatFell has the roles started anew of which a rank has ended.
func (j *job) restartWhatFell(least roles.Role) {
	wanted := map[roles.Role]bool{least: true}
	for _, t := range j.order {
		if a := j.agents[t]; t != roles.Hub() && (a.left || a.child.ended) {
			wanted[t.Role] = true
		}
	}
	for _, pl := range j.plan.Layout.Placements {
		if wanted[pl.Role] {
			j.slurm.step(steps.Wanted{Role: pl.Role})
		}
	}
	j.pass(time.Second)
}

// startAnew starts new agents for a role of which nothing is left.
func (j *job) startAnew(r roles.Role) {
	pl, _ := j.plan.Layout.Find(r)
	j.slurm.left[r], j.slurm.codes[r], j.slurm.doomed[r] = pl.Ranks, 0, false
	for _, t := range pl.Tasks() {
		a := newAgent(j, t, j.of[t])
		if j.hub.proc.dead { // it has withdrawn
			a.former = j.hub
		}
		delete(j.stopped, t)
		j.agents[t] = a
		a.proc.timer(j.between(20*time.Millisecond, 300*time.Millisecond), a.begin)
	}
}

// anotherHub starts the benchmark's agent once more.
func (j *job) anotherHub() {
	j.phase, j.result, j.by, j.stopAt = protocol.Launching, nil, "", time.Time{}
	j.pointsRead, j.stopped = false, map[roles.Task]bool{}
	a := newAgent(j, roles.Hub(), j.of[roles.Hub()])
	j.agents[roles.Hub()] = a
	j.hub = newHub(j, a.proc)
	a.proc.timer(j.between(20*time.Millisecond, 300*time.Millisecond), a.begin)
}

// endSession asks whoever has started the steps for the end: nothing is left then.
func (j *job) endSession() {
	j.slurm.step(steps.Asked{Why: "SIGINT"})
	j.pass(j.plan.Timeouts.Stop.Std() + j.plan.Timeouts.Settle.Std() + closeWait + slack)
	for _, t := range j.order {
		if a := j.agents[t]; !a.proc.dead {
			j.broken("%s is left when the session has ended", t)
		}
	}
	if _, leave := j.slurm.machine.Leave(j.now); !leave {
		j.broken("the batch script goes on when the session has ended")
	}
}

// part leaves the hub, once everything that was told has arrived, and looks for the next one.
func (a *agent) part() {
	a.parting = true
	until := a.job.now.Add(closeWait)
	var leave func()
	leave = func() {
		if a.conv.Delivered() && a.link != nil && !a.hubGone {
			f := a.conv.Frame(nil)
			f.Bye = true
			a.link.send(f)
			a.link.closed = true // its end is no break
		} else if !a.hubGone && !a.job.hub.proc.dead && a.job.now.Before(until) {
			a.proc.timer(5*time.Millisecond, a.inThis(leave))
			return
		}
		a.conversationAnew()
		a.find()
	}
	leave()
}

// conversationAnew forgets the hub that it has left.
func (a *agent) conversationAnew() {
	a.pulse.close(nil)
	fresh := newAgent(a.job, a.task, a.proc.host)
	a.life++
	a.former = a.job.hub
	a.parting, a.hubGone, a.unheard = false, false, false
	a.conv, a.link, a.trying = fresh.conv, nil, nil
	a.redial, a.silence, a.clock, a.watched = fresh.redial, fresh.silence, fresh.clock, nil
}

// inThis is something to do as long as the present conversation lasts.
func (a *agent) inThis(do func()) func() {
	life := a.life
	return func() {
		if a.life == life {
			do()
		}
	}
}
