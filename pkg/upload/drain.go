package upload

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/errgroup"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/rundir"
)

// So many records are sent at once, and so many times at once: while one part waits for the sink, another is read from
// the disk, or noted there. What is too much for a sink it refuses as a whole, and gets in smaller parts.
const (
	mostRecords = 500
	partsAtOnce = 3
)

// So many are read back together: what a sink does for showing what it has just been sent costs it about the same for
// one record as for many.
const mostReadBack = 5000

// The pause between two tries is chosen at random up to a bound that doubles ("full jitter"), so that many drains do
// not come back together.
const (
	firstPause  = time.Second
	longestWait = time.Minute
)

// Drain sends what is pending of one outbox to one sink.
type Drain struct {
	Outbox rundir.Outbox
	Sinks  Registry
	URL    string
	// Wait is how long it is tried again what could not be sent; 0: each record is tried once.
	Wait time.Duration
}

// Run sends what is pending, until nothing is, there is nothing more to try, or the time is over. The report tells what
// happened, also when it fails.
func (d Drain) Run(ctx context.Context) protocol.UploadReport {
	report := protocol.UploadReport{URL: d.URL}
	ids, err := d.Outbox.Pending()
	if err == nil && len(ids) > 0 {
		if err = d.Sinks.Check(d.URL); err == nil {
			err = d.leased(ctx, ids, &report)
		}
	}
	left, lerr := d.Outbox.Pending()
	report.Pending = len(left)
	if dead, derr := d.Outbox.Dead(); derr == nil {
		report.Dead = len(dead)
	}
	if err := errors.Join(err, lerr); err != nil {
		report.Error = strings.ReplaceAll(err.Error(), "\n", "; ") // of several the report has one line
	}
	return report
}

func (d Drain) leased(ctx context.Context, ids []string, report *protocol.UploadReport) error {
	lease, err := d.Outbox.Lease()
	if err != nil {
		return err
	}
	defer lease.Release()
	s := sending{Drain: d, until: time.Now().Add(d.Wait), report: report, pause: fullJitter()}
	if err = s.all(ctx, ids); err != nil {
		s.lasting.add(err)
	}
	return errors.Join(s.lasting.err(), s.close(), d.Outbox.Settle())
}

func fullJitter() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval, b.Multiplier, b.RandomizationFactor = firstPause/2, longestWait/2, 2, 1
	return b
}

// sending is one drain at work.
type sending struct {
	Drain
	sink    Sink // nil: it is not open
	until   time.Time
	report  *protocol.UploadReport
	pause   *backoff.ExponentialBackOff
	lasting faults     // of records that are not tried again
	mu      sync.Mutex // over the report
}

// all sends records in rounds: what could not be sent in one is tried in the next.
func (s *sending) all(ctx context.Context, ids []string) error {
	for {
		left, wait, err := s.round(ctx, ids)
		if len(left) == 0 || errors.Is(err, errDenied) || ctx.Err() != nil {
			return err
		}
		wait = max(wait, s.pause.NextBackOff())
		if time.Now().Add(wait).After(s.until) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
		ids = left
	}
}

// round tries each record once. left are those to be tried again, after that pause at least.
func (s *sending) round(ctx context.Context, ids []string) (left []string, wait time.Duration, err error) {
	if s.sink == nil {
		if s.sink, err = s.Sinks.Open(ctx, s.URL); err != nil {
			if !errors.Is(err, errDenied) {
				left = ids
			}
			return left, 0, errors.Join(err, s.unopened(ids, err))
		}
	}
	var faults faults
	for some := range slices.Chunk(ids, mostReadBack) {
		again, after, err := s.together(ctx, some, &faults)
		left, wait = append(left, again...), max(wait, after)
		if err != nil {
			return left, wait, err
		}
	}
	return left, wait, faults.err()
}

