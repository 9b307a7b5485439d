package control

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/disagg/disagg/pkg/roles"
)

const (
	attachPath  = "/v1/attach"
	stepPath    = "/v1/step"
	helloName   = "Disagg-Hello" // header that carries the Hello as JSON
	tokenScheme = "Bearer "
)

func helloHeader(h Hello, token string) http.Header {
	text, _ := json.Marshal(h)
	return http.Header{"Authorization": {tokenScheme + token}, helloName: {string(text)}}
}

// ServerOptions says whom the hub listens to.
type ServerOptions struct {
	Host      string // address to listen on; never every interface
	Token     string
	RunID     string
	Expected  func(roles.Task) bool // tells whether the plan has such a task
	Heartbeat time.Duration
	Lost      time.Duration // silence on an open connection for this long means lost
	Reconnect time.Duration // so long after its connection broke an agent must be back: most likely it was killed
}

// Server is the hub's end of every agent's conversation.
type Server struct {
	opts     ServerOptions
	listener net.Listener
	http     *http.Server
	inbound  *mailbox[Inbound]
	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup

	mu       sync.Mutex
	sessions map[roles.Task]*session
}

// session is the hub's side of one agent process.
type session struct {
	id       string
	conv     *conversation[Directive, Event]
	hangUp   context.CancelFunc  // ends the open connection; nil if there is none
	local    *mailbox[Directive] // of an agent in this process, instead of a conversation
	lastSeen time.Time
	ended    bool // said goodbye, or was lost
	stopping bool // was told to stop
	breaks   int  // how often its connection has ended
}

// Listen starts the hub's end on a free port.
func Listen(opts ServerOptions) (*Server, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(opts.Host, "0"))
	if err != nil {
		return nil, fmt.Errorf("cannot listen for agents: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{
		opts: opts, listener: l, ctx: ctx, cancel: cancel,
		inbound: newMailbox[Inbound](), sessions: map[roles.Task]*session{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+attachPath, s.attach)
	mux.HandleFunc("POST "+stepPath, s.stepFailed)
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: opts.Lost}
	s.wg.Go(func() { _ = s.http.Serve(l) })
	s.wg.Go(s.watch)
	return s, nil
}

// Address is where agents reach the hub.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Inbound delivers what agents say, in order for each of them.
func (s *Server) Inbound() <-chan Inbound { return s.inbound.out }

// Send queues a directive for an agent. Nothing happens if it never attached.
func (s *Server) Send(t roles.Task, d Directive) {
	s.mu.Lock()
	sess := s.sessions[t]
	if sess != nil && d.Kind == Stop {
		sess.stopping = true
		if sess.local == nil && sess.hangUp == nil {
			s.awaitReturn(t, sess)
		}
	}
	s.mu.Unlock()
	switch {
	case sess == nil:
	case sess.local != nil:
		sess.local.put(d)
	default:
		sess.conv.out.push(d)
	}
}

// Close ends every conversation. Agents take that as the hub being gone.
func (s *Server) Close() {
	s.cancel()
	_ = s.http.Close()
	s.wg.Wait()
	s.inbound.close()
}

// attach is the HTTP handler of one connection.
func (s *Server) attach(w http.ResponseWriter, r *http.Request) {
	hello, status := s.admit(r)
	if status != http.StatusOK {
		http.Error(w, http.StatusText(status), status)
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	sess, fresh, status := s.open(hello, cancel)
	if status != http.StatusOK {
		http.Error(w, http.StatusText(status), status)
		return
	}
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		s.detach(hello.Task, sess, nil)
		return
	}
	defer ws.CloseNow()
	if fresh {
		s.inbound.put(Inbound{Task: hello.Task, Hello: &hello})
	}
	err = sess.conv.run(ctx, ws, s.opts.Heartbeat, s.opts.Lost,
		func() { s.alive(sess) },
		func(e Event) { s.inbound.put(Inbound{Task: hello.Task, Event: &e}) })
	s.detach(hello.Task, sess, err)
}

