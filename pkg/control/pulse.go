package control

import (
	"context"
	"hash/fnv"
	"net"
	"sync"
	"time"

	"github.com/disagg/disagg/pkg/decide/liveness"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
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
func beats(ctx context.Context, conn net.Conn, clock steady, beat, most time.Duration, answers bool,
	alive func(sent time.Time)) error {
	c := newConversation[struct{}, struct{}](clock)
	c.answers = answers
	return c.run(ctx, quiet{conn, most}, beat, alive, func(struct{}) error { return nil })
}

// pulse is the agent's side of its pulse.
type pulse struct {
	client *Client
	hub    string
	broke  chan struct{} // holds one token if the pulse has broken

	mu      sync.Mutex
	policy  liveness.Pulse
	begun   int                        // how many connections were tried
	current int                        // the number of the one that it has
	open    map[int]context.CancelFunc // ends that one, and those that the hub has not let in yet, by number
}

// pulse keeps the agent's pulse up, from when the hub has let it in until the context ends.
func (c *Client) pulse(ctx context.Context, hub string) {
	select {
	case <-c.attached:
	case <-ctx.Done():
	}
	seed := fnv.New64a()
	_, _ = seed.Write([]byte("pulse " + c.opts.Hello.Session))
	redial := liveness.Redial{First: c.opts.Heartbeat / 2, Most: c.opts.Heartbeat / 2, Seed: seed.Sum64()}
	p := &pulse{
		client: c, hub: hub, broke: make(chan struct{}, 1), open: map[int]context.CancelFunc{},
		policy: liveness.Pulse{Beat: c.opts.Heartbeat},
	}
	var running sync.WaitGroup
	defer running.Wait()
	for pause := redial.Next(); wait(ctx, pause, p.broke); {
		if pause = p.quietIn(); pause > 0 {
			continue
		}
		p.begin(ctx, &running)
		pause = redial.Next()
	}
}

// quietIn is the time until the pulse will have been quiet for too long if it goes on.
func (p *pulse) quietIn() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.policy.QuietIn(time.Now())
}

// begin tries one more connection, unless enough are being tried.
func (p *pulse) begin(ctx context.Context, running *sync.WaitGroup) {
	p.mu.Lock()
	defer p.mu.Unlock()
	tries := len(p.open)
	if p.open[p.current] != nil {
		tries--
	}
	if tries >= p.policy.Tries(p.client.quietFor()) {
		return
	}
	p.begun++
	n := p.begun
	ctx, p.open[n] = context.WithCancel(ctx)
	running.Go(func() {
		defer p.ended(n)
		if conn, err := p.connect(ctx); err == nil {
			defer conn.Close()
			p.letIn(n)
			opts := p.client.opts
			_ = beats(ctx, conn, p.client.conv.clock, opts.Heartbeat, opts.Lost, false, func(time.Time) { p.hears(n) })
		}
	})
}

// letIn takes a connection for the pulse's, in place of the last one and of all that are still being tried.
func (p *pulse) letIn(n int) {
	p.mu.Lock()
	p.current = n
	p.policy.Heard(time.Now())
	for other, hangUp := range p.open {
		if other != n {
			hangUp()
		}
	}
	p.mu.Unlock()
}

func (p *pulse) hears(n int) {
	p.mu.Lock()
	if p.current == n {
		p.policy.Heard(time.Now())
	}
	p.mu.Unlock()
	p.client.pulseHeard()
}

func (p *pulse) ended(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[n]()
	delete(p.open, n)
	if p.current == n {
		p.policy.Broke()
		notify(p.broke)
	}
}

func (p *pulse) connect(ctx context.Context) (net.Conn, error) {
	opts := p.client.opts
	bound := p.policy.Quiet()
	dialCtx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	conn, err := opts.Dial(dialCtx, p.hub)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	hello := opts.Hello
	hello.At = p.client.conv.clock.now()
	r, err := ask(conn, opts.Token, wish{Hello: &hello, Pulse: true}, bound)
	if err == nil && r.Status != granted {
		err = errRefused
	}
	if err != nil {
		_ = conn.Close()
	}
	return conn, err
}

// quietFor is how long the conversation has given no sign of life.
func (c *Client) quietFor() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.heard)
}

// pulseHeard takes a sign of life from the pulse.
func (c *Client) pulseHeard() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); liveness.Trusts(now.Sub(c.heard), c.opts.Lost) {
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
	s.pulseHeard(h.Task, a, h.At) // it has proved itself: that is a sign of life
	_ = beats(ctx, conn, a.conv.clock, s.opts.Heartbeat, s.opts.Lost, true, func(sent time.Time) {
		s.pulseHeard(h.Task, a, sent)
	})
}

// pulseOf is the agent whose pulse this is, if its conversation has not ended. A newer one means that the older is
// broken.
func (s *Server) pulseOf(h protocol.Hello, hangUp context.CancelFunc) *agent {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.agents[h.Task]
	if a == nil || a.conv == nil || a.session.ID != h.Session || a.session.Ended || h.RunID != s.opts.RunID {
		return nil
	}
	a.endPulse()
	a.hangUpPulse = hangUp
	return a
}

// pulseHeard takes a sign of life from an agent's pulse, if that counts.
func (s *Server) pulseHeard(t roles.Task, a *agent, sent time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.session.Connected && liveness.Trusts(time.Since(a.heard), s.opts.Lost) {
		s.alive(t, a, sent)
	}
}

// endPulse ends the pulse of an agent, if it has one.
func (a *agent) endPulse() {
	if a.hangUpPulse != nil {
		a.hangUpPulse()
		a.hangUpPulse = nil
	}
}
