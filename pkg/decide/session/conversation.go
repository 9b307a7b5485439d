package session

import "time"

// Numbered is a message with its number, from 1.
type Numbered[T any] struct {
	Seq  int64 `json:"seq"`
	Body T     `json:"body"`
}

// Frame is what travels. An empty one is a heartbeat.
type Frame[T any] struct {
	Ack   int64         `json:"ack"` // highest number received in the other direction
	Items []Numbered[T] `json:"items,omitempty"`
	Bye   bool          `json:"bye,omitempty"`
	At    time.Time     `json:"at,omitzero"` // when it was sent, by the sender's clock
	// GaveUp is an agent's last frame: it has heard nothing from the hub for too long. A hub that stood still reads it
	// afterwards, and can tell that agent from one that was killed meanwhile.
	GaveUp bool `json:"gave_up,omitempty"`
}

// Conversation is one side's messages over one connection after another: Out leaves, In arrives. It is not safe for
// concurrent use.
type Conversation[Out, In any] struct {
	pending  []Numbered[Out] // not acknowledged
	pushed   int64           // the number of the newest
	sent     int64           // the newest that the present connection carries
	received int64           // the newest that arrived
}

// Push queues a message.
func (c *Conversation[Out, In]) Push(body Out) {
	c.pushed++
	c.pending = append(c.pending, Numbered[Out]{c.pushed, body})
}

// Connected begins a connection: it carries nothing yet.
func (c *Conversation[Out, In]) Connected() { c.sent = 0 }

// Frame is what is to be written to the present connection: an acknowledgement, and what it has not carried yet; at
// least one message, and more as long as they fit. Nil: they all do.
func (c *Conversation[Out, In]) Frame(fits func(Out) bool) Frame[Out] {
	f := Frame[Out]{Ack: c.received}
	for _, m := range c.waiting() {
		if fits != nil && !fits(m.Body) && len(f.Items) > 0 {
			break
		}
		f.Items = append(f.Items, m)
		c.sent = m.Seq
	}
	return f
}

// waiting is what the present connection has not carried yet.
func (c *Conversation[Out, In]) waiting() []Numbered[Out] {
	acknowledged := c.pushed - int64(len(c.pending))
	return c.pending[max(c.sent-acknowledged, 0):]
}

// Waits tells whether there is something that the present connection has not carried yet.
func (c *Conversation[Out, In]) Waits() bool { return len(c.waiting()) > 0 }

// Take takes in a frame and returns the messages that are new.
func (c *Conversation[Out, In]) Take(f Frame[In]) (fresh []In) {
	for len(c.pending) > 0 && c.pending[0].Seq <= f.Ack {
		c.pending = c.pending[1:]
	}
	for _, m := range f.Items {
		if m.Seq == c.received+1 {
			c.received = m.Seq
			fresh = append(fresh, m.Body)
		}
	}
	return fresh
}

// Delivered tells whether every message has arrived.
func (c *Conversation[Out, In]) Delivered() bool { return len(c.pending) == 0 }

// Begun tells whether a message has arrived, in either direction. From then on the other side must be the one that the
// conversation began with: another would take none of what is left for the next message.
func (c *Conversation[Out, In]) Begun() bool {
	return c.received > 0 || c.pushed > int64(len(c.pending))
}
