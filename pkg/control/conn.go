package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/sync/errgroup"
)

// maxFrame bounds a frame, in bytes: an outcome with 200 lines of 64 KiB fits.
const maxFrame = 32 << 20

var errBye = errors.New("the other side ended the conversation")

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
// included, is told to alive; messages go to deliver.
func (c *conversation[Out, In]) run(ctx context.Context, ws *websocket.Conn, beat, lost time.Duration, alive func(), deliver func(In)) error {
	ws.SetReadLimit(maxFrame)
	g, ctx := errgroup.WithContext(ctx)
	ackDue := make(chan struct{}, 1)
	g.Go(func() error { return c.write(ctx, ws, beat, ackDue) })
	g.Go(func() error {
		for {
			f, err := readFrame[In](ctx, ws, lost)
			if err != nil {
				return err
			}
			alive()
			c.out.ack(f.Ack)
			for _, m := range c.in.fresh(f.Items) {
				deliver(m)
			}
			if len(f.Items) > 0 {
				notify(ackDue)
			}
			if f.Bye {
				return errBye
			}
		}
	})
	return g.Wait()
}

func (c *conversation[Out, In]) write(ctx context.Context, ws *websocket.Conn, beat time.Duration, ackDue <-chan struct{}) error {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	sent := int64(0) // on this connection
	for {
		items := c.out.after(sent)
		if n := len(items); n > 0 {
			sent = items[n-1].Seq
		}
		if err := writeFrame(ctx, ws, beat, frame[Out]{Ack: c.in.received(), Items: items}); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.bye:
			// The other side closes once it has read this. Closing first could discard it on the way.
			if err := writeFrame(ctx, ws, beat, frame[Out]{Ack: c.in.received(), Items: c.out.after(sent), Bye: true}); err != nil {
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		case <-c.out.changed:
		case <-ackDue:
		case <-tick.C:
		}
	}
}

func readFrame[T any](ctx context.Context, ws *websocket.Conn, timeout time.Duration) (frame[T], error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var f frame[T]
	_, data, err := ws.Read(ctx)
	if err != nil {
		return f, fmt.Errorf("cannot read frame: %w", err)
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return f, fmt.Errorf("cannot read frame: %w", err)
	}
	return f, nil
}

func writeFrame[T any](ctx context.Context, ws *websocket.Conn, timeout time.Duration, f frame[T]) error {
	ctx, cancel := context.WithTimeout(ctx, timeout+time.Second)
	defer cancel()
	data, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("cannot write frame: %w", err)
	}
	if err := ws.Write(ctx, websocket.MessageText, data); err != nil {
		return fmt.Errorf("cannot write frame: %w", err)
	}
	return nil
}
