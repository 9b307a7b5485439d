package supervisor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	pipeSize   = 1 << 20 // so that a burst does not block the child
	readSize   = 256 << 10
	drainBound = 2 * time.Second // after the last process of the tree has gone
)

// output is where a child's output goes: raw to a file, then to those who read along.
type output struct {
	spec Spec
	read *os.File
	file *os.File
	tail tailBuffer

	lines *splitter // nil if nobody reads lines
	copy  *copier   // nil if nobody gets a copy
	end   int64     // of the file

	fault    error // first failure of the file; set before pumped is closed
	unstored int64 // bytes that the file did not take; likewise
	pumped   chan struct{}
}

// newOutput opens the log and the pipe. The second result is the child's end.
func newOutput(spec Spec) (*output, *os.File, error) {
	file, end, err := openLog(spec.Log)
	if err != nil {
		return nil, nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("cannot make pipe: %w", err), file.Close())
	}
	_, _ = unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, pipeSize) // a smaller pipe works too
	o := &output{spec: spec, read: r, file: file, end: end, pumped: make(chan struct{})}
	if spec.OnLine != nil {
		o.lines = newSplitter(spec.OnLine)
	}
	if spec.Copy != nil {
		to := io.WriteCloser(nopCloser{spec.Copy})
		if spec.Redact != nil {
			to = spec.Redact.Writer(spec.Copy)
		}
		o.copy = startCopier(to, file)
	}
	return o, w, nil
}

// openLog opens a log to append to, and returns where it ends. An earlier `.done` is no longer true.
func openLog(name string) (file *os.File, end int64, err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, 0, fmt.Errorf("cannot open log: %w", err)
	}
	if err := os.Remove(doneFile(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, 0, fmt.Errorf("cannot open log: %w", err)
	}
	file, err = os.OpenFile(name, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644) // the copy is read from it
	if err == nil {
		end, err = file.Seek(0, io.SeekEnd)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("cannot open log: %w", err)
	}
	return file, end, nil
}

// doneFile is upstream's sentinel beside a log: it exists once the log is complete.
func doneFile(log string) string { return log[:len(log)-len(filepath.Ext(log))] + ".done" }

// abandon gives up an output whose child was never started.
func (o *output) abandon() {
	if o.copy != nil {
		o.copy.finish()
	}
	_ = errors.Join(o.read.Close(), o.file.Close())
}

// pump moves the output until every holder of the pipe has closed it. The file comes first, always.
func (o *output) pump() {
	defer close(o.pumped)
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
	n := o.store(b)
	o.tail.write(b)
	if o.lines != nil {
		o.lines.write(b)
	}
	if o.copy == nil {
		return
	}
	if n > 0 {
		o.copy.stored(o.end-int64(n), int64(n))
	}
	if n < len(b) {
		o.copy.unstored(b[n:])
	}
}

// store writes to the file and returns how much it took.
func (o *output) store(b []byte) int {
	n, err := o.file.Write(b)
	o.end += int64(n)
	o.unstored += int64(len(b) - n)
	if o.fault == nil {
		o.fault = err
	}
	return n
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
	if o.copy != nil {
		dropped = o.copy.finish()
	}
	fault = errors.Join(o.fault, o.file.Sync(), o.file.Close())
	if fault == nil {
		fault = markDone(o.spec.Log)
	}
	_ = o.read.Close()
	return dropped, o.unstored, fault
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
