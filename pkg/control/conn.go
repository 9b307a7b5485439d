package control

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/disagg/disagg/pkg/decide/session"
)

var errBye = errors.New("the other side ended the conversation")

// invalidError says that the other side sent a message that it may not send. It would send that again over the next
// connection, so the conversation is over.
type invalidError struct{ error }

func (e invalidError) Unwrap() error { return e.error }

// conversation moves messages over one connection after another: Out leaves, In arrives.
type conversation[Out, In any] struct {
	mu    sync.Mutex
	state session.Conversation[Out, In]

	changed   chan struct{} // holds one token whenever there may be something new to send
	delivered chan struct{} // holds one token whenever everything has arrived
	bye       chan struct{} // closed when this side wants to end
}

func newConversation[Out, In any]() *conversation[Out, In] {
	return &conversation[Out, In]{
		changed: make(chan struct{}, 1), delivered: make(chan struct{}, 1), bye: make(chan struct{}),
	}
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// push queues a message. It never blocks.
func (c *conversation[Out, In]) push(body Out) {
	c.mu.Lock()
	c.state.Push(body)
	c.mu.Unlock()
	notify(c.changed)
}

// allDelivered tells whether everything that was pushed has arrived.
func (c *conversation[Out, In]) allDelivered() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.Delivered()
}

// begun tells whether anything that either side said has arrived.
func (c *conversation[Out, In]) begun() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.Begun()
}

// leaving tells whether this side has said, or is about to say, goodbye.
func (c *conversation[Out, In]) leaving() bool {
	select {
	case <-c.bye:
		return true
	default:
		return false
	}
}

// run talks over one connection until it breaks, the context ends or one side says goodbye. Every arrival, heartbeats
// included, is reported to alive; messages go to deliver, whose error ends the connection.
func (c *conversation[Out, In]) run(ctx context.Context, conn net.Conn, beat time.Duration, alive func(),
	deliver func(In) error) error {
	c.mu.Lock()
	c.state.Connected()
	c.mu.Unlock()
	g, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	g.Go(func() error { return c.write(ctx, conn, beat) })
	g.Go(func() error { return c.read(conn, alive, deliver) })
	return g.Wait()
}

func (c *conversation[Out, In]) read(conn io.Reader, alive func(), deliver func(In) error) error {
	for {
		var f session.Frame[In]
		if err := readFrame(conn, maxFrame, &f); err != nil {
			return err
		}
		alive()
		for _, m := range c.take(f) {
			if err := deliver(m); err != nil {
				return err
			}
		}
		if len(f.Items) > 0 {
			notify(c.changed) // an acknowledgement is due
		}
		if f.Bye {
			return errBye
		}
	}
}

func (c *conversation[Out, In]) take(f session.Frame[In]) []In {
	c.mu.Lock()
	defer c.mu.Unlock()
	fresh := c.state.Take(f)
	if c.state.Delivered() {
		notify(c.delivered)
	}
	return fresh
}

func (c *conversation[Out, In]) frame(bye bool) session.Frame[Out] {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.state.Frame()
	f.Bye = bye
	return f
}

func (c *conversation[Out, In]) write(ctx context.Context, conn net.Conn, beat time.Duration) error {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	timeout := beat + time.Second
	for {
		if err := writeFrame(conn, timeout, c.frame(false)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.bye:
			// The other side closes once it has read this. Closing first could discard it on the way.
			if err := writeFrame(conn, timeout, c.frame(true)); err != nil {
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		case <-c.changed:
		case <-ticker.C:
		}
	}
}
