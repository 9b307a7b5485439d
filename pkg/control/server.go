package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/disagg/disagg/pkg/decide/liveness"
	"github.com/disagg/disagg/pkg/decide/session"
	"github.com/disagg/disagg/pkg/door"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// ServerOptions says whom the hub listens to.
type ServerOptions struct {
	Host      string       // address to listen on; never every interface
	Listener  net.Listener // nil: a free port on Host
	Token     string
	RunID     string
	Expected  func(roles.Task) bool // tells whether the plan has such a task
	Heartbeat time.Duration
	Lost      time.Duration // silence of an agent for this long means lost
	Handshake time.Duration // bound on a peer's proof; 0: a standard one
}

// Inbound is what the hub receives. Exactly one of Hello, Event, Alive, Broke, Bye and Step is set.
type Inbound struct {
	Task  roles.Task
	Hello *protocol.Hello // an agent attached for the first time
	Event *protocol.Event
	Alive bool // it gave a sign of life; not each is reported
	// Sent comes with Alive: when that was given, by the agent's clock; zero: it is not known.
	Sent  time.Time
	Broke bool // its connection ended without a goodbye
	Back  bool // it connected again
	Bye   bool // it ended the conversation in good order
	Step  *protocol.StepReport
	// Fault comes with Broke: what was wrong with a message that it sent. It is refused from then on.
	Fault string
	// GaveUp comes with Broke: it has heard nothing from the hub for too long, and does not come back.
	GaveUp bool
}

// Server is the hub's end of every agent's conversation.
type Server struct {
	opts    ServerOptions
	door    *door.Door
	inbound *mailbox[Inbound]
	ctx     context.Context // ends every conversation
	cancel  context.CancelFunc

	mu     sync.Mutex
	agents map[roles.Task]*agent
}

// agent is the hub's side of one agent process.
type agent struct {
	session session.Session
	conv    *conversation[protocol.Command, protocol.Event]
	local   *mailbox[protocol.Command] // of an agent in this process, instead of a conversation
	signs   liveness.Sampler           // of life: which are reported
	heard   time.Time                  // when the conversation last gave one

	hangUp      context.CancelFunc // ends the open connection; nil if there is none
	hangUpPulse context.CancelFunc
}

// handshakeBound is how long a peer may take to prove itself; maxStrangers is how many may be about to.
const (
	handshakeBound = 5 * time.Second
	maxStrangers   = 2048
)

// Listen starts the hub's end.
func Listen(opts ServerOptions) (*Server, error) {
	l := opts.Listener
	if l == nil {
		var err error
		if l, err = net.Listen("tcp", net.JoinHostPort(opts.Host, "0")); err != nil {
			return nil, fmt.Errorf("cannot listen for agents: %w", err)
		}
	}
	if opts.Handshake == 0 {
		opts.Handshake = handshakeBound
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{
		opts: opts, ctx: ctx, cancel: cancel, inbound: newMailbox[Inbound](), agents: map[roles.Task]*agent{},
	}
	s.door = door.Open(l, maxStrangers, s.serve)
	return s, nil
}

// Address is where agents reach the hub.
func (s *Server) Address() string { return s.door.Address() }

// Inbound delivers what agents say, in order for each of them.
func (s *Server) Inbound() <-chan Inbound { return s.inbound.out }

// Send queues a command for an agent. Nothing happens if it never attached.
func (s *Server) Send(t roles.Task, c protocol.Command) {
	s.mu.Lock()
	a := s.agents[t]
	if a != nil {
		a.signs.Next() // the answer shows that the agent was there when it was told
	}
	s.mu.Unlock()
	switch {
	case a == nil:
	case a.local != nil:
		a.local.put(c)
	default:
		a.conv.push(c)
	}
}

// Drop ends the conversation with an agent that counts as lost. Should it come back it is refused; a new agent in its
// place is welcome.
func (s *Server) Drop(t roles.Task) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.agents[t]; a != nil && !a.session.Local {
		a.session.Ended = true
		a.endPulse()
		if a.hangUp != nil {
			a.hangUp()
		}
	}
}

// Close ends every conversation. Agents take that as the hub being gone.
func (s *Server) Close() {
	s.cancel()
	s.door.Close()
	s.inbound.close()
}

// serve sees one connection through.
func (s *Server) serve(conn net.Conn, letThrough func()) {
	w, err := receive(conn, s.opts.Token, s.opts.Handshake)
	letThrough()
	switch {
	case err != nil: // a stranger learns nothing
	case w.Hello != nil && w.Pulse:
		s.pulse(conn, *w.Hello)
	case w.Hello != nil:
		s.attach(conn, *w.Hello, w.Begun)
	case w.Step != nil:
		_ = writeFrame(conn, s.opts.Handshake, s.step(*w.Step))
	}
}