// together sends records in parts, reads back together what the sink says it has, and notes how each went.
func (s *sending) together(ctx context.Context, ids []string, faults *faults) (
	left []string, wait time.Duration, err error,
) {
	var mu sync.Mutex
	var all went
	group, sendCtx := errgroup.WithContext(ctx)
	group.SetLimit(partsAtOnce)
	for batch := range slices.Chunk(ids, mostRecords) {
		group.Go(func() error {
			part, err := s.part(sendCtx, s.read(batch), faults)
			mu.Lock()
			defer mu.Unlock()
			all.add(part)
			return err
		})
	}
	err = group.Wait()
	again, berr := s.readBack(ctx, all.kept, faults)
	return append(all.left, again...), all.wait, errors.Join(err, berr)
}

// went is how it went with records that were sent.
type went struct {
	kept []results.Record // the sink says that it has them
	left []string         // these are to be tried again
	wait time.Duration    // after this pause at least
}

func (w *went) add(o went) {
	w.kept, w.left, w.wait = append(w.kept, o.kept...), append(w.left, o.left...), max(w.wait, o.wait)
}

// read reads records. One that cannot be read is dead, and blocks no other.
func (s *sending) read(ids []string) (records []results.Record) {
	for _, id := range ids {
		r, err := s.Outbox.Records().Read(id)
		if err != nil {
			s.bury(id, err)
			continue
		}
		records = append(records, r)
	}
	return records
}

func (s *sending) bury(id string, why error) { s.lasting.add(why, s.Outbox.Bury(id, why.Error())) }

// part sends some records. What the sink may have since an earlier try is looked for first.
func (s *sending) part(ctx context.Context, records []results.Record, faults *faults) (went, error) {
	records, err := s.withoutStored(ctx, records, faults)
	if err != nil {
		return went{left: IDs(records)}, s.postpone(records, err, faults)
	}
	if len(records) == 0 { // all are there, or none could be read
		return went{}, nil
	}
	outcomes := s.sink.Send(ctx, records)
	if len(outcomes) < len(records) {
		missing := fmt.Errorf("the sink says nothing about %d records", len(records)-len(outcomes))
		outcomes = append(outcomes, Same(len(records)-len(outcomes), Failed(Later, missing))...)
	}
	if outcomes[0].Fate == Apart && len(records) > 1 {
		return s.halves(ctx, records, faults)
	}
	var w went
	for i, r := range records {
		switch o := outcomes[i]; o.Fate {
		case Kept:
			w.kept = append(w.kept, r)
		case Never, Apart:
			s.bury(r.ID, fmt.Errorf("record %s: %w", r.ID, o.Err))
		case Denied:
			return went{left: IDs(records)}, fmt.Errorf("%w: %w", errDenied, o.Err)
		case Later:
			w.left, w.wait = append(w.left, r.ID), max(w.wait, o.RetryAfter)
			faults.add(o.Err, s.tried(r.ID, o.Err))
		}
	}
	return w, nil
}

// halves sends in two parts what was refused as a whole.
func (s *sending) halves(ctx context.Context, records []results.Record, faults *faults) (went, error) {
	half := len(records) / 2
	w, err := s.part(ctx, records[:half], faults)
	if err != nil {
		w.left = append(w.left, IDs(records[half:])...)
		return w, err
	}
	more, err := s.part(ctx, records[half:], faults)
	w.add(more)
	return w, err
}

// withoutStored takes out what the sink has from an earlier try.
func (s *sending) withoutStored(ctx context.Context, records []results.Record, faults *faults) (
	[]results.Record, error,
) {
	var tried []results.Record
	for _, r := range records {
		if s.Outbox.TriesOf(r.ID).Tries > 0 {
			tried = append(tried, r)
		}
	}
	if len(tried) == 0 {
		return records, nil
	}
	stored, err := s.sink.Stored(ctx, tried)
	if err != nil {
		return records, err
	}
	return slices.DeleteFunc(slices.Clone(records), func(r results.Record) bool {
		_, there := stored[r.ID]
		if there {
			s.settle(r, stored, faults)
		}
		return there
	}), nil
}

