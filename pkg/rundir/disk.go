package rundir

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// DefaultBound is how many bytes wait for a run directory at most.
const DefaultBound = 16 << 20

// ErrDropped says that a write was dropped because too much waited already, or the writer was closed before its turn.
var ErrDropped = errors.New("the run directory does not take it in time")

// Disk performs the writes of one process to a run directory: one after the other, in order, in a goroutine of its own.
// Whoever hands over a write never waits. All methods may be called from anywhere.
type Disk struct {
	opts DiskOptions

	mu      sync.Mutex
	waiting []*operation
	latest  map[string]*operation // of those that replace a file, by file
	bytes   int64                 // of what waits, the operation under way included
	busy    *operation            // under way
	began   time.Time             // of that
	stuck   bool                  // that it is not answered was reported
	dropped int                   // since the start
	told    int                   // of those dropped, how many OnBack was told of
	closed  bool
	answer  chan struct{} // closed, and made again, when an operation was answered

	changed chan struct{} // holds one token when there may be something to do
	done    chan struct{} // closed when the goroutine has ended
}

// DiskOptions tells how patient a Disk is. The functions are called from its own goroutines, one at a time, and must
// not block.
type DiskOptions struct {
	// Bound is how many bytes may wait; 0: DefaultBound.
	Bound int64
	// Patience is how long an operation may be unanswered before OnStuck is called; 0: never.
	Patience time.Duration
	// OnStuck is called when an operation is not answered in time, OnBack when it is answered at last, with how long
	// that took and how many writes were dropped meanwhile.
	OnStuck func(what string)
	OnBack  func(what string, after time.Duration, dropped int)
}

// operation is one write that waits, or is under way.
type operation struct {
	what string
	file string // that it replaces as a whole; "": none, so a later one does not make it needless
	size int64
	run  func() error
	done func(error) // nil: nobody wants to know
}

// NewDisk starts a writer. Close ends it.
func NewDisk(o DiskOptions) *Disk {
	if o.Bound == 0 {
		o.Bound = DefaultBound
	}
	d := &Disk{
		opts: o, latest: map[string]*operation{}, answer: make(chan struct{}),
		changed: make(chan struct{}, 1), done: make(chan struct{}),
	}
	go d.loop()
	return d
}

// Do queues an operation that holds so many bytes in memory until it is done. The result is given to done, which may be
// nil and must not wait for the Disk, from the Disk's goroutine; a dropped operation fails with ErrDropped, from the
// goroutine that called Do or Close.
func (d *Disk) Do(what string, size int, run func() error, done func(error)) {
	d.submit(&operation{what: what, size: int64(size), run: run, done: done})
}

func (d *Disk) submit(op *operation) {
	if err := d.queue(op); err != nil && op.done != nil {
		op.done(err)
	}
}

func (d *Disk) queue(op *operation) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.latest[op.file]
	if old != nil && old.done != nil {
		old = nil // somebody wants to know about that version
	}
	others := d.bytes
	if old != nil {
		others -= old.size
	}
	switch {
	case d.closed:
		return fmt.Errorf("cannot %s: the writer is closed", op.what)
	case others > 0 && others+op.size > d.opts.Bound:
		d.dropped++
		return fmt.Errorf("cannot %s: %w", op.what, ErrDropped)
	}
	d.bytes = others + op.size
	if old != nil {
		*old = *op // it takes the place of the version that waits
		return nil
	}
	d.waiting = append(d.waiting, op)
	if op.file != "" {
		d.latest[op.file] = op
	}
	notify(d.changed)
	return nil
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (d *Disk) loop() {
	defer close(d.done)
	for {
		op, closed := d.next()
		switch {
		case op != nil:
			d.perform(op)
		case closed:
			return
		default:
			<-d.changed
		}
	}
}

