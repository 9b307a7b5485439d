package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/coder/websocket"
)

// ClientOptions says whom an agent talks to, and as whom.
type ClientOptions struct {
	// Find blocks until the hub's address (host:port) is known. An error means that there will be no hub.
	Find      func(context.Context) (string, error)
	Token     string
	Hello     Hello
	Heartbeat time.Duration
	Lost      time.Duration // silence of the hub for this long means lost
	CloseWait time.Duration // how long Close waits for the last events to arrive
}

// Client is an agent's link over the network.
type Client struct {
	opts       ClientOptions
	conv       *conversation[Event, Directive]
	directives *mailbox[Directive]
	lost       chan struct{}
	done       chan struct{}
	cancel     context.CancelFunc
	closeOnce  sync.Once

	mu       sync.Mutex
	lastSeen time.Time
	err      error
}

var _ Link = (*Client)(nil)

// Dial begins the conversation. It returns at once: events may be sent before the hub is found.
func Dial(opts ClientOptions) *Client {
	ctx, cancel := context.WithCancel(context.Background())
	c := &Client{
		opts: opts, conv: newConversation[Event, Directive](), directives: newMailbox[Directive](),
		lost: make(chan struct{}), done: make(chan struct{}), cancel: cancel,
	}
	go func() {
		defer close(c.done)
		defer close(c.lost)
		err := c.converse(ctx)
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
func (c *Client) Send(e Event) { c.conv.out.push(e) }

// Directives delivers what the hub wants.
func (c *Client) Directives() <-chan Directive { return c.directives.out }

// Lost is closed when the hub has been silent for too long or refuses this agent.
func (c *Client) Lost() <-chan struct{} { return c.lost }

// Close waits until every event has arrived, at most CloseWait, says goodbye and ends.
func (c *Client) Close() {
	c.closeOnce.Do(func() {
		deadline := time.NewTimer(c.opts.CloseWait)
		defer deadline.Stop()
		c.flush(deadline.C)
		close(c.conv.bye)
		select {
		case <-c.done:
		case <-time.After(c.opts.Heartbeat):
		}
		c.cancel()
		<-c.done
		c.directives.close()
	})
}

func (c *Client) flush(deadline <-chan time.Time) {
	for !c.conv.out.empty() {
		select {
		case <-c.conv.out.drained:
		case <-c.lost:
			return
		case <-deadline:
			return
		}
	}
}

func (c *Client) alive() {
	c.mu.Lock()
	c.lastSeen = time.Now()
	c.mu.Unlock()
}

func (c *Client) silence() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.lastSeen)
}

// errRefused means that the hub does not want this agent: trying again is of no use.
var errRefused = errors.New("refused by the hub")

// converse connects, and connects again after a break, until the conversation ends or the hub is lost.
func (c *Client) converse(ctx context.Context) error {
	hub, err := c.opts.Find(ctx)
	if err != nil {
		return err
	}
	c.alive()
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 500*time.Millisecond) {
		err := c.connectOnce(ctx, hub)
		switch {
		case ctx.Err() != nil, c.conv.leaving():
			return nil
		case errors.Is(err, errRefused):
			return err
		case errors.Is(err, syscall.ECONNREFUSED): // the hub's port is its own: nobody listens there once it has ended
			return fmt.Errorf("the hub has ended: %w", err)
		case c.silence() > c.opts.Lost:
			return fmt.Errorf("no sign of life from the hub for %v: %w", c.opts.Lost, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (c *Client) connectOnce(ctx context.Context, hub string) error {
	dialCtx, cancel := context.WithTimeout(ctx, c.opts.Lost)
	defer cancel()
	ws, resp, err := websocket.Dial(dialCtx, "ws://"+hub+attachPath, &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: &http.Transport{Proxy: nil}},
		HTTPHeader: helloHeader(c.opts.Hello, c.opts.Token),
	})
	if err != nil {
		if resp != nil && resp.StatusCode >= 400 && resp.StatusCode < 500 {
			return fmt.Errorf("%w: %s", errRefused, resp.Status)
		}
		return fmt.Errorf("cannot reach the hub at %s: %w", hub, err)
	}
	defer ws.CloseNow()
	return c.conv.run(ctx, ws, c.opts.Heartbeat, c.opts.Lost, c.alive, c.directives.put)
}
