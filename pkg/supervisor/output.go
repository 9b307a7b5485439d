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
	copyBacklog = 64              // reads that a slow copy may lag behind: 16 MiB at most
	drainBound  = 2 * time.Second // after the last process of the tree has gone
)

// output is where a child's output goes: raw to a file, then to those who read along.
type output struct {
	spec Spec
	read *os.File
	file *os.File
	tail tailBuffer

	lines   *splitter // nil if nobody reads lines
	backlog chan []byte
	pool    sync.Pool // of buffers for the backlog
	copied  chan struct{}

	dropped  atomic.Int64 // bytes that the copy missed
	fault    error        // first failure of the file; set before pumped is closed
	unstored int64        // bytes that the file did not take; likewise
	pumped   chan struct{}
}

// newOutput opens the log and the pipe. The second result is the child's end.
func newOutput(spec Spec) (*output, *os.File, error) {
	file, err := openLog(spec.Log)
	if err != nil {
		return nil, nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("cannot make pipe: %w", err), file.Close())
	}
	_, _ = unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, pipeSize) // a smaller pipe works too
	o := &output{
		spec: spec, read: r, file: file,
		backlog: make(chan []byte, copyBacklog), copied: make(chan struct{}), pumped: make(chan struct{}),
	}
	if spec.OnLine != nil {
		o.lines = newSplitter(spec.OnLine)
	}
	go o.copyLoop()
	return o, w, nil
}

// openLog opens a log to append to. An earlier `.done` is no longer true.
func openLog(name string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, fmt.Errorf("cannot open log: %w", err)
	}
	if err := os.Remove(doneFile(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot open log: %w", err)
	}
	file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot open log: %w", err)
	}
	return file, nil
}

// doneFile is upstream's sentinel beside a log: it exists once the log is complete.
func doneFile(log string) string { return log[:len(log)-len(filepath.Ext(log))] + ".done" }

// abandon gives up an output whose child was never started.
func (o *output) abandon() {
	close(o.backlog)
	<-o.copied
	_ = errors.Join(o.read.Close(), o.file.Close())
}

// pump moves the output until every holder of the pipe has closed it. The file comes first, always.
func (o *output) pump() {
	defer close(o.pumped)
	defer close(o.backlog)
	buf := make([]byte, readSize)
	for {
		n, err := o.read.Read(buf)
		o.take(buf[:n])
		if err != nil {
			break
		}
	}
	if o.lines != nil {
		o.lines.end()
	}
}

func (o *output) take(b []byte) {
	if len(b) == 0 {
		return
	}
	if n, err := o.file.Write(b); err != nil {
		o.unstored += int64(len(b) - n)
		o.fault = cmpErr(o.fault, err)
	}
	o.tail.write(b)
	if o.lines != nil {
		o.lines.write(b)
	}
	if o.spec.Copy != nil {
		o.enqueue(b)
	}
}

func cmpErr(first, err error) error {
	if first != nil {
		return first
	}
	return err
}

// enqueue hands bytes to the copy, unless it lags too far behind.
func (o *output) enqueue(b []byte) {
	own, _ := o.pool.Get().([]byte)
	own = append(own[:0], b...)
	select {
	case o.backlog <- own:
	default:
		o.dropped.Add(int64(len(b)))
	}
}

// copyLoop writes the copy, without secrets. A copy that fails once has failed: what follows is only counted.
func (o *output) copyLoop() {
	defer close(o.copied)
	if o.spec.Copy == nil {
		return
	}
	to := io.WriteCloser(nopCloser{o.spec.Copy})
	if o.spec.Redact != nil {
		to = o.spec.Redact.Writer(o.spec.Copy)
	}
	failed := false
	for b := range o.backlog {
		if !failed {
			_, err := to.Write(b)
			failed = err != nil
		}
		if failed {
			o.dropped.Add(int64(len(b)))
		}
		o.pool.Put(b) //nolint:staticcheck // a slice header more is nothing beside its 256 KiB
	}
	if !failed {
		_ = to.Close()
	}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// finish completes the log: everything is in the file, the file is on disk, and `.done` says so. It is bounded, in case a
// process that could not be ended still holds the pipe, or the copy's reader is stuck.
func (o *output) finish() (dropped, unstored int64, fault error) {
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
	fault = errors.Join(o.fault, o.file.Sync(), o.file.Close())
	if fault == nil {
		fault = markDone(o.spec.Log)
	}
	_ = o.read.Close()
	return o.dropped.Load(), o.unstored, fault
}

// markDone creates the sentinel, last.
func markDone(log string) error {
	f, err := os.OpenFile(doneFile(log), os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("cannot mark log as complete: %w", err)
	}
	return f.Close()
}

// shown is the last lines as people may read them.
func (o *output) shown() []string {
	lines := o.tail.lines(tailLines)
	if o.spec.Redact != nil {
		for i := range lines {
			lines[i] = o.spec.Redact.Text(lines[i])
		}
	}
	return lines
}
