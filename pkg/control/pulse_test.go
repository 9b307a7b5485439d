package control_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/disagg/disagg/pkg/control"
)

// lane is one connection of an agent, over which nothing passes once it is jammed.
type lane struct {
	net.Conn
	jammed atomic.Bool
}

func (l *lane) jam() { l.jammed.Store(true) }

func (l *lane) Read(b []byte) (int, error) {
	for {
		if n, err := l.Conn.Read(b); err != nil || !l.jammed.Load() {
			return n, err
		}
	}
}

func (l *lane) Write(b []byte) (int, error) {
	if l.jammed.Load() {
		return len(b), nil
	}
	return l.Conn.Write(b)
}

// lanes dials for an agent, and keeps what it gets: the conversation first, then its pulse.
type lanes struct {
	network
	mu    sync.Mutex
	list  []*lane
	stuck map[int]bool // those that are jammed from the first
}

func (n *lanes) options() control.ClientOptions {
	o := n.network.options()
	o.Dial = func(ctx context.Context, address string) (net.Conn, error) {
		conn, err := n.Dial(ctx, n.link, address)
		if err != nil {
			return nil, err
		}
		l := &lane{Conn: conn}
		n.mu.Lock()
		defer n.mu.Unlock()
		l.jammed.Store(n.stuck[len(n.list)])
		n.list = append(n.list, l)
		return l, nil
	}
	return o
}

func (n *lanes) lane(i int) *lane {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.list[i]
}

func (n *lanes) dialled() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.list)
}

// quietFor is the longest time until the end in which a hub hears no sign of life.
func quietFor(s *control.Server, end time.Duration) (worst time.Duration) {
	last, timeout := time.Now(), time.After(end)
	for {
		select {
		case in := <-s.Inbound():
			if in.Alive {
				worst, last = max(worst, time.Since(last)), time.Now()
			}
		case <-timeout:
			return max(worst, time.Since(last))
		}
	}
}

// While the conversation is stuck its pulse is a sign of life in both directions, but not for ever.
func TestPulse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &lanes{network: newNetwork()}
		s := n.hub(t)
		c := dial(t, n.options())
		next(t, s)
		time.Sleep(3 * beat)
		n.lane(0).jam()
		const trust = 3 * lost
		if worst := quietFor(s, trust-beat); worst > 2*beat {
			t.Errorf("the hub hears nothing for %v", worst)
		}
		select {
		case <-c.Lost():
			t.Fatalf("the agent loses the hub: %v", c.Err())
		default:
		}
		if worst := quietFor(s, 2*lost); worst < lost {
			t.Errorf("the hub trusts a pulse without a conversation: silent for %v at most", worst)
		}
		synctest.Wait()
		select {
		case <-c.Lost():
		default:
			t.Error("the agent trusts a pulse without a conversation")
		}
	})
}

// A pulse that is stuck gets another connection, and so does one that broke.
func TestPulseComesBack(t *testing.T) {
	for name, end := range map[string]func(*lane){
		"stuck": (*lane).jam, "broken": func(l *lane) { _ = l.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &lanes{network: newNetwork()}
				s := n.hub(t)
				dial(t, n.options())
				next(t, s)
				time.Sleep(3 * beat)
				if got := n.dialled(); got != 2 {
					t.Fatalf("%d connections", got)
				}
				end(n.lane(1))
				time.Sleep(5 * beat)
				if got := n.dialled(); got < 3 || got > 2+pulseTries {
					t.Fatalf("%d connections", got)
				}
				n.lane(0).jam()
				if worst := quietFor(s, lost); worst > 2*beat {
					t.Errorf("the hub hears nothing for %v", worst)
				}
			})
		})
	}
}

// A new connection that gets stuck as well does not hold up the next.
func TestPulseTriesSeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &lanes{network: newNetwork(), stuck: map[int]bool{2: true, 3: true}}
		s := n.hub(t)
		dial(t, n.options())
		next(t, s)
		time.Sleep(3 * beat)
		n.lane(0).jam()
		n.lane(1).jam()
		if worst := quietFor(s, lost); worst > 4*beat {
			t.Errorf("the hub hears nothing for %v", worst)
		}
		time.Sleep(lost)
		if got := n.dialled(); got > 2+pulseTries+1 {
			t.Errorf("%d connections", got)
		}
	})
}

const pulseTries = 4 // at the same time

// The pulse of an agent that was given up ends with its conversation.
func TestPulseOfTheLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &lanes{network: newNetwork()}
		s := n.hub(t)
		dial(t, n.options())
		next(t, s)
		time.Sleep(3 * beat)
		s.Drop(gen0)
		synctest.Wait()
		for len(s.Inbound()) > 0 {
			<-s.Inbound()
		}
		if quiet := quietFor(s, lost); quiet < lost {
			t.Errorf("an agent that was given up still gives signs of life")
		}
	})
}
