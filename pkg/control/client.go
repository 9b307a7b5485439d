package control

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/disagg/disagg/pkg/decide/liveness"
	"github.com/disagg/disagg/pkg/protocol"
)

// ClientOptions says whom an agent talks to, and as whom.
type ClientOptions struct {
	// Find blocks until the hub's address (host:port) is known. An error means that there will be no hub.
	Find func(context.Context) (string, error)
	// Dial connects; nil: over TCP.
	Dial      func(ctx context.Context, address string) (net.Conn, error)
	Token     string
	Hello     protocol.Hello
	Heartbeat time.Duration
	Lost      time.Duration // silence of the hub for this long means lost
	CloseWait time.Duration // how long Close waits for the last events to arrive
}

// Client is an agent's link over the network.
type Client struct {
	opts      ClientOptions
	conv      *conversation[protocol.Event, protocol.Command]
	commands  *mailbox[protocol.Command]
	found     chan struct{} // closed when the hub's address is known
	attached  chan struct{} // closed when the hub has let this agent in for the first time
	attach    func()        // closes it
	lost      chan struct{}
	done      chan struct{}
	cancel    context.CancelFunc
	closeOnce sync.Once

	mu      sync.Mutex
	clock   liveness.Clock
	silence liveness.Silence
	heard   time.Time // when the conversation last gave a sign of life
	err     error
}

var _ Link = (*Client)(nil)

// Dial begins the conversation. It returns at once: events may be sent before the hub is found.
func Dial(opts ClientOptions) *Client {
	if opts.Dial == nil {
		opts.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", address)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &Client{
		opts: opts, conv: newConversation[protocol.Event, protocol.Command](newSteady()),
		commands: newMailbox[protocol.Command](), found: make(chan struct{}), attached: make(chan struct{}),
		lost: make(chan struct{}), done: make(chan struct{}), cancel: cancel,
		clock: liveness.Clock{Beat: opts.Heartbeat}, silence: liveness.Silence{Limit: opts.Lost},
	}
	c.attach = sync.OnceFunc(func() { close(c.attached) })
	go func() {
		defer close(c.done)
		defer close(c.lost)
		err := c.converse(ctx)
		if ctx.Err() != nil {
			err = nil // this agent left by itself
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.err = err
	}()
	return c
}

// Err tells why the hub is lost, once it is.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Send queues an event.
func (c *Client) Send(e protocol.Event) { c.conv.push(c.conv.clock.stamped(e)) }

// Commands delivers what the hub wants.
func (c *Client) Commands() <-chan protocol.Command { return c.commands.out }

// Lost is closed when the hub has been silent for too long, refuses this agent or sends what it may not.
func (c *Client) Lost() <-chan struct{} { return c.lost }

// Close waits until every event has arrived, at most CloseWait, says goodbye and ends. While there is no hub it ends at
// once.
func (c *Client) Close() {
	c.closeOnce.Do(func() {
		select {
		case <-c.found:
		default:
			c.cancel()
		}
		deadline := time.NewTimer(c.opts.CloseWait)
		defer deadline.Stop()
		c.flush(deadline.C)
		close(c.conv.bye)
		patience := time.NewTimer(c.opts.Heartbeat)
		defer patience.Stop()
		select {
		case <-c.done:
		case <-patience.C:
		}
		c.cancel()
		<-c.done
		c.commands.close()
	})
}

func (c *Client) flush(deadline <-chan time.Time) {
	for !c.conv.allDelivered() {
		select {
		case <-c.conv.delivered:
		case <-c.lost:
			return
		case <-deadline:
			return
		}
	}
}

func (c *Client) alive() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard = time.Now()
	c.silence.Heard(c.heard)
}

// silent takes the time, and tells whether the hub has been silent for too long.
func (c *Client) silent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if missed := c.clock.Tick(now); missed > 0 {
		c.silence.Missed(missed)
	}
	return c.silence.Lost(now)
}

var (
	// errRefused means that the hub does not want this agent: trying again is of no use.
	errRefused = errors.New("refused by the hub")
	errSilent  = errors.New("the hub is silent")
)

// Pauses between tries to connect.
const (
	redialFirst = 10 * time.Millisecond
	redialMost  = 500 * time.Millisecond
)

