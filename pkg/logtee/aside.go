package logtee

import (
	"bytes"
	"sync"
	"time"
)

const (
	asideBacklog = 8 << 20   // bytes that wait for whoever reads aside, at most
	asidePace    = 256 << 20 // bytes a second that it reads while the child runs: a flood must not cost it a processor
	asideKeep    = 1 << 20   // bytes of a buffer that is kept while there is nothing to read
)

// aside gives a child's output to somebody who reads it in a goroutine of its own, so that it holds up neither the
// child nor the log. If it is too far behind, what waits is left out and counted, the oldest first: the end of the
// output is always read.
type aside struct {
	read func(block []byte, missed int64)
	done chan struct{}

	ended   chan struct{} // closed when no more will come
	changed chan struct{}

	mu      sync.Mutex
	waiting []byte
	missed  int64 // bytes left out since the last that were given

	begun  []byte // the beginning of a line whose end has not come yet
	within bool   // a gap ends within a line, whose end has not come yet
}

func startAside(read func([]byte, int64)) *aside {
	a := &aside{read: read, done: make(chan struct{}), ended: make(chan struct{}), changed: make(chan struct{}, 1)}
	go a.loop()
	return a
}

func (a *aside) put(b []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.waiting)+len(b) > asideBacklog {
		a.missed += int64(len(a.waiting))
		a.waiting = a.waiting[:0]
	}
	a.waiting = append(a.waiting, b...)
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

// finish says that no more will come, and waits until all was given.
func (a *aside) finish() {
	close(a.ended)
	<-a.done
}

func (a *aside) loop() {
	defer close(a.done)
	var block []byte
	for over := false; !over; {
		select {
		case <-a.changed:
		case <-a.ended:
			over = true
		}
		begun := time.Now()
		var missed int64
		block, missed = a.exchange(block[:0])
		a.give(block, missed)
		a.rest(len(block), begun)
	}
	if len(a.begun) > 0 {
		a.read(a.begun, 0)
	}
}

// exchange takes what waits, and leaves an empty buffer for more.
func (a *aside) exchange(empty []byte) (block []byte, missed int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	block, missed = a.waiting, a.missed
	if len(block) < asideKeep && cap(empty) > asideKeep {
		empty = nil
	}
	a.waiting, a.missed = empty, 0
	return block, missed
}

// rest keeps to the pace while the child runs.
func (a *aside) rest(n int, begun time.Time) {
	pause := time.Duration(n)*time.Second/asidePace - time.Since(begun)
	if n < readSize || pause <= 0 {
		return
	}
	select {
	case <-a.ended:
	case <-time.After(pause):
	}
}

// give gives out the whole lines of a block. Behind a gap that is from the next line on.
func (a *aside) give(block []byte, missed int64) {
	if missed > 0 || a.within {
		next := bytes.IndexByte(block, '\n') + 1
		if a.within = next == 0; a.within {
			next = len(block)
		}
		missed += int64(len(a.begun) + next)
		a.begun, block = a.begun[:0], block[next:]
	}
	end := bytes.LastIndexByte(block, '\n') + 1
	if len(a.begun) > 0 && end > 0 {
		first := bytes.IndexByte(block, '\n') + 1
		a.read(append(a.begun, block[:first]...), missed)
		a.begun, missed = a.begun[:0], 0
		block, end = block[first:], end-first
	}
	if end > 0 || missed > 0 {
		a.read(block[:end], missed)
	}
	for rest := block[end:]; len(rest) > 0; {
		n := min(len(rest), MaxLine-len(a.begun))
		a.begun, rest = append(a.begun, rest[:n]...), rest[n:]
		if len(a.begun) == MaxLine {
			a.read(a.begun, 0)
			a.begun = a.begun[:0]
		}
	}
}