// next takes the operation that has waited longest.
func (d *Disk) next() (op *operation, closed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.waiting) == 0 {
		return nil, d.closed
	}
	op = d.waiting[0]
	d.waiting = d.waiting[1:]
	if d.latest[op.file] == op {
		delete(d.latest, op.file)
	}
	d.busy, d.began = op, time.Now()
	return op, false
}

func (d *Disk) perform(op *operation) {
	stopWatch := d.watch(op)
	err := op.run()
	stopWatch()
	if op.done != nil {
		op.done(err) // before Flush can say that all was done
	}
	d.answered(op)
}

// watch reports an operation that is not answered in time. When the function that it returns has returned, that report
// is complete or will never be made: it cannot come after the one that the disk is back.
func (d *Disk) watch(op *operation) (stop func()) {
	if d.opts.Patience <= 0 {
		return func() {}
	}
	reported := make(chan struct{})
	timer := time.AfterFunc(d.opts.Patience, func() {
		defer close(reported)
		d.late(op)
	})
	return func() {
		if !timer.Stop() {
			<-reported
		}
	}
}

func (d *Disk) late(op *operation) {
	d.mu.Lock()
	d.stuck = true
	d.mu.Unlock()
	if d.opts.OnStuck != nil {
		d.opts.OnStuck(op.what)
	}
}

func (d *Disk) answered(op *operation) {
	d.mu.Lock()
	took, back := time.Since(d.began), d.stuck && d.opts.OnBack != nil
	dropped := d.dropped - d.told
	if back {
		d.told = d.dropped
	}
	d.busy, d.stuck = nil, false
	d.bytes -= op.size
	close(d.answer)
	d.answer = make(chan struct{})
	d.mu.Unlock()
	if back {
		d.opts.OnBack(op.what, took, dropped)
	}
}

// Silence is for how long the operation under way has not been answered; 0 if there is none.
func (d *Disk) Silence() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy == nil {
		return 0
	}
	return time.Since(d.began)
}

// Room waits until so many bytes can be queued without being dropped, but not for a run directory that leaves an
// operation unanswered for so long: a writer that can wait makes sure that nothing is lost on a disk that is only slow.
func (d *Disk) Room(size int, patience time.Duration) {
	d.await(patience, func() bool { return d.closed || d.bytes == 0 || d.bytes+int64(size) <= d.opts.Bound })
}

// Flush waits until all that was queued has been done, but not for a run directory that leaves an operation unanswered
// for so long. It tells whether everything was done.
func (d *Disk) Flush(patience time.Duration) bool {
	return d.await(patience, func() bool { return len(d.waiting) == 0 && d.busy == nil })
}

// await waits until a condition is met, but not for an operation that has been under way for so long. It tells whether
// the condition, which is asked under the lock, was met.
func (d *Disk) await(patience time.Duration, met func() bool) bool {
	for {
		d.mu.Lock()
		ok, answer, rest := met(), d.answer, patience
		if d.busy != nil {
			rest -= time.Since(d.began)
		}
		d.mu.Unlock()
		if ok || rest <= 0 {
			return ok
		}
		timer := time.NewTimer(rest)
		select {
		case <-answer:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// Close waits for what was queued as Flush does, drops the rest and ends the writer. It returns how many writes were
// dropped in all. An operation that is never answered counts as one, and is left behind in its goroutine.
func (d *Disk) Close(patience time.Duration) (dropped int) {
	d.Flush(patience)
	d.mu.Lock()
	left := d.waiting
	d.waiting, d.latest, d.closed = nil, nil, true
	for _, op := range left {
		d.bytes -= op.size
	}
	d.dropped += len(left)
	dropped = d.dropped
	hangs := d.busy != nil
	d.mu.Unlock()
	notify(d.changed)
	for _, op := range left {
		if op.done != nil {
			op.done(fmt.Errorf("cannot %s: %w", op.what, ErrDropped))
		}
	}
	if hangs {
		return dropped + 1
	}
	<-d.done
	return dropped
}
