package simulation

import (
	"errors"
	"slices"
	"time"

	"github.com/disagg/disagg/pkg/decide"
	"github.com/disagg/disagg/pkg/decide/liveness"
	"github.com/disagg/disagg/pkg/decide/rank"
	"github.com/disagg/disagg/pkg/decide/session"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// agent is the process of one rank: the real machine, and the client's side of the real conversation.
type agent struct {
	job     *job
	task    roles.Task
	proc    *process
	machine *rank.Machine
	child   *child
	skew    time.Duration // of its host's clock

	conv    session.Conversation[protocol.Event, protocol.Command]
	link    *endpoint // nil while there is none
	trying  *endpoint // a connection on which the hub has not answered yet
	redial  liveness.Redial
	clock   liveness.Clock
	silence liveness.Silence
	hubGone bool // it is not looked for any more
	unheard bool // because it was silent for too long
	tick    time.Time
	watched map[string]int // peers that are watched, and how often in a row they were not reached
	begun   time.Time
	dialed  time.Time // when it last asked the hub to let it in
	heard   bool      // a command of the hub's
	former  *hub      // that it has left, with its child
	parting bool      // it is leaving it
	life    int       // of its conversations: what belongs to an earlier one is over
	left    bool
	stops   bool // it was seen to stop
	code    int
}

const (
	closeWait   = 5 * time.Second // for the last events to arrive, as in package agent
	redialFirst = 10 * time.Millisecond
	redialMost  = 500 * time.Millisecond
)

func newAgent(j *job, t roles.Task, h *host) *agent {
	limits := j.plan.Timeouts
	a := &agent{
		job: j, task: t, machine: rank.New(j.plan, t), proc: &process{w: j.world, host: h}, skew: j.skews[h],
		redial:  liveness.Redial{First: redialFirst, Most: redialMost, Seed: j.rng.Uint64()},
		clock:   liveness.Clock{Beat: limits.Heartbeat.Std()},
		silence: liveness.Silence{Limit: limits.Lost.Std()},
	}
	a.child = &child{a: a}
	return a
}

// begin begins the agent's life, when Slurm has started it.
func (a *agent) begin() {
	a.begun, a.dialed = a.job.now, a.job.now
	a.job.tell("%s runs on %s", a.task, a.proc.host.name)
	if a.isHub() {
		a.job.hub.begin()
		a.step(rank.Begin{})
		return
	}
	a.step(rank.Begin{})
	a.find()
}

// local is the time by the host's clock.
func (a *agent) local(t time.Time) time.Time { return t.Add(a.skew) }

func (a *agent) step(in rank.Input) {
	if a.left || a.proc.dead {
		return
	}
	for _, e := range a.machine.Step(in, a.local(a.job.now)) {
		a.perform(e)
	}
	if !a.stops && a.machine.Stopped() != "" {
		a.stops = true
		a.proc.timer(atOnce, a.checkStops)
	}
	if code, over := a.machine.Over(); over {
		a.leave(code)
		return
	}
	if at := a.machine.Deadline(); !at.IsZero() && !at.Equal(a.tick) {
		a.tick = at
		a.proc.timer(at.Sub(a.local(a.job.now)), func() {
			if a.tick.Equal(at) {
				a.tick = time.Time{}
			}
			a.step(rank.Tick{})
		})
	}
}

// asked takes in a signal that asks it to end.
func (a *agent) asked() {
	a.step(rank.Asked{Name: "SIGTERM"})
	a.proc.timer(atOnce, func() {
		if !a.left && !a.stops {
			a.job.broken("%s was asked to end, and goes on", a.task)
		}
	})
}

func (a *agent) perform(e rank.Effect) {
	switch e := e.(type) {
	case rank.Tell:
		a.send(e.Event)
	case rank.Start:
		a.job.started(a)
		if a.child.begun { // nothing is left of the one before
			a.child = &child{a: a}
		}
		if e.Measurement > 0 {
			a.job.pointsRead = false
		}
		a.child.start()
	case rank.Stop:
		a.child.stop(e)
	case rank.Abandon:
		a.child.abandon(e.Reason)
	case rank.Kill:
		a.child.end(137, "SIGKILL", e.Reason)
	case rank.Preflight:
		a.proc.timer(a.job.between(time.Millisecond, 100*time.Millisecond), func() {
			a.send(protocol.Event{
				Kind: protocol.EventPreflight, At: a.local(a.job.now), Findings: &protocol.Findings{},
			})
		})
	case rank.Watch:
		a.watch(e.Peers)
	case rank.Reach:
		a.tryHosts(e.Peers)
	case rank.Check:
		a.check()
	case rank.Part:
		a.part()
	case rank.Introduce:
		a.child.introduce()
	}
}

// send queues an event and sends what waits.
func (a *agent) send(e protocol.Event) {
	if e.At.IsZero() {
		e.At = a.local(a.job.now)
	}
	if a.isHub() {
		a.job.after(0, func() { a.proc.takes(func() { a.job.hub.step(decide.Reported{Task: a.task, Event: e}) }) })
		return
	}
	if a.parting {
		return // there is no hub to tell
	}
	a.conv.Push(e)
	a.flush()
}

// isHub tells whether the hub is in this process.
func (a *agent) isHub() bool { return a.task == roles.Hub() }

func (a *agent) flush() {
	if a.link != nil && !a.link.closed {
		f := a.conv.Frame(nil)
		f.At = a.local(a.job.now)
		a.link.send(f)
	}
}

// find looks for the hub's address in the run directory.
func (a *agent) find() {
	switch {
	case a.hubGone || a.left || a.machine.Stopped() != "":
		return
	case a.former == nil && a.job.now.Sub(a.begun) > a.job.plan.Timeouts.Launch.Std():
		a.lost("no hub within the time for launching")
		return
	}
	if !a.job.hub.published || a.job.hub == a.former || a.job.disk.stuck {
		a.proc.timer(a.job.between(50*time.Millisecond, 250*time.Millisecond), a.find)
		return
	}
	a.silence.Heard(a.job.now)
	a.beat()
	a.dial()
}

var errHubEnded = errors.New("the hub has ended")

// dial connects to the hub. Nobody listens at the port of a hub that has ended; a host that vanished does not answer.
func (a *agent) dial() {
	hub, life := a.job.hub, a.life
	here, there := a.proc.host, hub.proc.host
	if a.hubGone {
		return
	}
	if there.dead || !a.job.net.way(here, there) {
		a.proc.timer(a.job.plan.Timeouts.Lost.Std(), a.inThis(a.dial))
		return
	}
	way := a.job.net.delay(here, there)
	a.dialed = a.job.now
	a.job.after(way, func() {
		if a.life != life {
			return
		}
		if hub.proc.dead && !there.dead {
			a.proc.timer(way, a.inThis(func() { a.lost(errHubEnded.Error()) }))
			return
		}
		mine, its := a.job.net.connect(a.proc, hub.proc)
		a.trying, mine.life = mine, life
		mine.receive = func(m any) { a.hear(mine, m) }
		mine.ended = func() { a.broke(mine) }
		a.proc.timer(a.job.plan.Timeouts.Lost.Std()/2, func() {
			if a.trying == mine {
				mine.close()
				a.broke(mine)
			}
		})
		hub.proc.takes(func() { hub.challenge(a, its) })
	})
}

// welcome is the hub's answer.
func (a *agent) welcome(link *endpoint, answer session.Answer) {
	a.trying = nil
	switch answer {
	case session.Welcome, session.Resumed:
		a.link = link
		a.redial.Reset()
		a.conv.Connected()
		a.silence.Heard(a.job.now)
		a.flush()
	case session.Retry:
		link.close()
		a.proc.timer(a.redial.Next(), a.inThis(a.dial))
	case session.Refused:
		link.close()
		a.lost("refused by the hub")
	}
}

func (a *agent) broke(link *endpoint) {
	if a.link == link {
		a.link = nil
	}
	if a.trying == link {
		a.trying = nil
	}
	if !a.hubGone && (link == nil || link.life == a.life) {
		a.proc.timer(a.redial.Next(), a.inThis(a.dial))
	}
}

// lost gives the hub up.
func (a *agent) lost(why string) {
	if a.hubGone {
		return
	}
	a.hubGone = true
	for _, link := range []*endpoint{a.link, a.trying} {
		if link != nil {
			link.close()
		}
	}
	a.link, a.trying = nil, nil
	a.step(rank.HubLost{Why: why})
}

// beat sends a sign of life every heartbeat, and notices the hub's silence.
func (a *agent) beat() {
	if a.hubGone {
		return
	}
	if missed := a.clock.Tick(a.job.now); missed > 0 {
		a.silence.Missed(missed)
	}
	if a.silence.Lost(a.job.now) {
		if a.link != nil {
			a.link.send(session.Frame[protocol.Event]{GaveUp: true})
		}
		a.unheard = true
		a.lost("no sign of life from the hub")
		return
	}
	a.flush()
	a.proc.timer(a.clock.Beat, a.inThis(a.beat))
}

// hear takes in what the hub says over a connection.
func (a *agent) hear(link *endpoint, m any) {
	switch m := m.(type) {
	case challenge:
		link.send(wish{})
	case greeting:
		a.welcome(link, m.answer)
	case session.Frame[protocol.Command]:
		a.told(m)
	}
}

// told takes in a frame of the hub's.
func (a *agent) told(f session.Frame[protocol.Command]) {
	a.silence.Heard(a.job.now)
	fresh := a.conv.Take(f)
	if a.parting {
		return // it has left
	}
	for _, c := range fresh {
		a.heard = true
		if c.Kind == protocol.CommandStop {
			a.job.toldToStop(a.task)
		}
		a.step(rank.Told{Command: c})
	}
	if len(f.Items) > 0 {
		a.flush()
	}
}

// leave ends the agent, once everything that it had to say has arrived, within a bound.
func (a *agent) leave(code int) {
	if a.left {
		return
	}
	a.left, a.code = true, code
	if a.isHub() {
		a.job.hub.step(decide.Bye{Task: a.task})
		return // its process ends with the hub
	}
	until := a.job.now.Add(closeWait)
	var flushed func()
	flushed = func() {
		switch {
		case a.link == nil && (a.hubGone || a.job.hub.proc.dead), !a.job.now.Before(until):
			a.exit()
		case a.conv.Delivered() && a.link != nil:
			f := a.conv.Frame(nil)
			f.Bye = true
			a.link.send(f)
			a.link.closed = true // its end is no break
			a.proc.timer(2*time.Millisecond, a.exit)
		default:
			a.proc.timer(5*time.Millisecond, flushed)
		}
	}
	flushed()
}

func (a *agent) exit() {
	if a.proc.dead {
		return
	}
	a.job.tell("%s leaves with %d", a.task, a.code)
	if a.machine.Asked() && !a.heard {
		a.job.slurm.says(a.task.Role, protocol.Diagnosis{Meaning: protocol.Asked, Line: protocol.StoppedEarly})
	} else if a.unheard && !a.heard {
		a.job.slurm.says(a.task.Role, protocol.Diagnosis{Meaning: protocol.HubSilent, Line: protocol.NoSignOfLife})
	}
	a.proc.kill()
	a.job.slurm.ended(a, a.code, false)
}

// killed ends the agent by SIGKILL, and its child with it.
func (a *agent) killed() {
	if a.proc.dead {
		return
	}
	a.proc.kill()
	a.child.gone()
	a.job.slurm.ended(a, 137, true)
}

// Peers are watched as package agent does.
const (
	peerPeriod   = 2 * time.Second
	peerTimeout  = 1750 * time.Millisecond
	peerFailures = 3
	checkTimeout = time.Second
)

func (a *agent) watch(peers map[string]string) {
	watched := map[string]int{}
	a.watched = watched
	names := make([]string, 0, len(peers))
	for name := range peers {
		names = append(names, name)
	}
	slices.Sort(names)
	life := a.life
	var look func()
	look = func() {
		if a.left || a.machine.Stopped() != "" || a.machine.Free() || life != a.life {
			return
		}
		for _, name := range names {
			why := a.reach(name)
			if why == "" {
				watched[name] = 0
			} else if watched[name]++; watched[name] == peerFailures {
				a.tellUnreachable(name, why)
			}
		}
		a.proc.timer(peerPeriod, look)
	}
	a.proc.timer(a.job.between(0, peerPeriod), look)
}

// tellUnreachable tells so once the last try is over.
func (a *agent) tellUnreachable(name, why string) {
	e := a.unreachable(protocol.EventUnreachable, []string{name}, why)
	if why == "timeout" {
		a.proc.timer(peerTimeout, func() { a.send(e) })
	} else {
		a.send(e)
	}
}

// reach tells why a role's service cannot be connected to, "" if it can.
func (a *agent) reach(name string) string {
	r, _ := roles.ParseRole(name)
	peer := a.job.agents[roles.Task{Role: r}]
	switch {
	case peer.proc.host.dead, !a.job.net.way(a.proc.host, peer.proc.host):
		return "timeout"
	case !peer.child.listens():
		return "refused"
	}
	return ""
}

func (a *agent) unreachable(kind protocol.EventKind, names []string, why string) protocol.Event {
	e := protocol.Event{Kind: kind}
	for _, name := range names {
		r, _ := roles.ParseRole(name)
		e.Peers = append(e.Peers, r)
		e.Detail = a.proc.host.name + " cannot reach " + name + ": " + why
	}
	return e
}

// tryHosts tries whether the hosts of roles answer.
func (a *agent) tryHosts(peers map[string]string) {
	e := protocol.Event{Kind: protocol.EventReached}
	took := a.job.between(time.Millisecond, 50*time.Millisecond)
	for name, address := range peers { // one, so that no order matters
		r, _ := roles.ParseRole(name)
		there := a.job.hostAt(address)
		if there.dead || !a.job.net.way(a.proc.host, there) {
			e.Peers, took = append(e.Peers, r), 750*time.Millisecond
		}
	}
	a.proc.timer(took, func() { a.send(e) })
}

// check asks the own service and every peer once.
func (a *agent) check() {
	var names []string
	why, took := "", a.job.between(time.Millisecond, 20*time.Millisecond)
	for name := range a.watched {
		names = append(names, name)
	}
	slices.Sort(names)
	names = slices.DeleteFunc(names, func(name string) bool {
		w := a.reach(name)
		if w == "timeout" {
			took = checkTimeout
		}
		if w != "" {
			why = w
		}
		return w == ""
	})
	e := a.unreachable(protocol.EventChecked, names, why)
	if a.child.hung && a.child.ready {
		e.Unwell, took = "timeout", checkTimeout
	}
	if a.isHub() {
		a.job.lookForRelease()
	}
	a.proc.timer(took, func() { a.send(e) })
}

// command is one of the hub in the same process.
func (a *agent) command(c protocol.Command) {
	if c.Kind == protocol.CommandStop {
		a.job.toldToStop(a.task)
	}
	a.step(rank.Told{Command: c})
}
