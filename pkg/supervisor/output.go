package supervisor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	pipeSize    = 1 << 20 // so that a burst does not block the child
	readSize    = 256 << 10
	copyBacklog = 64              // chunks of readSize that a slow copy may lag behind
	drainBound  = 2 * time.Second // after the last process of the tree has gone
)

// output is where a child's output goes: raw to a file, then to those who read along.
type output struct {
	read *os.File
	file *os.File

	lines  *splitter
	ring   *ring
	onLine func(Line)

	copyTo  io.Writer
	backlog chan []byte
	copied  chan struct{}
	dropped atomic.Int64
	fault   error // first failure of the file; set before pumped is closed

	pumped chan struct{}
}

// newOutput opens the log and the pipe. The second result is the child's end.
func newOutput(spec Spec) (*output, *os.File, error) {
	if err := os.MkdirAll(filepath.Dir(spec.Log), 0o755); err != nil {
		return nil, nil, fmt.Errorf("cannot open log: %w", err)
	}
	file, err := os.OpenFile(spec.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot open log: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("cannot open log: %w", err), file.Close())
	}
	_, _ = unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, pipeSize) // a smaller pipe works too
	o := &output{
		read: r, file: file, ring: newRing(tailLines), onLine: spec.OnLine, copyTo: spec.Copy,
		backlog: make(chan []byte, copyBacklog), copied: make(chan struct{}), pumped: make(chan struct{}),
	}
	o.lines = newSplitter(o.line)
	go o.copyLoop()
	return o, w, nil
}

// abandon gives up an output whose child was never started.
func (o *output) abandon() {
	close(o.backlog)
	<-o.copied
	_ = errors.Join(o.read.Close(), o.file.Close())
}

// pump moves the output until every holder of the pipe has closed it. The file comes first, always.
func (o *output) pump() {
	defer close(o.pumped)
	buf := make([]byte, readSize)
	for {
		n, err := o.read.Read(buf)
		if n > 0 {
			o.take(buf[:n])
		}
		if err != nil {
			o.lines.end()
			close(o.backlog)
			return
		}
	}
}

func (o *output) take(b []byte) {
	if _, err := o.file.Write(b); err != nil && o.fault == nil {
		o.fault = err
	}
	o.lines.write(b)
	if o.copyTo == nil {
		return
	}
	select {
	case o.backlog <- append([]byte(nil), b...):
	default:
		o.dropped.Add(int64(len(b)))
	}
}

func (o *output) line(l Line) {
	o.ring.add(l)
	if o.onLine != nil {
		o.onLine(l)
	}
}

func (o *output) copyLoop() {
	defer close(o.copied)
	for b := range o.backlog {
		if _, err := o.copyTo.Write(b); err != nil {
			o.dropped.Add(int64(len(b)))
		}
	}
}

// finish waits until the log is complete, with a bound in case a process that could not be ended still holds the pipe.
func (o *output) finish() (tail []string, dropped int64) {
	select {
	case <-o.pumped:
	case <-time.After(drainBound):
		_ = o.read.Close()
		<-o.pumped
	}
	select {
	case <-o.copied:
	case <-time.After(drainBound):
	}
	_ = errors.Join(o.read.Close(), o.file.Sync(), o.file.Close())
	return o.tail(), o.dropped.Load()
}

func (o *output) tail() []string { return o.ring.lines() }

// tailLines is how many lines are kept for a post-mortem.
const tailLines = 200

// ring keeps the last lines.
type ring struct {
	mu   sync.Mutex
	buf  []string
	next int
	full bool
}

func newRing(n int) *ring { return &ring{buf: make([]string, n)} }

func (r *ring) add(l Line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.buf[r.next] = l.Text
	r.next = (r.next + 1) % len(r.buf)
	r.full = r.full || r.next == 0
}

func (r *ring) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.full {
		return append([]string(nil), r.buf[:r.next]...)
	}
	return append(append([]string(nil), r.buf[r.next:]...), r.buf[:r.next]...)
}
