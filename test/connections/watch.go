package connections

import (
	"encoding/binary"
	"net"
	"sync"
	"time"
)

// ear is what one side hears of the other.
type ear struct {
	mu    sync.Mutex
	last  time.Duration // when something of a conversation was last read
	worst time.Duration // the longest time without
}

func (e *ear) hears(now time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.worst = max(e.worst, now-e.last)
	e.last = now
}

// longest is the longest silence up to now.
func (e *ear) longest(now time.Duration) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return max(e.worst, now-e.last)
}

func (e *ear) since() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last
}

// watched is a connection whose frames are counted, and whose writes are timed.
type watched struct {
	net.Conn
	w      *world
	ear    *ear
	who    string
	beat   time.Duration
	record bool // what it sends, for somebody who sends it again

	head   []byte
	left   int // bytes of the frame that is being read
	frames int
	writes int
}

// shakes is how many frames either side reads, and sends, before the conversation.
const shakes = 2

// mostFrame bounds a frame of a conversation: a message, and what may go with it.
const mostFrame = 150 << 10

func (c *watched) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && c.frames >= shakes {
		c.ear.hears(c.w.net.Now())
	}
	for rest := b[:n]; len(rest) > 0; {
		rest = c.parse(rest)
	}
	return n, err
}

// parse takes in what was read, up to the end of a head or of a frame.
func (c *watched) parse(b []byte) (rest []byte) {
	if c.left == 0 {
		n := min(4-len(c.head), len(b))
		c.head = append(c.head, b[:n]...)
		if len(c.head) == 4 {
			c.left, c.head = int(binary.BigEndian.Uint32(c.head)), nil
			if c.left > mostFrame && c.frames >= shakes {
				c.w.violated("%s reads a frame of %d bytes", c.who, c.left)
			}
		}
		return b[n:]
	}
	n := min(c.left, len(b))
	if c.left -= n; c.left == 0 {
		c.frames++
	}
	return b[n:]
}

// Write must not take longer than a beat and a second once the conversation has begun: who cannot send is cut off.
func (c *watched) Write(b []byte) (int, error) {
	begun := c.w.net.Now()
	if c.record {
		c.w.remember(b)
	}
	n, err := c.Conn.Write(b)
	now := c.w.net.Now()
	bound := c.beat + time.Second
	if c.writes++; c.writes <= shakes {
		bound = max(c.w.lost, 5*time.Second)
	}
	if took := now - begun; took > bound && !c.w.paused(begun, now) {
		c.w.violated("a write of %s takes %v", c.who, took)
	}
	return n, err
}

// remember keeps the beginning of what an agent sent.
func (w *world) remember(b []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.recorded) < 4<<10 {
		w.recorded = append(w.recorded, b...)
	}
}

// paused tells whether the hub stood still in a stretch of time.
func (w *world) paused(from, to time.Duration) bool {
	for _, s := range w.pauses {
		if s.From <= to && from <= s.To {
			return true
		}
	}
	return false
}
