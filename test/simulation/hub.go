package simulation

import (
	"time"

	"github.com/disagg/disagg/pkg/decide"
	"github.com/disagg/disagg/pkg/decide/liveness"
	"github.com/disagg/disagg/pkg/decide/session"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// hub is the hub's process: the real judgement, and the server's side of the real conversations.
type hub struct {
	job       *job
	proc      *process
	machine   *decide.Machine
	agents    map[roles.Task]*client
	published bool
	tick      time.Time
	over      bool
	told      *protocol.Cause // that state.json is to tell
	known     *protocol.Cause // that it tells
}

// client is the hub's side of one agent.
type client struct {
	hello   protocol.Hello
	session session.Session
	conv    session.Conversation[protocol.Command, protocol.Event]
	link    *endpoint
	pulse   *endpoint // nil: it has none
	since   time.Time // it was let in
	heard   time.Time // the conversation itself
	signs   liveness.Sampler
	late    bool // it came when the job was over
}

// The handshake: the hub proves itself, the agent does and wants to be let in, and the hub answers.
type (
	challenge struct{}
	wish      struct{}
	greeting  struct{ answer session.Answer }
)

func newHub(j *job, proc *process) *hub {
	return &hub{job: j, proc: proc, agents: map[roles.Task]*client{}}
}

// begin begins to listen, and publishes where.
func (h *hub) begin() {
	h.machine = decide.New(h.job.plan, decide.Options{JobEnds: h.job.ends}, h.job.now)
	h.job.disk.answers(h.proc, func() { h.published = true })
	h.step(decide.Attached{Task: roles.Hub(), Hello: h.job.hello(roles.Hub())})
	h.save()
}

// save writes state.json about once a second: the loop runs at least so often.
func (h *hub) save() {
	h.proc.timer(time.Second, func() {
		if !h.over {
			h.step(decide.Tick{})
			h.remember()
			h.save()
		}
	})
}

// remember writes the cause into state.json, as far as it is known.
func (h *hub) remember() {
	if h.machine.Cause() != nil {
		h.job.disk.answers(h.proc, func() { h.known = h.machine.Cause() })
	}
}

func (h *hub) step(in decide.Input) {
	if h.over || h.proc.dead || h.machine == nil {
		return
	}
	before := h.machine.Phase()
	for _, e := range h.machine.Step(in, h.job.now) {
		h.perform(e)
	}
	if h.machine.Cause() != h.told {
		h.told = h.machine.Cause()
		h.remember()
	}
	if phase := h.machine.Phase(); phase != before {
		h.remember()
		h.job.entered(before, phase)
	}
	if h.machine.Over() {
		h.conclude()
		return
	}
	at := h.machine.Deadline(h.job.now)
	if at.IsZero() || !h.tick.IsZero() && h.tick.After(h.job.now) && !at.Before(h.tick) {
		return
	}
	h.tick = at
	h.job.at(at, func() {
		if h.tick.Equal(at) {
			h.proc.takes(h.ticks)
		}
	})
}

func (h *hub) ticks() { h.step(decide.Tick{}) }

func (h *hub) perform(e decide.Effect) {
	switch e := e.(type) {
	case decide.Send:
		h.send(e.Task, e.Command)
	case decide.Drop:
		if c := h.agents[e.Task]; c != nil {
			c.session.Ended = true
			c.endPulse()
			if c.link != nil {
				c.link.close()
			}
		}
	case decide.LookFor:
		h.job.disk.answers(h.proc, func() { h.step(decide.Visible{Task: e.Task, OK: true}) })
	case decide.TryHosts:
		a := h.job.agents[roles.Hub()]
		a.tryHosts(e.Peers)
	case decide.Judge: // it may take longer than anybody waits
		h.job.measuredAt = h.job.now
		h.proc.timer(h.job.between(50*time.Millisecond, 6*time.Second), func() {
			h.step(decide.Judged{Suspicious: h.job.scenario.again.suspicious})
		})
	case decide.EndFollow:
		h.proc.timer(h.job.between(time.Millisecond, 50*time.Millisecond), func() {
			h.job.disk.answers(h.proc, func() { h.step(decide.Measured{Points: h.job.points()}) })
		})
	}
}

func (h *hub) send(t roles.Task, c protocol.Command) {
	if t == roles.Hub() {
		a := h.job.agents[t]
		h.job.after(0, func() { a.proc.takes(func() { a.command(c) }) })
		return
	}
	if to := h.agents[t]; to != nil {
		to.signs.Next()
		to.conv.Push(c)
		h.flush(to)
	}
}

func (h *hub) flush(c *client) {
	if c.link != nil && !c.link.closed {
		c.link.send(c.conv.Frame(nil))
	}
}

// challenge takes a connection.
func (h *hub) challenge(a *agent, its *endpoint) {
	its.receive = func(any) { h.accept(a, its) }
	its.ended = func() {}
	its.send(challenge{})
}

// accept lets an agent in that has proved itself.
func (h *hub) accept(a *agent, its *endpoint) {
	c := h.agents[a.task]
	var state session.Session
	if c != nil {
		state = c.session
	}
	answer, _ := state.Admit(h.job.hello(a.task), a.conv.Begun())
	switch answer {
	case session.Retry:
		c.link.close()
		h.broke(a.task, c, c.link)
	case session.Welcome:
		c = &client{
			hello: h.job.hello(a.task), since: h.job.now, late: h.machine.Over(),
			signs: liveness.Sampler{Beat: h.job.plan.Timeouts.Heartbeat.Std()},
		}
		h.agents[a.task] = c
		fallthrough
	case session.Resumed:
		c.session, c.link, c.heard = state, its, h.job.now
		c.conv.Connected()
	}
	its.receive = func(m any) { h.hear(a.task, c, its, m.(session.Frame[protocol.Event])) }
	its.ended = func() { h.broke(a.task, c, its) }
	its.send(greeting{answer})
	switch answer {
	case session.Welcome:
		h.step(decide.Attached{Task: a.task, Hello: c.hello})
		h.beat(c, its)
	case session.Resumed:
		h.step(decide.Back{Task: a.task})
		h.beat(c, its)
	}
}

// beat sends a sign of life every heartbeat, and first of all what waits.
func (h *hub) beat(c *client, link *endpoint) {
	h.proc.every(h.job.plan.Timeouts.Heartbeat.Std(), func() bool {
		if link.closed || c.link != link {
			return false
		}
		h.flush(c)
		return true
	})
}

func (h *hub) broke(t roles.Task, c *client, link *endpoint) {
	if c == nil || c.link != link {
		return
	}
	c.link = nil
	if c.session.Disconnected(session.Broke, "") {
		h.step(decide.Broke{Task: t})
	}
}

// missesEnd tells whether an agent was killed, and the end of its connection is still under way.
func (h *hub) missesEnd(a *agent) bool {
	c := h.agents[a.task]
	return a.proc.dead && c != nil && c.link != nil
}

// alive takes in a sign of life, not more often than package control tells them.
func (h *hub) alive(t roles.Task, c *client, sent time.Time) {
	if c.signs.Takes(sent, h.job.now) {
		h.step(decide.Alive{Task: t, Sent: sent})
	}
}

// hear takes in a frame of an agent's.
func (h *hub) hear(t roles.Task, c *client, link *endpoint, f session.Frame[protocol.Event]) {
	c.heard = h.job.now
	h.alive(t, c, f.At)
	for _, e := range c.conv.Take(f) {
		h.step(decide.Reported{Task: t, Event: e})
	}
	switch {
	case f.Bye:
		link.closed, c.link = true, nil
		c.endPulse()
		if c.session.Disconnected(session.Goodbye, "") {
			h.step(decide.Bye{Task: t})
		}
	case f.GaveUp:
		link.closed, c.link = true, nil
		c.endPulse()
		if c.session.Disconnected(session.GaveUp, "") {
			h.step(decide.Broke{Task: t, GaveUp: true})
		}
	case len(f.Items) > 0:
		h.flush(c)
	}
}

// conclude writes the verdict and ends the process.
func (h *hub) conclude() {
	h.over = true
	r := h.machine.Result(decide.Times{}, h.job.now)
	h.proc.timer(h.job.between(5*time.Millisecond, 50*time.Millisecond), func() {
		h.job.conclude(r, "hub")
		h.proc.timer(5*time.Millisecond, h.job.agents[roles.Hub()].exit)
	})
}

func (h *hub) stepReport(r protocol.StepReport) { h.step(decide.Step{Report: r}) }
