package control

import (
	"context"
	"hash/fnv"
	"net"
	"time"

	"github.com/disagg/disagg/pkg/decide/liveness"
	"github.com/disagg/disagg/pkg/protocol"
)

// The pulse is a second connection of each agent, which carries signs of life and nothing else. On one connection every
// sign of life waits for the packet that was lost before it, which the kernel sends again after twice as long each
// time: where a fifth of the packets is lost for 3 s, one of a thousand connections is silent for 4.5 s. Two of them
// seldom are.

const (
	// pulseQuiet is after how many heartbeats without a sign of life the pulse gets a new connection: a kernel that has
	// failed for some seconds waits for some more before it tries the old one again.
	pulseQuiet = 2
	// pulseTrust is for how many times the silence that means lost the pulse counts while the conversation itself is
	// silent: whoever can say nothing more is as good as lost.
	pulseTrust = 3
)

// quiet is a connection that breaks when nothing arrives for a while.
type quiet struct {
	net.Conn
	most time.Duration
}

func (q quiet) Read(b []byte) (int, error) {
	if err := q.SetReadDeadline(time.Now().Add(q.most)); err != nil {
		return 0, err
	}
	return q.Conn.Read(b)
}

// beats exchanges signs of life until that breaks. One of the sides only answers.
func beats(ctx context.Context, conn net.Conn, beat time.Duration, answers bool, alive func(sent time.Time)) error {
	c := newConversation[struct{}, struct{}]()
	c.answers = answers
	return c.run(ctx, quiet{conn, pulseQuiet * beat}, beat, alive, func(struct{}) error { return nil })
}

// pulse keeps the agent's pulse up, from when the hub has let it in until the context ends. It beats between the
// heartbeats of the conversation.
func (c *Client) pulse(ctx context.Context, hub string) {
	select {
	case <-c.attached:
	case <-ctx.Done():
	}
	seed := fnv.New64a()
	_, _ = seed.Write([]byte("pulse " + c.opts.Hello.Session))
	redial := liveness.Redial{First: c.opts.Heartbeat / 2, Most: c.opts.Heartbeat / 2, Seed: seed.Sum64()}
	for wait(ctx, redial.Next()) {
		c.pulseOnce(ctx, hub)
	}
}

func (c *Client) pulseOnce(ctx context.Context, hub string) {
	dialCtx, cancel := context.WithTimeout(ctx, c.opts.Heartbeat)
	defer cancel()
	conn, err := c.opts.Dial(dialCtx, hub)
	if err != nil {
		return
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	r, err := ask(conn, c.opts.Token, wish{Hello: &c.opts.Hello, Pulse: true}, pulseQuiet*c.opts.Heartbeat)
	if err == nil && r.Status == granted {
		_ = beats(ctx, conn, c.opts.Heartbeat, false, func(time.Time) { c.pulseHeard() })
	}
}

// pulseHeard takes a sign of life from the pulse.
func (c *Client) pulseHeard() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.heard) < pulseTrust*c.opts.Lost {
		c.silence.Heard(now)
	}
}

// pulse is the hub's side of an agent's pulse.
func (s *Server) pulse(conn net.Conn, h protocol.Hello) {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	a := s.pulseOf(h, cancel)
	if a == nil {
		_ = writeFrame(conn, s.opts.Handshake, reply{retry, "it has no conversation"})
		return
	}
	if writeFrame(conn, s.opts.Handshake, reply{Status: granted}) != nil {
		return
	}
	_ = beats(ctx, conn, s.opts.Heartbeat, true, func(sent time.Time) {
		if s.trusted(a) {
			s.alive(h.Task, a, sent)
		}
	})
}

// pulseOf is the agent whose pulse this is, if its conversation has not ended. A newer one means that the older is
// broken.
func (s *Server) pulseOf(h protocol.Hello, hangUp context.CancelFunc) *agent {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.agents[h.Task]
	if a == nil || a.session.ID != h.Session || a.session.Ended || h.RunID != s.opts.RunID {
		return nil
	}
	a.endPulse()
	a.hangUpPulse = hangUp
	return a
}

// trusted tells whether a pulse counts.
func (s *Server) trusted(a *agent) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(a.heard) < pulseTrust*s.opts.Lost && a.session.Connected
}

// endPulse ends the pulse of an agent, if it has one.
func (a *agent) endPulse() {
	if a.hangUpPulse != nil {
		a.hangUpPulse()
		a.hangUpPulse = nil
	}
}
