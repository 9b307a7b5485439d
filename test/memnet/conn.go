package memnet

import (
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// pair is a connection: both of its ends.
type pair struct {
	network *Network
	link    *Link
	mu      sync.Mutex // guards the ends
	changed *sync.Cond
	ends    [2]*Conn // the client's, and the listener's
}

// Conn is one end of a connection.
type Conn struct {
	pair      *pair
	peer      *Conn
	here      addr
	pauses    []Span // when no call returns
	stalls    []Span // when no read returns
	arriving  []packet
	held      int     // bytes that are under way to this end, or wait to be read
	way       passage // from here to the peer
	closed    bool
	cut       bool  // what it sends vanishes
	deaf      bool  // and nobody says so
	err       error // how the connection ended, if not from here
	resetting bool  // the peer will learn that this end took no more
	read      time.Time
	write     time.Time
}

// packet is what arrives in one piece. The last one has no data.
type packet struct {
	at   time.Duration
	data []byte
}

var _ net.Conn = (*Conn)(nil)

func newPair(n *Network, link *Link, l *Listener, up, down passage) *pair {
	p := &pair{network: n, link: link}
	p.changed = sync.NewCond(&p.mu)
	client := &Conn{pair: p, here: addr(link.Name), stalls: link.Stalls, way: up}
	hub := &Conn{pair: p, here: addr(l.address), pauses: l.pauses, way: down}
	client.peer, hub.peer = hub, client
	p.ends = [2]*Conn{client, hub}
	return p
}

func (c *Conn) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: "mem", Source: c.here, Addr: c.peer.here, Err: err}
}

// wait waits for a change, or for a moment if that comes first. It is called under the lock.
func (p *pair) wait(until time.Duration) {
	if until != Forever {
		timer := time.AfterFunc(until-p.network.Now(), func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.changed.Broadcast()
		})
		defer timer.Stop()
	}
	p.changed.Wait()
}

// deadline is a point in time as one of the network.
func (p *pair) deadline(t time.Time) time.Duration {
	if t.IsZero() {
		return Forever
	}
	return t.Sub(p.network.start)
}

// Read reads what has arrived.
func (c *Conn) Read(b []byte) (int, error) {
	c.pair.mu.Lock()
	defer c.pair.mu.Unlock()
	for {
		now, deadline := c.pair.network.Now(), c.pair.deadline(c.read)
		pause, paused := within(c.pauses, now)
		stall, stalled := within(c.stalls, now)
		switch {
		case c.closed:
			return 0, c.fail("read", net.ErrClosed)
		case paused:
			c.pair.wait(pause.To)
		case deadline <= now:
			return 0, c.fail("read", os.ErrDeadlineExceeded)
		case stalled:
			c.pair.wait(min(stall.To, deadline))
		case len(c.arriving) > 0 && c.arriving[0].at <= now:
			return c.take(b)
		case c.err != nil:
			return 0, c.fail("read", c.err)
		case len(c.arriving) > 0:
			c.pair.wait(min(deadline, c.arriving[0].at))
		default:
			c.pair.wait(deadline)
		}
	}
}

// take reads from the packet that has arrived.
func (c *Conn) take(b []byte) (int, error) {
	first := &c.arriving[0]
	if first.data == nil {
		return 0, io.EOF
	}
	b = b[:part(min(len(b), len(first.data)), c.pair.link.Piece)]
	n := copy(b, first.data)
	if first.data = first.data[n:]; len(first.data) == 0 {
		c.arriving = c.arriving[1:]
	}
	c.held -= n
	c.pair.changed.Broadcast()
	return n, nil
}

// Write sends, and waits while the buffers are full.
func (c *Conn) Write(b []byte) (int, error) {
	c.pair.mu.Lock()
	defer c.pair.mu.Unlock()
	for sent := 0; ; {
		now, deadline := c.pair.network.Now(), c.pair.deadline(c.write)
		pause, paused := within(c.pauses, now)
		room := c.pair.link.Window - c.peer.held
		switch {
		case c.closed:
			return sent, c.fail("write", net.ErrClosed)
		case paused:
			c.pair.wait(pause.To)
		case c.err != nil:
			return sent, c.fail("write", c.err)
		case sent == len(b):
			return sent, nil
		case deadline <= now:
			return sent, c.fail("write", os.ErrDeadlineExceeded)
		case room > 0:
			n := min(room, len(b)-sent, part(len(b), c.pair.link.Packet))
			c.send(now, b[sent:sent+n])
			sent += n
		default:
			c.pair.wait(deadline)
		}
	}
}