// step takes a report about a step.
func (s *Server) step(r protocol.StepReport) reply {
	if err := r.Validate(); err != nil {
		return reply{refused, err.Error()}
	}
	task := roles.Task{Role: r.Role}
	if r.RunID != s.opts.RunID || !s.opts.Expected(task) {
		return reply{refused, "it is of another attempt, or of no role of the plan"}
	}
	s.inbound.put(Inbound{Task: task, Step: &r})
	return reply{Status: granted}
}

// attach talks with an agent over one connection.
func (s *Server) attach(conn net.Conn, hello protocol.Hello, begun bool) {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	a, how, rep := s.admit(hello, begun, cancel)
	if a == nil {
		_ = writeFrame(conn, s.opts.Handshake, rep)
		return
	}
	if writeFrame(conn, s.opts.Handshake, rep) != nil {
		end := session.NotBack
		if how == session.Welcome {
			end = session.Unheard
		}
		s.detach(hello.Task, a, end, "")
		return
	}
	if how == session.Welcome {
		s.inbound.put(Inbound{Task: hello.Task, Hello: &hello})
	} else {
		s.inbound.put(Inbound{Task: hello.Task, Back: true})
	}
	err := a.conv.run(ctx, conn, s.opts.Heartbeat, func(sent time.Time) { s.heard(hello.Task, a, sent) },
		func(e protocol.Event) error {
			if err := e.Validate(); err != nil {
				return invalidError{err}
			}
			s.inbound.put(Inbound{Task: hello.Task, Event: &e})
			return nil
		})
	invalid := invalidError{}
	switch {
	case errors.As(err, &invalid):
		s.detach(hello.Task, a, session.Invalid, invalid.Error())
	case errors.Is(err, errBye):
		s.detach(hello.Task, a, session.Goodbye, "")
	case errors.Is(err, errGaveUp):
		s.detach(hello.Task, a, session.GaveUp, "")
	default:
		s.detach(hello.Task, a, session.Broke, "")
	}
}

// admit lets an agent in, or says why not.
func (s *Server) admit(h protocol.Hello, begun bool, hangUp context.CancelFunc) (*agent, session.Answer, reply) {
	if err := h.Validate(); err != nil {
		return nil, session.Refused, reply{refused, err.Error()}
	}
	if h.RunID != s.opts.RunID || !s.opts.Expected(h.Task) {
		return nil, session.Refused, reply{refused, "it is of another attempt, or no task of the plan"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.agents[h.Task]
	var state session.Session
	if a != nil {
		state = a.session
	}
	answer, why := state.Admit(h, begun)
	switch answer {
	case session.Refused:
		return nil, answer, reply{conflict, why}
	case session.Retry:
		a.hangUp()
		return nil, answer, reply{retry, why}
	case session.Welcome: // the connection of the one before it may still be open
		a = &agent{
			conv:  newConversation[protocol.Command, protocol.Event](newSteady()),
			signs: liveness.Sampler{Beat: s.opts.Heartbeat},
		}
		a.conv.answers = true
		s.agents[h.Task] = a
	}
	a.session, a.hangUp, a.heard = state, hangUp, time.Now()
	return a, answer, reply{Status: granted}
}

// heard takes a sign of life from the conversation itself.
func (s *Server) heard(t roles.Task, a *agent, sent time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.heard = time.Now()
	s.alive(t, a, sent)
}

// alive reports a sign of life, if it is one of those that tell when an agent was last there; the first after each
// command is. It is called under the lock, as detach tells of the end of a connection: none is told after that.
func (s *Server) alive(t roles.Task, a *agent, sent time.Time) {
	if a.signs.Takes(sent, time.Now()) {
		s.inbound.put(Inbound{Task: t, Alive: true, Sent: sent})
	}
}

// detach notes the end of a connection. It is told under the lock: the agent's next connection may be waiting for it.
func (s *Server) detach(t roles.Task, a *agent, e session.End, fault string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.hangUp = nil
	tell := a.session.Disconnected(e, fault)
	if a.session.Ended || a.session.ID == "" {
		a.endPulse()
	}
	if tell && s.ctx.Err() == nil {
		s.inbound.put(Inbound{
			Task: t, Bye: e == session.Goodbye, Broke: e != session.Goodbye, Fault: fault, GaveUp: e == session.GaveUp,
		})
	}
}
