package simulation

import (
	"slices"
	"time"

	"github.com/disagg/disagg/pkg/decide/liveness"
	"github.com/disagg/disagg/pkg/roles"
)

// pulse is an agent's second connection, for signs of life alone.
type pulse struct {
	policy liveness.Pulse
	redial liveness.Redial
	link   *endpoint   // nil: it has none
	trying []*endpoint // on which the hub has not answered yet
}

// sign is a sign of life over a pulse.
type sign struct{ at time.Time }

// keepPulse keeps the agent's pulse up from now on, as package control does.
func (a *agent) keepPulse() {
	beat := a.clock.Beat
	a.pulse = pulse{
		policy: liveness.Pulse{Beat: beat},
		redial: liveness.Redial{First: beat / 2, Most: beat / 2, Seed: a.job.rng.Uint64()},
	}
	var look func()
	look = a.inThis(func() {
		if a.hubGone || a.left {
			return
		}
		pause := a.pulse.policy.QuietIn(a.job.now)
		if pause <= 0 {
			a.tryPulse()
			pause = a.pulse.redial.Next()
		}
		a.proc.timer(pause, look)
	})
	a.proc.timer(a.pulse.redial.Next(), look)
}

// tryPulse tries one more connection, unless enough are being tried. A host that is not reached does not answer.
func (a *agent) tryPulse() {
	p, hub := &a.pulse, a.job.hub
	here, there := a.proc.host, hub.proc.host
	if len(p.trying) >= p.policy.Tries(a.job.now.Sub(a.spoken)) || there.dead || !a.job.net.way(here, there) {
		return
	}
	a.job.after(a.job.net.delay(here, there), a.inThis(func() {
		if hub.proc.dead || a.proc.dead {
			return
		}
		mine, its := a.job.net.connect(a.proc, hub.proc)
		p.trying = append(p.trying, mine)
		mine.receive = func(m any) {
			if _, asks := m.(challenge); asks {
				mine.send(sign{a.local(a.job.now)})
			} else {
				a.hearPulse(mine)
			}
		}
		mine.ended = func() { a.pulseEnded(mine) }
		a.proc.timer(p.policy.Quiet(), a.inThis(func() {
			if slices.Contains(p.trying, mine) {
				mine.close()
				a.pulseEnded(mine)
			}
		}))
		hub.proc.takesOver(its, action(func() { hub.takePulse(a.task, its) }))
	}))
}

// hearPulse takes in what the hub says over a pulse: first that it is let in, then signs of life.
func (a *agent) hearPulse(mine *endpoint) {
	p := &a.pulse
	p.policy.Heard(a.job.now)
	if p.link == mine {
		if liveness.Trusts(a.job.now.Sub(a.spoken), a.silence.Limit) {
			a.silence.Heard(a.job.now)
		}
		return
	}
	a.pulse.close(mine)
	p.link = mine
	a.beatPulse(mine)
}

// close closes all of its connections but one.
func (p *pulse) close(but *endpoint) {
	for _, e := range append(p.trying, p.link) {
		if e != nil && e != but {
			e.close()
		}
	}
	p.link, p.trying = nil, nil
}

func (a *agent) pulseEnded(mine *endpoint) {
	p := &a.pulse
	p.trying = slices.DeleteFunc(p.trying, func(e *endpoint) bool { return e == mine })
	if p.link == mine {
		p.link = nil
		p.policy.Broke()
	}
}

// beatPulse sends a sign of life every heartbeat.
func (a *agent) beatPulse(mine *endpoint) {
	a.proc.every(a.clock.Beat, func() bool {
		if a.pulse.link != mine || mine.closed {
			return false
		}
		mine.send(sign{a.local(a.job.now)})
		return true
	})
}

// takePulse takes a connection for an agent's pulse, once the agent has proved itself.
func (h *hub) takePulse(t roles.Task, its *endpoint) {
	its.ended = func() {}
	its.receive = func(m any) { h.hearPulse(t, its, m.(sign).at) }
	its.send(challenge{})
}

// hearPulse takes in a sign of life, and answers it. A newer pulse means that the older is broken.
func (h *hub) hearPulse(t roles.Task, its *endpoint, sent time.Time) {
	c := h.agents[t]
	if c == nil || c.session.Ended {
		its.close()
		return
	}
	if c.pulse != its {
		c.endPulse()
		c.pulse = its
	}
	if liveness.Trusts(h.job.now.Sub(c.heard), h.job.plan.Timeouts.Lost.Std()) && c.session.Connected {
		h.alive(t, c, sent)
	}
	its.send(sign{})
}

// endPulse ends the pulse of an agent, if it has one.
func (c *client) endPulse() {
	if c.pulse != nil {
		c.pulse.close()
		c.pulse = nil
	}
}
