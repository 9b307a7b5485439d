package simulation

import (
	"slices"
	"time"
)

// host is a machine.
type host struct {
	name string
	dead bool // it vanished
}

// process is a process that can be killed and be stopped (SIGSTOP): then what comes to it waits.
type process struct {
	w       *world
	host    *host
	dead    bool
	stopped bool
	// stoppedAt is since when, or was the last time.
	stoppedAt time.Time
	until     time.Time // when it goes on; zero: never
	waiting   []waiting
	conns     []*endpoint // that its kernel ends with it
}

// waiting is what waits until a process runs, and the connection over which it comes; nil: over none.
type waiting struct {
	over *endpoint
	what happening
}

// takes has the process do something, once it runs.
func (p *process) takes(do func()) { p.takesOver(nil, action(do)) }

// takesOver has it take in what comes over a connection.
func (p *process) takesOver(over *endpoint, what happening) {
	switch {
	case p.dead || p.host.dead:
	case p.stopped:
		p.waiting = append(p.waiting, waiting{over, what})
	default:
		what.happen()
	}
}

// goOn ends a pause before its time (SIGCONT).
func (p *process) goOn() {
	if p.stopped && !p.dead {
		p.until = time.Time{}
		p.resume()
	}
}

// resume takes in what has waited: of each connection in its order, of several in any.
func (p *process) resume() {
	left := p.waiting
	p.stopped, p.waiting = false, nil
	for len(left) > 0 {
		over := left[p.w.rng.IntN(len(left))].over
		i := slices.IndexFunc(left, func(w waiting) bool { return w.over == over })
		next := left[i]
		left = slices.Delete(left, i, i+1)
		p.takesOver(next.over, next.what)
	}
}

// timer has the process do something later.
func (p *process) timer(d time.Duration, do func()) { p.w.in(d, p, action(do)) }

// every has the process do something now, and again and again after a while, as long as it says that it goes on.
func (p *process) every(d time.Duration, do func() (goesOn bool)) {
	var again func()
	again = func() {
		if do() {
			p.timer(d, again)
		}
	}
	again()
}

// kill ends the process, and its connections with it.
func (p *process) kill() {
	if p.dead {
		return
	}
	p.dead, p.waiting = true, nil
	for _, e := range p.conns {
		e.close()
	}
	p.conns = nil
}

// pause stops the process for a while; 0: for ever.
func (p *process) pause(d time.Duration) {
	until := p.w.now.Add(d)
	switch {
	case p.dead, p.stopped && (p.until.IsZero() || d > 0 && until.Before(p.until)):
		return
	case !p.stopped:
		p.stoppedAt = p.w.now
	}
	if d == 0 {
		p.stopped, p.until = true, time.Time{}
		return
	}
	p.stopped, p.until = true, until
	p.w.at(until, func() {
		if !p.until.Equal(until) {
			return
		}
		p.resume()
	})
}
