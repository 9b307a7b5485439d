package logtee

import (
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	copyChunk = 256 << 10
	// bytes a second that the copy takes while the child runs: a flood must not cost it a processor
	copyPace    = 64 << 20
	copyBacklog = 16 << 20 // bytes that the copy keeps in memory of what the log file did not take

	copyStuck = 2 * time.Second // without a byte taken, once the child has gone
	copyBound = 8 * time.Second // for all that the reader is behind then
)

// copier gives a child's output to somebody who may be slower than the child. What it has not given yet lies in the log
// file, so that it can be behind by any amount without losing anything or holding anybody up.
type copier struct {
	to   io.WriteCloser
	log  *os.File // read from
	done chan struct{}

	given atomic.Int64 // bytes that the reader has taken

	mu      sync.Mutex
	waiting []piece // in order
	memory  int64   // bytes in memory among them
	ended   bool    // no more will come
	failed  bool    // the reader has gone
	dropped int64   // bytes that it will never get
	changed chan struct{}
	hurry   chan struct{} // closed when the child has gone: the rest is given out at once
}

// piece is a part of the output that has not been given yet.
type piece struct {
	from, to int64  // in the log file
	data     []byte // or in memory, if the file did not take it
}

func (p piece) size() int64 { return p.to - p.from + int64(len(p.data)) }

func startCopier(to io.WriteCloser, log *os.File) *copier {
	c := &copier{
		to: to, log: log, done: make(chan struct{}), changed: make(chan struct{}, 1), hurry: make(chan struct{}),
	}
	go c.loop()
	return c
}

// stored says that the next n bytes are in the file, at an offset.
func (c *copier) stored(at, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last := len(c.waiting) - 1; last >= 0 && c.waiting[last].data == nil && c.waiting[last].to == at {
		c.waiting[last].to += n
	} else {
		c.waiting = append(c.waiting, piece{from: at, to: at + n})
	}
	c.wake()
}

// unstored hands over the next bytes, which the file did not take.
func (c *copier) unstored(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.memory+int64(len(b)) > copyBacklog {
		c.dropped += int64(len(b))
		return
	}
	c.memory += int64(len(b))
	c.waiting = append(c.waiting, piece{data: append([]byte(nil), b...)})
	c.wake()
}

// missed counts bytes that neither the file nor the copy will get.
func (c *copier) missed(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropped += n
}

// wake must be called under c.mu.
func (c *copier) wake() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// finish says that no more will come, waits until all was given, and returns how many bytes were not. A reader that
// takes nothing for copyStuck gets no more, and one that goes on taking has copyBound.
func (c *copier) finish() (dropped int64) {
	c.mu.Lock()
	c.ended = true
	c.wake()
	c.mu.Unlock()
	close(c.hurry)
	c.wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = true // should the reader come back to life, it gets no more
	for _, p := range c.waiting {
		c.dropped += p.size()
	}
	c.waiting = nil
	return c.dropped
}

// lost is how many bytes the reader is known to miss.
func (c *copier) lost() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dropped
}

// wait waits until the reader has everything, is stuck or has had its time.
func (c *copier) wait() {
	bound := time.After(copyBound)
	for before := c.given.Load(); ; before = c.given.Load() {
		select {
		case <-c.done:
			return
		case <-bound:
			return
		case <-time.After(copyStuck):
		}
		if c.given.Load() == before {
			return
		}
	}
}

func (c *copier) loop() {
	defer close(c.done)
	buf := make([]byte, copyChunk)
	for {
		b, more := c.next(buf)
		if !more {
			return
		}
		if _, err := c.to.Write(b); err != nil {
			c.fail(len(b))
			return
		}
		c.given.Add(int64(len(b)))
		c.rest(len(b))
	}
}

// rest keeps a copy that is behind to its pace while the child runs.
func (c *copier) rest(n int) {
	if n < copyChunk {
		return
	}
	select {
	case <-c.hurry:
	case <-time.After(time.Duration(n) * time.Second / copyPace):
	}
}

// fail gives up: whoever failed to read once gets no more.
func (c *copier) fail(lost int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = true
	c.dropped += int64(lost)
}

// next waits for the next bytes; more is false when none will come.
func (c *copier) next(buf []byte) (b []byte, more bool) {
	for {
		c.mu.Lock()
		p, ok := c.take(int64(len(buf)))
		failed, over := c.failed, c.ended && !ok
		c.mu.Unlock()
		switch {
		case failed:
			return nil, false
		case over:
			_ = c.to.Close() // nothing is left to be told of
			return nil, false
		case p.data != nil:
			return p.data, true
		case ok:
			n, err := c.log.ReadAt(buf[:p.to-p.from], p.from)
			if err != nil {
				c.fail(int(p.size()))
			}
			return buf[:n], err == nil
		}
		<-c.changed
	}
}

// take removes at most so many bytes from what waits, all of a piece in memory. It must be called under c.mu.
func (c *copier) take(most int64) (p piece, ok bool) {
	if len(c.waiting) == 0 {
		return p, false
	}
	p = c.waiting[0]
	if p.data == nil && p.to-p.from > most {
		p.to = p.from + most
		c.waiting[0].from = p.to
		return p, true
	}
	c.memory -= int64(len(p.data))
	c.waiting = c.waiting[1:]
	return p, true
}