// stepFailed is the HTTP handler of a report that a step never started.
func (s *Server) stepFailed(w http.ResponseWriter, r *http.Request) {
	var f StepFailure
	status := http.StatusNoContent
	switch {
	case !s.trusted(r):
		status = http.StatusUnauthorized
	case json.NewDecoder(io.LimitReader(r.Body, maxReport)).Decode(&f) != nil:
		status = http.StatusBadRequest
	case f.RunID != s.opts.RunID || !s.opts.Expected(roles.Task{Role: f.Role}):
		status = http.StatusForbidden
	default:
		s.inbound.put(Inbound{Task: roles.Task{Role: f.Role}, NoStep: f.Detail})
	}
	w.WriteHeader(status)
}

// maxReport bounds a report, in bytes.
const maxReport = 64 << 10

// trusted tells whether a request has the attempt's token.
func (s *Server) trusted(r *http.Request) bool {
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), tokenScheme)
	return ok && subtle.ConstantTimeCompare([]byte(given), []byte(s.opts.Token)) == 1
}

// admit checks who asks. It tells a stranger nothing but that it is one.
func (s *Server) admit(r *http.Request) (Hello, int) {
	if !s.trusted(r) {
		return Hello{}, http.StatusUnauthorized
	}
	var h Hello
	if err := json.Unmarshal([]byte(r.Header.Get(helloName)), &h); err != nil {
		return h, http.StatusBadRequest
	}
	if h.RunID != s.opts.RunID || h.Session == "" || !s.opts.Expected(h.Task) {
		return h, http.StatusForbidden
	}
	return h, http.StatusOK
}

// open finds or begins the session of an agent. A task has one agent at a time (409), and an agent one connection: a
// newer one means that the older is broken, so the older is hung up and the agent asked to try again (503).
func (s *Server) open(h Hello, hangUp context.CancelFunc) (sess *session, fresh bool, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sess = s.sessions[h.Task]
	switch {
	case sess == nil || sess.ended && sess.id != h.Session:
		sess = &session{id: h.Session, conv: newConversation[Directive, Event]()}
		s.sessions[h.Task], fresh = sess, true
	case sess.id != h.Session || sess.ended:
		return nil, false, http.StatusConflict
	case sess.hangUp != nil:
		sess.hangUp()
		return nil, false, http.StatusServiceUnavailable
	}
	sess.hangUp, sess.lastSeen = hangUp, time.Now()
	return sess, fresh, http.StatusOK
}

func (s *Server) alive(sess *session) {
	s.mu.Lock()
	sess.lastSeen = time.Now()
	s.mu.Unlock()
}

func (s *Server) detach(t roles.Task, sess *session, err error) {
	s.mu.Lock()
	sess.hangUp = nil
	sess.breaks++
	bye := errors.Is(err, errBye) && !sess.ended
	sess.ended = sess.ended || bye
	if !sess.ended {
		s.awaitReturn(t, sess)
	}
	s.mu.Unlock()
	if bye {
		s.inbound.put(Inbound{Task: t, Bye: true})
	}
}

// awaitReturn gives an agent whose connection broke up unless it comes back in time. One that was told to stop has most
// likely been ended by Slurm together with its step, and is waited for less. It must be called under s.mu.
func (s *Server) awaitReturn(t roles.Task, sess *session) {
	grace, breaks := s.opts.Reconnect, sess.breaks
	if sess.stopping {
		grace /= 8
	}
	time.AfterFunc(grace, func() {
		s.mu.Lock()
		gone := sess.hangUp == nil && sess.breaks == breaks && !sess.ended
		sess.ended = sess.ended || gone
		s.mu.Unlock()
		if gone && s.ctx.Err() == nil {
			s.inbound.put(Inbound{Task: t, Lost: fmt.Sprintf("its connection broke and was not back within %v", grace)})
		}
	})
}

// watch looks for agents that have been silent for too long.
func (s *Server) watch() {
	tick := time.NewTicker(s.opts.Heartbeat / 2)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
			for _, t := range s.silent() {
				s.inbound.put(Inbound{Task: t, Lost: fmt.Sprintf("no sign of life for %v", s.opts.Lost)})
			}
		}
	}
}

// silent lists the agents that are lost now, in the order of their names: those of one host fall silent together.
func (s *Server) silent() []roles.Task {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lost []roles.Task
	for t, sess := range s.sessions {
		if sess.local == nil && !sess.ended && time.Since(sess.lastSeen) > s.opts.Lost {
			sess.ended = true
			lost = append(lost, t)
		}
	}
	slices.SortFunc(lost, func(a, b roles.Task) int { return strings.Compare(a.String(), b.String()) })
	return lost
}
