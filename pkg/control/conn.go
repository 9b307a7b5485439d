package control

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"golang.org/x/sync/errgroup"
)

var errBye = errors.New("the other side ended the conversation")

// invalidError says that the other side sent a message that it may not send. It would send that again over the next
// connection, so the conversation is over.
type invalidError struct{ error }

func (e invalidError) Unwrap() error { return e.error }

// conversation moves messages over one connection after another: Out leaves, In arrives.
type conversation[Out, In any] struct {
	out *queue[Out]
	in  inbox[In]
	bye chan struct{} // closed when this side wants to end
}

func newConversation[Out, In any]() *conversation[Out, In] {
	return &conversation[Out, In]{out: newQueue[Out](), bye: make(chan struct{})}
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
	g, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	ackDue := make(chan struct{}, 1)
	g.Go(func() error { return c.write(ctx, conn, beat, ackDue) })
	g.Go(func() error { return c.read(conn, ackDue, alive, deliver) })
	return g.Wait()
}

func (c *conversation[Out, In]) read(conn io.Reader, ackDue chan struct{}, alive func(), deliver func(In) error) error {
	for {
		var f frame[In]
		if err := readFrame(conn, maxFrame, &f); err != nil {
			return err
		}
		alive()
		c.out.ack(f.Ack)
		for _, m := range c.in.fresh(f.Items) {
			if err := deliver(m); err != nil {
				return err
			}
		}
		if len(f.Items) > 0 {
			notify(ackDue)
		}
		if f.Bye {
			return errBye
		}
	}
}

func (c *conversation[Out, In]) write(ctx context.Context, conn net.Conn, beat time.Duration,
	ackDue chan struct{}) error {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	timeout := beat + time.Second
	sent := int64(0) // on this connection
	for {
		items := c.out.after(sent)
		if n := len(items); n > 0 {
			sent = items[n-1].Seq
		}
		if err := writeFrame(conn, timeout, frame[Out]{Ack: c.in.received(), Items: items}); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.bye:
			// The other side closes once it has read this. Closing first could discard it on the way.
			if err := writeFrame(conn, timeout,
				frame[Out]{Ack: c.in.received(), Items: c.out.after(sent), Bye: true}); err != nil {
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		case <-c.out.changed:
		case <-ackDue:
		case <-ticker.C:
		}
	}
}
