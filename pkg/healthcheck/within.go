package healthcheck

import (
	"context"
	"sync"
	"time"
)

// beat is how often it is looked whether this process runs.
const beat = 50 * time.Millisecond

// Within is [context.WithTimeout] by a clock that stands still while this process does: what was waited for may have
// come meanwhile, and is looked at before it is called late.
func Within(parent context.Context, bound time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	c := &within{Context: ctx, done: make(chan struct{})}
	go c.run(bound)
	return c, cancel
}

// within is a context that ends when its parent does, or its time is over.
type within struct {
	context.Context

	done chan struct{}
	mu   sync.Mutex
	err  error
}

// Deadline implements [context.Context]: nobody knows it beforehand.
func (c *within) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done implements [context.Context].
func (c *within) Done() <-chan struct{} { return c.done }

// Err implements [context.Context].
func (c *within) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *within) run(bound time.Duration) {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	over := time.NewTimer(bound)
	defer over.Stop()
	last := time.Now()
	end := last.Add(bound)
	look := func() (late bool) {
		now := time.Now()
		if gap := now.Sub(last); gap > 2*beat {
			end = end.Add(gap - beat)
			over.Reset(end.Sub(now))
		}
		last = now
		return !now.Before(end)
	}
	for {
		select {
		case <-ticker.C:
			look()
		case <-over.C:
			if look() {
				c.finish(context.DeadlineExceeded)
				return
			}
		case <-c.Context.Done():
			c.finish(c.Context.Err())
			return
		}
	}
}

func (c *within) finish(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	close(c.done)
}
