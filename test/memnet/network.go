package memnet

import (
	"context"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Network is what listeners and links belong to.
type Network struct {
	seed  uint64
	start time.Time

	mu        sync.Mutex
	listeners map[string]*Listener
	dials     uint64
}

// New begins a network.
func New(seed uint64) *Network {
	return &Network{seed: seed, start: time.Now(), listeners: map[string]*Listener{}}
}

// Now is the time since the network began.
func (n *Network) Now() time.Duration { return time.Since(n.start) }

func (n *Network) listener(address string) *Listener {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.listeners[address]
}

// rng is what one connection draws from, in one direction.
func (n *Network) rng(connection, direction uint64) *rand.Rand {
	return rand.New(rand.NewPCG(n.seed, connection<<1|direction)) //nolint:gosec // no secret
}

// Link is how one client reaches listeners. It must not be changed once it is used.
type Link struct {
	Name     string // the remote address that a listener sees
	Up, Down Way    // towards the listener, and back
	// Window is how many bytes may be under way in each direction before a write waits.
	Window int
	// Packet is the largest packet, and Piece the most that one read returns, in bytes; 0: any size. Large writes and
	// reads are cut into a bounded number of them.
	Packet, Piece int
	// Stalls are when the client reads nothing.
	Stalls []Span

	mu    sync.Mutex
	dead  bool
	pairs []*pair
}

// Tell says how an end of a connection learns that it was reset.
type Tell int

// The ways to learn of a reset.
const (
	AtOnce   Tell = iota
	OnWrite       // the other end's kernel says so when something is sent to it
	NotAtAll      // whoever was between the two has forgotten the connection
)

// Reset breaks every connection of the link.
func (l *Link) Reset(client, listener Tell) {
	l.mu.Lock()
	pairs := l.pairs
	l.pairs = nil
	l.mu.Unlock()
	for _, p := range pairs {
		p.reset(client, listener)
	}
}

// Kill ends the client: the kernel closes its connections, and it makes no other.
func (l *Link) Kill() {
	l.mu.Lock()
	l.dead = true
	l.mu.Unlock()
	l.Reset(AtOnce, AtOnce)
}

// add notes a connection, unless the client has ended.
func (l *Link) add(p *pair) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.dead {
		l.pairs = append(l.pairs, p)
	}
	return !l.dead
}

// firstSyn is how long a client waits for the answer to its first packet before it sends another. The pause doubles.
const firstSyn = time.Second

// Dial connects to a listener.
func (n *Network) Dial(ctx context.Context, link *Link, address string) (net.Conn, error) {
	n.mu.Lock()
	n.dials++
	number := n.dials
	n.mu.Unlock()
	up := passage{way: &link.Up, rng: n.rng(number, 0)}
	down := passage{way: &link.Down, rng: n.rng(number, 1)}
	fail := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "mem", Addr: addr(address), Err: err}
	}
	for pause := firstSyn; ; pause *= 2 {
		sent := n.Now()
		there, arrives := up.passes(sent)
		back, returns := down.passes(there)
		if arrives {
			if err := n.sleep(ctx, there); err != nil {
				return fail(err)
			}
			l := n.listener(address)
			if l == nil && returns {
				if err := n.sleep(ctx, back); err != nil {
					return fail(err)
				}
				return fail(os.NewSyscallError("connect", syscall.ECONNREFUSED))
			}
			if l != nil && returns {
				return n.connect(ctx, link, l, back, newPair(n, link, l, up, down))
			}
		}
		if err := n.sleep(ctx, sent+pause); err != nil {
			return fail(err)
		}
	}
}

// connect hands a connection to the listener, and returns it to the client when that has heard of it.
func (n *Network) connect(ctx context.Context, link *Link, l *Listener, back time.Duration, p *pair) (net.Conn, error) {
	var err error
	switch {
	case !link.add(p):
		err = syscall.ENETDOWN
	case !l.offer(p.ends[1]):
		err = os.NewSyscallError("connect", syscall.ECONNREFUSED)
	default:
		if err = n.sleep(ctx, back); err != nil {
			_ = p.ends[0].Close()
		}
	}
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "mem", Addr: l.Addr(), Err: err}
	}
	return p.ends[0], nil
}

// sleep waits until a moment of the network.
func (n *Network) sleep(ctx context.Context, until time.Duration) error {
	timer := time.NewTimer(until - n.Now())
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// until waits until a moment of the network, or until something is closed.
func (n *Network) until(closed <-chan struct{}, at time.Duration) {
	timer := time.NewTimer(at - n.Now())
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-closed:
	}
}
