package logtee

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	pipeSize   = 1 << 20 // so that a burst does not block the child
	readSize   = 256 << 10
	drainBound = 2 * time.Second // after the last process of the tree has gone
)

// endPatience is how long, once nothing more comes, an operation may be unanswered before the log is given up: the
// nodes wait.
const endPatience = time.Second

// DefaultPatience is how long a write to the log file may be unanswered before the child is no longer held up by it.
const DefaultPatience = 2 * time.Second

// Options is where a child's output goes.
type Options struct {
	// Log takes the raw bytes; it must be open for appending and reading. The Tee closes it.
	Log *os.File
	// Sealed is called once everything is in the file, and the file is on disk; nil: nobody wants to know.
	Sealed func() error
	// Copy gets the same bytes, less secrets, as far as it keeps up; nil: nobody.
	Copy io.Writer
	// Redact hides secrets from the copy and from the tail; nil: nothing is hidden.
	Redact *Redactor
	// OnLine is called for every line, from one goroutine; it must not block; nil: nobody.
	OnLine func(Line)
	// Aside is called with the output as it is, in blocks of whole lines, from one goroutine; it must not keep them.
	// Unlike OnLine it may be slower than the child: what it cannot keep up with is left out, and it is told how many
	// bytes are missing before a block. nil: nobody.
	Aside func(block []byte, missed int64)
	// Patience is how long a write to the file may be unanswered before the child is no longer held up; 0:
	// DefaultPatience.
	Patience time.Duration
}

// Report is what did not arrive where it should.
type Report struct {
	Dropped  int64 // bytes that the copy's reader missed
	Unstored int64 // bytes that the file did not take
	Fault    error // why the file is not complete
}

// Tee is one child's output on its way.
type Tee struct {
	opts   Options
	read   *os.File
	tail   tailBuffer
	lines  *Splitter // nil if nobody reads lines
	aside  *aside    // nil if nobody reads aside
	copy   *copier   // nil if nobody gets a copy
	store  *store
	pumped chan struct{} // closed when everything has been read
}

// New prepares a Tee. The second result is the child's end of the pipe.
func New(o Options) (*Tee, *os.File, error) {
	end, err := o.Log.Seek(0, io.SeekEnd)
	if err != nil { // a device has no end
		end = 0
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("cannot make pipe: %w", err), o.Log.Close())
	}
	_, _ = unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, pipeSize) // a smaller pipe works too
	if o.Patience == 0 {
		o.Patience = DefaultPatience
	}
	t := &Tee{opts: o, read: r, pumped: make(chan struct{})}
	if o.OnLine != nil {
		t.lines = NewSplitter(o.OnLine)
	}
	if o.Aside != nil {
		t.aside = startAside(o.Aside)
	}
	if o.Copy != nil {
		to := io.WriteCloser(nopCloser{o.Copy})
		if o.Redact != nil {
			to = o.Redact.Writer(o.Copy)
		}
		t.copy = startCopier(to, o.Log)
	}
	t.store = newStore(o.Log, end, o.Patience, t.copy)
	t.store.resume = t.Run
	return t, w, nil
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// Abandon gives up an output whose child was never started.
func (t *Tee) Abandon() {
	t.store.close()
	<-t.store.written
	if t.aside != nil {
		t.aside.finish()
	}
	if t.copy != nil {
		t.copy.finish()
	}
	_ = errors.Join(t.read.Close(), t.opts.Log.Close())
}

// Run moves the output until every holder of the pipe has closed it. It may go on in another goroutine: Finish tells
// when it is over.
func (t *Tee) Run() {
	for {
		buf := t.store.buffer()
		n, err := t.read.Read(buf)
		if n > 0 {
			t.tail.write(buf[:n])
			if t.lines != nil {
				_, _ = t.lines.Write(buf[:n])
			}
			if t.aside != nil {
				t.aside.put(buf[:n])
			}
			if !t.store.put(buf[:n]) {
				return
			}
		}
		if err != nil {
			break
		}
	}
	if t.lines != nil {
		t.lines.End()
	}
	close(t.pumped)
}

// Finish completes the log: everything is in the file, the file is on disk, and Sealed was called. It is bounded, in
// case a process that could not be ended still holds the pipe, the copy's reader is stuck, or the disk does not answer.
func (t *Tee) Finish() Report {
	select {
	case <-t.pumped:
	case <-time.After(drainBound):
		_ = t.read.Close()
		<-t.pumped
	}
	_ = t.read.Close()
	if t.aside != nil {
		t.aside.finish()
	}
	t.store.close()
	stored := t.store.wait()
	var r Report
	if t.copy != nil {
		r.Dropped = t.copy.finish()
	}
	unstored, fault := t.store.missing()
	r.Unstored = unstored
	if !stored {
		r.Fault = fmt.Errorf("cannot complete the log: the disk did not answer for %v", endPatience)
		return r
	}
	r.Fault = errors.Join(fault, t.seal())
	return r
}

// seal makes the log durable and says so, unless the disk does not answer.
func (t *Tee) seal() error {
	done := make(chan error, 1)
	t.store.sealing()
	go func() {
		err := errors.Join(t.opts.Log.Sync(), t.opts.Log.Close())
		if unstored, fault := t.store.missing(); err == nil && unstored == 0 && fault == nil && t.opts.Sealed != nil {
			err = t.opts.Sealed()
		}
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(endPatience):
		return fmt.Errorf("cannot complete the log: the disk did not answer for %v", endPatience)
	}
}

// Lost is what is not where it should be by now: bytes that the copy's reader missed, and that the file has not taken.
func (t *Tee) Lost() (dropped, unstored int64) {
	if t.copy != nil {
		dropped = t.copy.lost()
	}
	return dropped, t.store.owed()
}

// Silence is for how long the disk has left an operation on the log unanswered; 0 if it has none to answer.
func (t *Tee) Silence() time.Duration { return t.store.silence() }

// End is the last n bytes so far as they are, secrets included, and when the newest of them came; zero: nothing came.
func (t *Tee) End(n int) ([]byte, time.Time) { return t.tail.end(n) }

// Size is how many bytes have come so far.
func (t *Tee) Size() int64 { return t.tail.size() }

// Tail is the last lines so far, as people may read them.
func (t *Tee) Tail() []string {
	hide := func(text string) string { return text }
	if t.opts.Redact != nil {
		hide = t.opts.Redact.Text
	}
	return t.tail.lines(tailLines, hide)
}