// mostParts is into how many parts a read or a write is cut at most: more would only cost time.
const mostParts = 64

// part is how much of so many bytes goes at once.
func part(size, most int) int {
	if most == 0 {
		return size
	}
	return min(size, max(most, size/mostParts))
}

// send lets a packet travel to the peer; one without data is the last.
func (c *Conn) send(now time.Duration, data []byte) {
	to := c.peer
	to.held += len(data)
	p := packet{at: c.way.arrival(now, len(data))}
	if c.cut {
		c.strike(now, p.at)
		return
	}
	if len(data) > 0 {
		p.data = append([]byte{}, data...)
	}
	if to.closed {
		to.refuse(now, p.at)
		return
	}
	to.arriving = append(to.arriving, p)
	c.pair.changed.Broadcast()
}

// Close ends the connection. If something was not read, or still comes, the peer sees a reset.
func (c *Conn) Close() error {
	c.pair.mu.Lock()
	defer c.pair.mu.Unlock()
	if c.closed {
		return c.fail("close", net.ErrClosed)
	}
	c.closed = true
	c.pair.changed.Broadcast()
	now := c.pair.network.Now()
	if c.err != nil || c.cut {
		return nil
	}
	if len(c.arriving) == 0 || c.arriving[0].at > now || c.arriving[0].data == nil {
		c.send(now, nil)
	}
	if len(c.arriving) > 0 && c.arriving[0].data != nil {
		c.refuse(now, c.arriving[0].at)
	}
	c.arriving = nil
	return nil
}

// refuse answers what arrives at an end that is closed: what this end has sent and is still under way is lost, and the
// peer sees a reset.
func (c *Conn) refuse(now, at time.Duration) {
	if c.resetting || at == Forever {
		return
	}
	c.resetting = true
	c.pair.after(at-now, func() {
		now := c.pair.network.Now()
		if c.cut {
			return
		}
		keep := c.peer.arriving[:0]
		for _, p := range c.peer.arriving {
			if p.at <= now {
				keep = append(keep, p)
			}
		}
		c.peer.arriving = keep
		if told := c.way.arrival(now, 0); told != Forever {
			c.pair.after(told-now, c.peer.broken)
		}
	})
}

// strike is what an end that was not told of a reset meets: the other's kernel knows of no connection, and says so.
func (c *Conn) strike(now, at time.Duration) {
	if c.deaf || c.peer.err == nil || at == Forever {
		return
	}
	c.pair.after(at-now, func() {
		if told := c.peer.way.arrival(at, 0); told != Forever {
			c.pair.after(told-at, c.broken)
		}
	})
}

// after runs something under the lock, once that much time has passed.
func (p *pair) after(d time.Duration, do func()) {
	time.AfterFunc(max(d, 0), func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		do()
	})
}

// broken is how an end learns that the connection was reset.
func (c *Conn) broken() {
	if c.err == nil {
		c.err = os.NewSyscallError("read", syscall.ECONNRESET)
		c.pair.changed.Broadcast()
	}
}

// reset breaks the connection at once. What is under way is lost, and tells its sender.
func (p *pair) reset(tell ...Tell) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, c := range p.ends {
		if c.cut, c.deaf = true, tell[i] == NotAtAll; tell[i] == AtOnce {
			c.broken()
		}
	}
	now := p.network.Now()
	for _, c := range p.ends {
		under := slices.IndexFunc(c.arriving, func(p packet) bool { return p.at > now })
		if under >= 0 {
			c.peer.strike(now, c.arriving[under].at)
			c.arriving = c.arriving[:under]
		}
	}
}

// LocalAddr is the address of this end.
func (c *Conn) LocalAddr() net.Addr { return c.here }

// RemoteAddr is the address of the other end: a listener sees the name of a link.
func (c *Conn) RemoteAddr() net.Addr { return c.peer.here }

// SetDeadline bounds reads and writes.
func (c *Conn) SetDeadline(t time.Time) error { return c.set(&c.read, &c.write, t) }

// SetReadDeadline bounds reads, those that wait already too.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.set(&c.read, nil, t) }

// SetWriteDeadline bounds writes, those that wait already too.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.set(nil, &c.write, t) }

func (c *Conn) set(read, write *time.Time, t time.Time) error {
	c.pair.mu.Lock()
	defer c.pair.mu.Unlock()
	if c.closed {
		return c.fail("set", net.ErrClosed)
	}
	if read != nil {
		*read = t
	}
	if write != nil {
		*write = t
	}
	c.pair.changed.Broadcast()
	return nil
}