// converse connects, and connects again after a break, until the conversation ends or the hub is lost.
func (c *Client) converse(ctx context.Context) error {
	hub, err := c.opts.Find(ctx)
	if err != nil {
		return err
	}
	close(c.found)
	c.alive()
	c.silent() // from now on a pause of this process is noticed
	ctx, cancel := context.WithCancelCause(ctx)
	var others sync.WaitGroup
	defer others.Wait()
	defer cancel(nil)
	others.Go(func() { c.listen(ctx, cancel) })
	others.Go(func() { c.pulse(ctx, hub) })
	seed := fnv.New64a()
	_, _ = seed.Write([]byte(c.opts.Hello.Session))
	redial := liveness.Redial{First: redialFirst, Most: redialMost, Seed: seed.Sum64()}
	var last error // of a connection that was not given up from here
	for {
		worked, err := c.connectOnce(ctx, hub)
		if last == nil || ctx.Err() == nil {
			last = err
		}
		if worked {
			redial.Reset()
		}
		switch {
		case c.conv.left() && heard(err):
			return nil
		case errors.Is(context.Cause(ctx), errSilent):
			return fmt.Errorf("%s for %v: %w", protocol.NoSignOfLife, c.opts.Lost, last)
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errRefused), errors.As(err, new(invalidError)):
			return err
		case errors.Is(err, syscall.ECONNREFUSED): // the hub's port is its own: nobody listens there once it has ended
			return fmt.Errorf("the hub has ended: %w", err)
		}
		wait(ctx, redial.Next(), nil)
	}
}

// wait pauses, less if something happens earlier (nil: nothing does), and tells whether to go on.
func wait(ctx context.Context, d time.Duration, earlier <-chan struct{}) bool {
	pause := time.NewTimer(d)
	defer pause.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-pause.C:
	case <-earlier:
	}
	return true
}

// heard tells whether the hub knows of a goodbye: it closes the connection then, and lets nobody in who has said it.
func heard(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, errRefused) }

// listen ends the conversation when the hub has been silent for too long.
func (c *Client) listen(ctx context.Context, end context.CancelCauseFunc) {
	ticker := time.NewTicker(c.opts.Heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if c.silent() && (c.conv.sayGaveUp(ctx, c.silent, c.opts.Heartbeat/4) || c.silent()) {
				end(errSilent)
				return
			}
		}
	}
}

// connectOnce talks over one connection until it ends; worked tells whether there was one.
func (c *Client) connectOnce(ctx context.Context, hub string) (worked bool, err error) {
	bound := c.opts.Lost / 2 // a try that hangs must leave time for another
	dialCtx, cancelDial := context.WithTimeout(ctx, bound)
	defer cancelDial()
	conn, err := c.opts.Dial(dialCtx, hub)
	if err != nil && dialCtx.Err() != nil {
		return false, fmt.Errorf("cannot reach the hub at %s: nobody answers there", hub)
	}
	if err != nil {
		return false, fmt.Errorf("cannot reach the hub at %s: %w", hub, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	hello := c.opts.Hello
	hello.At, hello.Booted = c.conv.clock.now(), c.conv.clock.booted
	r, err := ask(conn, c.opts.Token, wish{Hello: &hello, Begun: c.conv.begun()}, bound)
	switch {
	case errors.Is(err, errStranger):
		return false, fmt.Errorf("cannot reach the hub at %s: somebody else answers there: %w", hub, err)
	case err != nil:
		return false, fmt.Errorf("cannot reach the hub at %s: %w", hub, err)
	case r.Status == refused || r.Status == conflict:
		return false, fmt.Errorf("%w: %s", errRefused, r.Reason)
	case r.Status != granted:
		return false, fmt.Errorf("cannot reach the hub at %s: %s", hub, r.Reason)
	}
	c.alive()
	c.attach()
	return true, c.conv.run(ctx, conn, c.opts.Heartbeat, func(time.Time) { c.alive() }, c.receive)
}

// receive takes a command. One that is invalid ends the conversation: the hub is of another version, or none.
func (c *Client) receive(cmd protocol.Command) error {
	if err := cmd.Validate(); err != nil {
		return invalidError{err}
	}
	c.commands.put(cmd)
	return nil
}
