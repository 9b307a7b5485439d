package memnet

import (
	"net"
	"sync"
	"syscall"
)

type addr string

func (addr) Network() string  { return "mem" }
func (a addr) String() string { return string(a) }

// Listener is the end of a network that is connected to.
type Listener struct {
	network *Network
	address string
	pauses  []Span
	backlog chan *Conn
	closed  chan struct{}
	once    sync.Once
}

// mostWaiting is how many connections may wait to be accepted.
const mostWaiting = 1024

// Listen begins to listen. In the pauses its process stands still: its kernel goes on, but no call of the process
// returns, neither here nor at the connections that were accepted.
func (n *Network) Listen(address string, pauses ...Span) (*Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[address] != nil {
		return nil, &net.OpError{Op: "listen", Net: "mem", Addr: addr(address), Err: syscall.EADDRINUSE}
	}
	l := &Listener{
		network: n, address: address, pauses: pauses, backlog: make(chan *Conn, mostWaiting),
		closed: make(chan struct{}),
	}
	n.listeners[address] = l
	return l, nil
}

// offer puts a connection where Accept finds it; false: nobody listens any more.
func (l *Listener) offer(c *Conn) bool {
	select {
	case <-l.closed:
		return false
	default:
	}
	select {
	case l.backlog <- c:
		return true
	default:
		return false
	}
}

// Accept waits for a connection.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		select {
		case <-l.closed:
			return nil, &net.OpError{Op: "accept", Net: "mem", Addr: l.Addr(), Err: net.ErrClosed}
		case c := <-l.backlog:
			if s, paused := within(l.pauses, l.network.Now()); paused {
				l.network.until(l.closed, s.To)
			}
			return c, nil
		}
	}
}

// Addr is where it listens.
func (l *Listener) Addr() net.Addr { return addr(l.address) }

// Close ends listening. Connections that nobody has accepted are reset.
func (l *Listener) Close() error {
	l.once.Do(func() {
		l.network.mu.Lock()
		delete(l.network.listeners, l.address)
		l.network.mu.Unlock()
		close(l.closed)
		for {
			select {
			case c := <-l.backlog:
				c.pair.reset(AtOnce, AtOnce)
			default:
				return
			}
		}
	})
	return nil
}
