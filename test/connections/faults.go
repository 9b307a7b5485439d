package connections

import (
	"time"

	"github.com/disagg/disagg/test/memnet"
)

// fault draws one fault.
func (d drawing) fault() {
	i := d.rng.IntN(len(d.agents))
	p := d.agents[i]
	at := d.between(0, d.length)
	kinds := []func(*plan, int, time.Duration){
		d.burst, d.cut, d.cut, d.reset, d.reset, d.reset, d.stall, d.kill, d.pause, d.stranger, d.rival,
	}
	kinds[d.rng.IntN(len(kinds))](p, i, at)
}

func (d drawing) note(agent int, kind string, from, to time.Duration) {
	d.faults = append(d.faults, fault{memnet.Span{From: from, To: to}, agent, kind})
}

// span draws how long something is broken: it is over by the end.
func (d drawing) span(at time.Duration, most time.Duration) memnet.Span {
	return memnet.Span{From: at, To: min(at+d.between(time.Millisecond, most), d.length)}
}

const (
	lossy      = "packets are lost"
	isCut      = "nothing arrives"
	cutUp      = "nothing arrives at the hub"
	cutDown    = "nothing arrives at the agent"
	isReset    = "its connection is reset"
	resetAgent = "its connection is reset, and the hub is not told"
	resetHub   = "its connection is reset, and the agent is not told"
	resetLeft  = "its connection is reset, and the hub never learns of it"
	isStalled  = "it reads nothing"
	isKilled   = "it is killed"
	isPaused   = "stands still"
	isOver     = "ends, and another begins"
)

func (d drawing) burst(p *plan, i int, at time.Duration) {
	s := d.span(at, 3*time.Second)
	p.link.Up.Bursts = append(p.link.Up.Bursts, s)
	p.link.Down.Bursts = append(p.link.Down.Bursts, s)
	d.note(i, lossy, s.From, s.To)
}

func (d drawing) cut(p *plan, i int, at time.Duration) {
	s := d.span(at, d.lost+2*time.Second)
	if d.chance(0.15) {
		s.To = memnet.Forever
	}
	kind := []string{isCut, cutUp, cutDown}[d.rng.IntN(3)]
	if kind != cutDown {
		p.link.Up.Cuts = append(p.link.Up.Cuts, s)
	}
	if kind != cutUp {
		p.link.Down.Cuts = append(p.link.Down.Cuts, s)
	}
	d.note(i, kind, s.From, s.To)
}

// reset breaks a connection, and those after it too as it may be: while they begin, too.
func (d drawing) reset(_ *plan, i int, at time.Duration) {
	kinds := []string{isReset, isReset, resetAgent, resetHub, resetLeft}
	for range d.pick(1, 1, 2, 5) {
		d.note(i, kinds[d.rng.IntN(len(kinds))], at, at)
		at = min(at+d.between(0, 300*time.Millisecond), d.length)
	}
}

func (d drawing) stall(p *plan, i int, at time.Duration) {
	s := d.span(at, d.lost+2*time.Second)
	p.link.Stalls = append(p.link.Stalls, s)
	d.note(i, isStalled, s.From, s.To)
	for range 20 { // enough for a small window
		p.commands = append(p.commands, saying{d.between(s.From, s.To), d.rng.IntN(2000)})
	}
}

func (d drawing) kill(p *plan, i int, at time.Duration) {
	if p.killed != 0 {
		return
	}
	p.killed, p.follows = at, d.chance(0.5)
	d.note(i, isKilled, at, memnet.Forever)
}

// pause lets the hub stand still. As it may be, an agent is about to connect then, and has given up when it goes on.
func (d drawing) pause(_ *plan, i int, at time.Duration) {
	if len(d.pauses) > 0 || d.restart > 0 {
		return
	}
	s := d.span(at, d.lost+2*time.Second)
	d.pauses = append(d.pauses, s)
	d.note(hub, isPaused, s.From, s.To)
	if d.chance(0.5) {
		before, amid := max(at-d.between(0, 150*time.Millisecond), 0), d.between(s.From, s.To)
		d.note(i, isReset, before, before)
		d.note(i, isReset, amid, amid)
	}
}

// hubRestarts ends the hub; agents of the attempt must not go on with another as if nothing had been.
func (d drawing) hubRestarts() {
	if len(d.pauses) > 0 {
		return
	}
	d.restart, d.again = d.between(1, d.length), d.chance(0.5)
	if d.chance(0.3) {
		d.gap = d.between(0, 30*time.Millisecond)
	}
	d.note(hub, isOver, d.restart, memnet.Forever)
}

// Strangers come to the hub and want something, or are just there.
const (
	garbage = "sends garbage"
	silent  = "says nothing"
	half    = "says half of a greeting"
	guesses = "has another token"
	stale   = "is of another attempt"
	replays = "sends again what an agent sent"
	misfits = "has no place in the plan"
	rivals  = "is a second agent of a task"
)

func (d drawing) stranger(_ *plan, i int, at time.Duration) {
	kinds := []string{garbage, silent, half, guesses, stale, replays, misfits}
	d.note(i, "a stranger "+kinds[d.rng.IntN(len(kinds))], at, at)
}

func (d drawing) rival(_ *plan, i int, at time.Duration) {
	d.note(i, "a stranger "+rivals, at, at)
}
