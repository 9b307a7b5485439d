package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/disagg/disagg/pkg/decide/session"
)

var (
	errBye    = errors.New("the other side ended the conversation")
	errGaveUp = errors.New("the other side has heard nothing for too long")
)

// invalidError says that the other side sent a message that it may not send. It would send that again over the next
// connection, so the conversation is over.
type invalidError struct{ error }

func (e invalidError) Unwrap() error { return e.error }

// conversation moves messages over one connection after another: Out leaves, In arrives.
type conversation[Out, In any] struct {
	mu      sync.Mutex
	state   session.Conversation[json.RawMessage, In]
	saidBye bool      // the last frame was written
	wrote   time.Time // when the newest frame was made
	clock   steady    // by which frames are stamped
	answers bool      // this side lets the other begin: its signs of life are answers, unless none comes in time

	changed   chan struct{} // holds one token whenever there may be something new to send
	delivered chan struct{} // holds one token whenever everything has arrived
	bye       chan struct{} // closed when this side wants to end
	// giveUp holds a question when this side has heard nothing for too long: whether that is still so.
	giveUp chan func() bool
	gaveUp chan bool // whether it has said so
}

func newConversation[Out, In any](clock steady) *conversation[Out, In] {
	return &conversation[Out, In]{
		clock: clock, changed: make(chan struct{}, 1), delivered: make(chan struct{}, 1), bye: make(chan struct{}),
		giveUp: make(chan func() bool, 1), gaveUp: make(chan bool, 1),
	}
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// push queues a message. It never blocks. What the message points to may change afterwards.
func (c *conversation[Out, In]) push(body Out) {
	data, err := json.Marshal(body)
	if err != nil { // it has a form that JSON has not: its receiver would refuse it
		data = []byte("null")
	}
	c.mu.Lock()
	c.state.Push(data)
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

// left tells whether this side has said goodbye.
func (c *conversation[Out, In]) left() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.saidBye
}

// lively reports that a part of what is read has arrived: a large message over a slow network is a sign of life for as
// long as it takes.
type lively struct {
	io.Reader
	alive func(sent time.Time)
}

func (l lively) Read(b []byte) (int, error) {
	n, err := l.Reader.Read(b)
	if n > 0 && n < len(b) {
		l.alive(time.Time{})
	}
	return n, err
}

// run talks over one connection until it breaks, the context ends or one side says goodbye. Whatever arrives is
// reported to alive, with the moment at which it was sent, or none for a part of a frame; messages go to deliver, whose
// error ends the connection. A sign of life leaves when nothing else has left for a beat, and as an answer to what
// arrives more than half a beat after the last one: so the side that answers wakes up once for both.
func (c *conversation[Out, In]) run(ctx context.Context, conn net.Conn, beat time.Duration, alive func(sent time.Time),
	deliver func(In) error) error {
	c.mu.Lock()
	c.state.Connected()
	c.mu.Unlock()
	g, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	g.Go(func() error { return c.write(ctx, conn, beat) })
	g.Go(func() error { return c.read(conn, beat, alive, deliver) })
	return g.Wait()
}

func (c *conversation[Out, In]) read(conn io.Reader, beat time.Duration, alive func(sent time.Time),
	deliver func(In) error) error {
	for {
		var f session.Frame[In]
		if err := readFrame(lively{conn, alive}, maxFrame, &f); err != nil {
			return err
		}
		alive(f.At)
		for _, m := range c.take(f) {
			if err := deliver(m); err != nil {
				return err
			}
		}
		if len(f.Items) > 0 || c.silentFor(beat/2) {
			notify(c.changed) // an acknowledgement is due, or a sign of life soon would be
		}
		switch {
		case f.Bye:
			return errBye
		case f.GaveUp:
			return errGaveUp
		}
	}
}

// silentFor tells whether nothing has left for so long.
func (c *conversation[Out, In]) silentFor(d time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.wrote) >= d
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

// frame is the next that is to be written: small, unless a message is large. If the connection breaks, what it has not
// carried to its end is sent again: one frame of all that has gathered might never pass.
func (c *conversation[Out, In]) frame() session.Frame[json.RawMessage] {
	c.mu.Lock()
	defer c.mu.Unlock()
	room := smallFrame
	f := c.state.Frame(func(m json.RawMessage) bool {
		room -= len(m)
		return room >= 0
	})
	f.At = c.clock.now()
	c.wrote = time.Now()
	if c.state.Waits() {
		notify(c.changed)
	}
	return f
}

func (c *conversation[Out, In]) write(ctx context.Context, conn net.Conn, beat time.Duration) error {
	pause, timeout := beat, beat+time.Second
	if c.answers {
		pause += beat / 4
	}
	next := time.NewTimer(pause)
	defer next.Stop()
	for {
		if err := writeFrame(conn, timeout, c.frame()); err != nil {
			return err
		}
		next.Reset(pause)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.bye:
			if err := c.sayBye(conn, timeout); err != nil {
				return err
			}
			<-ctx.Done() // the other side closes once it has read that. Closing first could discard it on the way
			return ctx.Err()
		case silent := <-c.giveUp:
			var err error
			said := silent()
			if said {
				err = writeFrame(conn, timeout, session.Frame[json.RawMessage]{GaveUp: true})
			}
			c.gaveUp <- said && err == nil
			if err != nil {
				return err
			}
		case <-c.changed:
		case <-next.C:
		}
	}
}

// sayGaveUp says that this side has heard nothing for too long, if that still holds when it can be said, and that is
// within a bound.
func (c *conversation[Out, In]) sayGaveUp(ctx context.Context, silent func() bool, bound time.Duration) (said bool) {
	c.giveUp <- silent
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	select {
	case said = <-c.gaveUp:
		return said
	case <-ctx.Done():
	}
	select {
	case <-c.giveUp: // nobody is connected
		return false
	case said = <-c.gaveUp: // it was about to be said
		return said
	}
}

// sayBye writes what is left, and that it is the last.
func (c *conversation[Out, In]) sayBye(conn net.Conn, timeout time.Duration) error {
	for {
		f := c.frame()
		c.mu.Lock()
		f.Bye = !c.state.Waits()
		c.mu.Unlock()
		if err := writeFrame(conn, timeout, f); err != nil {
			return err
		}
		if f.Bye {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.saidBye = true
	return nil
}
