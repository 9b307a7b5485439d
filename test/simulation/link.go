package simulation

import (
	"errors"
	"time"

	"github.com/disagg/disagg/pkg/decide/rank"
	"github.com/disagg/disagg/pkg/decide/session"
	"github.com/disagg/disagg/pkg/protocol"
)

func (a *agent) flush() {
	if a.link != nil && !a.link.closed {
		f := a.conv.Frame(nil)
		f.At = a.local(a.job.now)
		a.link.send(f)
	}
}

// find looks for the hub's address in the run directory, as package rundir does: for the next one, which may take its
// time, gently.
func (a *agent) find() {
	switch {
	case a.hubGone || a.left || a.machine.Stopped() != "":
		return
	case a.former == nil && a.job.now.Sub(a.begun) > a.job.plan.Timeouts.Launch.Std():
		a.lost("no hub within the time for launching")
		return
	}
	if !a.job.hub.published || a.job.hub == a.former || a.job.disk.stuck {
		pause := a.job.between(50*time.Millisecond, 250*time.Millisecond)
		if a.former != nil {
			pause = a.job.between(500*time.Millisecond, 1500*time.Millisecond)
		}
		a.proc.timer(pause, a.find)
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
		hub.proc.takesOver(its, action(func() { hub.challenge(a, its) }))
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
		a.hears()
		a.flush()
		if answer == session.Welcome {
			a.keepPulse()
		}
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
	a.pulse.close(nil)
	a.step(rank.HubLost{Why: why})
}

// beat sends a sign of life every heartbeat, and notices the hub's silence.
func (a *agent) beat() {
	life := a.life
	a.proc.every(a.clock.Beat, func() bool { return a.life == life && a.beats() })
}

func (a *agent) beats() (goesOn bool) {
	if a.hubGone {
		return false
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
		return false
	}
	a.flush()
	return true
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

// hears notes a sign of life of the conversation.
func (a *agent) hears() {
	a.spoken = a.job.now
	a.silence.Heard(a.job.now)
}

// told takes in a frame of the hub's.
func (a *agent) told(f session.Frame[protocol.Command]) {
	a.hears()
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
