package simulation

import (
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
	spoken  time.Time // when the hub was last heard in the conversation itself
	pulse   pulse
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
	a.child = newChild(a)
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
			a.child = newChild(a)
		}
		if e.Measurement > 0 {
			a.job.pointsRead, a.job.measuredAt = false, time.Time{}
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
		a.tellHub(decide.Reported{Task: a.task, Event: e})
		return
	}
	if a.parting {
		return // there is no hub to tell
	}
	a.conv.Push(e)
	a.flush()
}

// tellHub is how the hub's own agent talks to it, in order.
func (a *agent) tellHub(in decide.Input) {
	a.job.after(0, func() { a.proc.takes(func() { a.job.hub.step(in) }) })
}

// isHub tells whether the hub is in this process.
func (a *agent) isHub() bool { return a.task == roles.Hub() }

// leave ends the agent, once everything that it had to say has arrived, within a bound.
func (a *agent) leave(code int) {
	if a.left {
		return
	}
	a.left, a.code = true, code
	if a.isHub() {
		a.tellHub(decide.Bye{Task: a.task})
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

// command is one of the hub in the same process.
func (a *agent) command(c protocol.Command) {
	if c.Kind == protocol.CommandStop {
		a.job.toldToStop(a.task)
	}
	a.step(rank.Told{Command: c})
}
