package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

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
	Handshake time.Duration // bound on a peer's proof; 0: a standard one
}

// Inbound is what the hub receives. Exactly one of Hello, Event, Alive, Broke, Bye and Step is set.
type Inbound struct {
	Task  roles.Task
	Hello *protocol.Hello // an agent attached for the first time
	Event *protocol.Event
	Alive bool // it gave a sign of life; reported at most about once a heartbeat
	Broke bool // its connection ended without a goodbye
	Back  bool // it connected again
	Bye   bool // it ended the conversation in good order
	Step  *protocol.StepReport
	// Fault comes with Broke: what was wrong with a message that it sent. It is refused from then on.
	Fault string
}

// Server is the hub's end of every agent's conversation.
type Server struct {
	opts     ServerOptions
	listener net.Listener
	inbound  *mailbox[Inbound]
	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup

	mu       sync.Mutex
	sessions map[roles.Task]*session
	pending  []net.Conn // that have not proved themselves yet, the oldest first
}

// session is the hub's side of one agent process.
type session struct {
	id       string
	conv     *conversation[protocol.Command, protocol.Event]
	hangUp   context.CancelFunc         // ends the open connection; nil if there is none
	local    *mailbox[protocol.Command] // of an agent in this process, instead of a conversation
	reported time.Time                  // when a sign of life was last reported
	ended    bool                       // said goodbye, counts as lost, or sent an invalid message
	fault    string                     // of that message
}

// handshakeBound is how long a peer may take to prove itself; maxPending is how many may be about to.
const (
	handshakeBound = 5 * time.Second
	maxPending     = 2048
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
		opts: opts, listener: l, ctx: ctx, cancel: cancel, inbound: newMailbox[Inbound](),
		sessions: map[roles.Task]*session{},
	}
	s.wg.Go(s.accept)
	return s, nil
}

// Address is where agents reach the hub.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Inbound delivers what agents say, in order for each of them.
func (s *Server) Inbound() <-chan Inbound { return s.inbound.out }

// Send queues a command for an agent. Nothing happens if it never attached.
func (s *Server) Send(t roles.Task, c protocol.Command) {
	s.mu.Lock()
	sess := s.sessions[t]
	s.mu.Unlock()
	switch {
	case sess == nil:
	case sess.local != nil:
		sess.local.put(c)
	default:
		sess.conv.out.push(c)
	}
}

// Drop ends the conversation with an agent that counts as lost. Should it come back it is refused; a new agent in its
// place is welcome.
func (s *Server) Drop(t roles.Task) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sess := s.sessions[t]; sess != nil && sess.local == nil {
		sess.ended = true
		if sess.hangUp != nil {
			sess.hangUp()
		}
	}
}

// Close ends every conversation. Agents take that as the hub being gone.
func (s *Server) Close() {
	s.cancel()
	_ = s.listener.Close()
	s.mu.Lock()
	for _, c := range s.pending {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
	s.inbound.close()
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			if s.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			select { // out of files, say: that may pass
			case <-s.ctx.Done():
				return
			case <-time.After(50 * time.Millisecond):
				continue
			}
		}
		s.wg.Go(func() { s.serve(conn) })
	}
}

// serve sees one connection through.
func (s *Server) serve(conn net.Conn) {
	defer conn.Close()
	s.begin(conn)
	w, err := receive(conn, s.opts.Token, s.opts.Handshake)
	s.proved(conn)
	switch {
	case err != nil: // a stranger learns nothing
	case w.Hello != nil:
		s.attach(conn, *w.Hello)
	case w.Step != nil:
		_ = writeFrame(conn, s.opts.Handshake, s.step(*w.Step))
	}
}

// begin notes a connection that has not proved itself. When too many have not, the oldest has to go.
func (s *Server) begin(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) >= maxPending {
		_ = s.pending[0].Close()
		s.pending = s.pending[1:]
	}
	s.pending = append(s.pending, conn)
	if s.ctx.Err() != nil {
		_ = conn.Close()
	}
}

func (s *Server) proved(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, c := range s.pending {
		if c == conn {
			s.pending = append(s.pending[:i], s.pending[i+1:]...)
			return
		}
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
func (s *Server) attach(conn net.Conn, hello protocol.Hello) {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	sess, fresh, rep := s.open(hello, cancel)
	if writeFrame(conn, s.opts.Handshake, rep) != nil || rep.Status != granted {
		if sess != nil {
			s.detach(hello.Task, sess, fresh, errors.New("the reply did not arrive"))
		}
		return
	}
	if fresh {
		s.inbound.put(Inbound{Task: hello.Task, Hello: &hello})
	} else {
		s.inbound.put(Inbound{Task: hello.Task, Back: true})
	}
	err := sess.conv.run(ctx, conn, s.opts.Heartbeat, func() { s.alive(hello.Task, sess) },
		func(e protocol.Event) error {
			if err := e.Validate(); err != nil {
				return invalidError{err}
			}
			s.inbound.put(Inbound{Task: hello.Task, Event: &e})
			return nil
		})
	s.detach(hello.Task, sess, false, err)
}

// open finds or begins the session of an agent. A task has one agent at a time, and an agent one connection: a newer
// one means that the older is broken, so the older is hung up and the agent asked to try again.
func (s *Server) open(h protocol.Hello, hangUp context.CancelFunc) (sess *session, fresh bool, r reply) {
	if err := h.Validate(); err != nil {
		return nil, false, reply{refused, err.Error()}
	}
	if h.RunID != s.opts.RunID || !s.opts.Expected(h.Task) {
		return nil, false, reply{refused, "it is of another attempt, or no task of the plan"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sess = s.sessions[h.Task]
	switch {
	case sess == nil || sess.ended && sess.id != h.Session:
		sess = &session{id: h.Session, conv: newConversation[protocol.Command, protocol.Event]()}
		s.sessions[h.Task], fresh = sess, true
	case sess.fault != "":
		return nil, false, reply{conflict, sess.fault}
	case sess.ended:
		return nil, false, reply{conflict, "it counts as lost"}
	case sess.id != h.Session || sess.local != nil:
		return nil, false, reply{conflict, "another agent runs " + h.Task.String()}
	case sess.hangUp != nil:
		sess.hangUp()
		return nil, false, reply{retry, "an older connection is being ended"}
	}
	sess.hangUp = hangUp
	return sess, fresh, reply{Status: granted}
}

// alive reports a sign of life, not more often than once in half a heartbeat.
func (s *Server) alive(t roles.Task, sess *session) {
	s.mu.Lock()
	now := time.Now()
	report := now.Sub(sess.reported) >= s.opts.Heartbeat/2
	if report {
		sess.reported = now
	}
	s.mu.Unlock()
	if report {
		s.inbound.put(Inbound{Task: t, Alive: true})
	}
}

// detach notes the end of a connection. An agent whose first connection broke before it knew that it was welcome is as
// if it had never come. One that sent an invalid message would send it again: it is not let in any more.
func (s *Server) detach(t roles.Task, sess *session, unannounced bool, err error) {
	s.mu.Lock()
	sess.hangUp = nil
	bye := errors.Is(err, errBye)
	report := !sess.ended && !unannounced && s.ctx.Err() == nil
	if invalid := (invalidError{}); errors.As(err, &invalid) {
		sess.fault = invalid.Error()
	}
	sess.ended = sess.ended || bye || sess.fault != ""
	in := Inbound{Task: t, Bye: bye, Broke: !bye, Fault: sess.fault}
	if unannounced && s.sessions[t] == sess {
		delete(s.sessions, t)
	}
	s.mu.Unlock()
	if report {
		s.inbound.put(in)
	}
}
