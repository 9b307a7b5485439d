package control

import (
	"github.com/disagg/disagg/pkg/decide/session"
	"github.com/disagg/disagg/pkg/protocol"
)

// Link is an agent's side of the conversation.
type Link interface {
	// Send queues an event. It never blocks.
	Send(protocol.Event)
	// Commands delivers what the hub wants, each once and in order.
	Commands() <-chan protocol.Command
	// Lost is closed when the hub has been silent for too long, has ended, or refuses this agent.
	Lost() <-chan struct{}
	// Err tells why the hub is lost, once it is.
	Err() error
	// Close waits until every event has arrived, within a bound, and ends the conversation in good order.
	Close()
}

// localLink is the link of the agent that is the hub's own process.
type localLink struct {
	server *Server
	hello  protocol.Hello
	local  *mailbox[protocol.Command]
	lost   chan struct{} // never closed: the hub cannot be lost to itself
	clock  steady
}

var _ Link = (*localLink)(nil)

// Local attaches the agent that runs in the hub's own process.
func (s *Server) Local(h protocol.Hello) Link {
	clock := newSteady()
	h.Booted = clock.booted
	l := &localLink{
		server: s, hello: h, local: newMailbox[protocol.Command](), lost: make(chan struct{}), clock: clock,
	}
	s.mu.Lock()
	s.agents[h.Task] = &agent{session: session.Session{ID: h.Session, Local: true}, local: l.local}
	s.mu.Unlock()
	s.inbound.put(Inbound{Task: h.Task, Hello: &h})
	return l
}

func (l *localLink) Send(e protocol.Event) {
	e = l.clock.stamped(e)
	l.server.inbound.put(Inbound{Task: l.hello.Task, Event: &e})
}
func (l *localLink) Commands() <-chan protocol.Command { return l.local.out }
func (l *localLink) Lost() <-chan struct{}             { return l.lost }
func (l *localLink) Err() error                        { return nil }

// Close must be called once.
func (l *localLink) Close() {
	l.server.inbound.put(Inbound{Task: l.hello.Task, Bye: true})
	l.local.close()
}