// readBack looks whether the sink has what it says it has.
func (s *sending) readBack(ctx context.Context, kept []results.Record, faults *faults) (left []string, err error) {
	if len(kept) == 0 {
		return nil, nil
	}
	stored, err := s.sink.Stored(ctx, kept)
	if err != nil {
		return IDs(kept), s.postpone(kept, fmt.Errorf("cannot read back what was sent: %w", err), faults)
	}
	for _, r := range kept {
		if _, there := stored[r.ID]; there {
			s.settle(r, stored, faults)
			continue
		}
		err := errors.New("the sink took it, and does not have it")
		left = append(left, r.ID)
		faults.add(fmt.Errorf("record %s: %w", r.ID, err), s.tried(r.ID, err))
	}
	return left, nil
}

// settle notes that the sink has a record of this id: ours is sent, another one is in its way for ever. Of a point that
// was recorded when it was measured, what is imported later is no news, and that it is not taken no fault.
func (s *sending) settle(r results.Record, stored map[string]string, faults *faults) {
	got, report := stored[r.ID], s.report
	switch {
	case got == r.Digest():
		err := s.Outbox.MarkSent(r.ID, r.Digest())
		s.count(err, func() { report.Sent++ })
		faults.add(err)
	case r.Provenance.Imported != nil:
		err := s.Outbox.Bury(r.ID, protocol.KnownRecord)
		s.count(err, func() {
			name := fmt.Sprintf("%s (%s, concurrency %d)", r.ID, r.Case, r.Point.Concurrency)
			report.Known = append(report.Known, name)
		})
		faults.add(err)
	default:
		err := fmt.Errorf("the sink has another record of this id, with the digest %q", got)
		s.bury(r.ID, fmt.Errorf("record %s: %w", r.ID, err))
	}
}

// count counts in the report what was noted.
func (s *sending) count(err error, count func()) {
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		count()
	}
}

// postpone notes that the sink cannot be asked about records now.
func (s *sending) postpone(records []results.Record, err error, faults *faults) error {
	if errors.Is(err, errDenied) {
		return err
	}
	faults.add(err)
	for _, r := range records {
		faults.add(s.tried(r.ID, err))
	}
	return nil
}

// unopened notes why records are pending that nobody has tried to send, since the sink cannot be opened.
func (s *sending) unopened(ids []string, why error) error {
	for _, id := range ids {
		t := s.Outbox.TriesOf(id)
		if t.Error == why.Error() { // it has been noted before
			continue
		}
		t.Last, t.Error = time.Now().UTC(), why.Error()
		if err := s.Outbox.Tried(id, t); err != nil {
			return err
		}
	}
	return nil
}

func (s *sending) tried(id string, why error) error {
	t := s.Outbox.TriesOf(id)
	t.Tries++
	t.Last, t.Error = time.Now().UTC(), why.Error()
	return s.Outbox.Tried(id, t)
}

func (s *sending) close() error {
	if s.sink == nil {
		return nil
	}
	err := s.sink.Close()
	s.sink = nil
	return err
}

// errDenied says that the sink takes nothing from us, however often it is tried.
var errDenied = errors.New("the sink refuses access")

// Refused wraps an error of opening or reading a sink that says that our credentials are not good.
func Refused(err error) error { return fmt.Errorf("%w: %w", errDenied, err) }

// faults are what went wrong, in a round or for good.
type faults struct {
	mu   sync.Mutex
	list []error
}

func (f *faults) add(errs ...error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, err := range errs {
		if err != nil {
			f.list = append(f.list, err)
		}
	}
}

// err is the first fault, and how many others there are.
func (f *faults) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch len(f.list) {
	case 0:
		return nil
	case 1:
		return f.list[0]
	}
	return fmt.Errorf("%w (and %d more)", f.list[0], len(f.list)-1)
}
