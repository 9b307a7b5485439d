package simulation

import "time"

// network moves messages between hosts: late, in order, and not at all where it is cut.
type network struct {
	w           *world
	least, most time.Duration    // of a message's way
	tail        float64          // share of messages that are sent again, later and later
	cuts        map[[2]*host]int // how often
	stalled     []*endpoint      // at which messages wait for a cut to be healed
}

func pair(a, b *host) [2]*host {
	if a.name > b.name {
		a, b = b, a
	}
	return [2]*host{a, b}
}

// cut cuts two hosts from each other; b nil: a from everybody.
func (n *network) cut(a, b *host) { n.cuts[n.key(a, b)]++ }

func (n *network) key(a, b *host) [2]*host {
	if b == nil {
		return [2]*host{a, nil}
	}
	return pair(a, b)
}

// heal undoes a cut. What was under way arrives, after TCP has sent it again, and what was sent since after that.
func (n *network) heal(a, b *host) {
	n.cuts[n.key(a, b)]--
	stalled := n.stalled
	n.stalled = nil
	n.w.after(n.w.between(200*time.Millisecond, 2*time.Second), func() {
		for _, e := range stalled {
			e.resume()
		}
	})
}

// way tells whether a host is reached from another.
func (n *network) way(a, b *host) bool {
	return a == b || n.cuts[pair(a, b)]+n.cuts[[2]*host{a, nil}]+n.cuts[[2]*host{b, nil}] == 0
}

// delay draws how long a message takes. A lost packet is sent again after 200 ms, 400 ms and so on.
func (n *network) delay(a, b *host) time.Duration {
	if a == b {
		return 20 * time.Microsecond
	}
	d := n.w.between(n.least, n.most)
	for again := 200 * time.Millisecond; again < mostAgain && n.tail > 0 && n.w.chance(n.tail); again *= 2 {
		d += again
	}
	return d
}

// mostAgain bounds how often a packet is lost in a row: a network that is worse than that is one that is cut.
const mostAgain = 2 * time.Second

// endpoint is one side of a connection.
type endpoint struct {
	life    int // of the conversation that it belongs to
	net     *network
	proc    *process
	other   *endpoint
	receive func(any)
	ended   func() // the connection has ended, not from here
	closed  bool
	last    time.Duration // when the last message arrived or will, since the beginning
	waiting []*arrival    // that wait for a cut to be healed
}

// connect makes the two sides of a connection.
func (n *network) connect(a, b *process) (*endpoint, *endpoint) {
	one, two := &endpoint{net: n, proc: a}, &endpoint{net: n, proc: b}
	one.other, two.other = two, one
	a.conns, b.conns = append(a.conns, one), append(b.conns, two)
	return one, two
}

// arrival is a message that is on its way to one side of a connection, or its end.
type arrival struct {
	to      *endpoint
	message any // nil: the connection has ended
}

// taking is an arrival that the process takes in.
type taking arrival

// send sends a message to the other side.
func (e *endpoint) send(message any) {
	if !e.closed {
		e.deliver(message)
	}
}

// deliver has something arrive at the other side when a message would.
func (e *endpoint) deliver(message any) {
	n, to := e.net, e.other
	to.last = max(to.last, n.w.elapsed+n.delay(e.proc.host, to.proc.host))
	n.w.in(to.last-n.w.elapsed, nil, &arrival{to, message})
}

// happen lets it reach the host, unless that is cut off by then, or has vanished.
func (a *arrival) happen() {
	to := a.to
	n := to.net
	switch {
	case to.proc.host.dead:
	case len(to.waiting) > 0:
		to.waiting = append(to.waiting, a)
	case !n.way(to.other.proc.host, to.proc.host):
		to.waiting = append(to.waiting, a)
		n.stalled = append(n.stalled, to)
	default:
		a.arrive()
	}
}

// arrive gives it to the process.
func (a *arrival) arrive() {
	if !a.to.closed {
		a.to.proc.takesOver(a.to, (*taking)(a))
	}
}

// happen lets the process take it in, unless this side was closed meanwhile.
func (t *taking) happen() {
	switch to := t.to; {
	case to.closed:
	case t.message == nil:
		to.closed = true
		to.ended()
	default:
		to.receive(t.message)
	}
}

// resume has happen what waits at this side, unless the other is cut off again.
func (e *endpoint) resume() {
	for len(e.waiting) > 0 && !e.proc.host.dead {
		if !e.net.way(e.proc.host, e.other.proc.host) {
			e.net.stalled = append(e.net.stalled, e)
			return
		}
		next := e.waiting[0]
		e.waiting = e.waiting[1:]
		next.arrive()
	}
}

// close ends the connection; the other side learns of it unless this host has vanished.
func (e *endpoint) close() {
	if e.closed {
		return
	}
	e.closed = true
	if e.proc.host.dead {
		return
	}
	e.deliver(nil)
}
