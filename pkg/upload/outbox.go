package upload

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"

	"github.com/disagg/disagg/pkg/atomicfile"
	"github.com/disagg/disagg/pkg/results"
)

// Outbox notes which records of an attempt were sent.
type Outbox struct {
	Dir     string // holds pending, sent and dead
	Records string // folder of the records
}

// The states of a record, which are folders of markers.
const (
	pending = "pending"
	sent    = "sent"
	dead    = "dead" // the sink will never take it
)

// Add notes a saved record as pending, unless its state is known already.
func (o Outbox) Add(id string) error {
	for _, state := range []string{pending, sent, dead} {
		if err := os.MkdirAll(filepath.Join(o.Dir, state), 0o755); err != nil {
			return fmt.Errorf("cannot note record as pending: %w", err)
		}
	}
	for _, state := range []string{sent, dead} {
		if _, err := os.Stat(filepath.Join(o.Dir, state, id)); err == nil {
			return nil
		}
	}
	err := atomicfile.Create(filepath.Join(o.Dir, pending, id), nil, 0o644)
	if err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("cannot note record as pending: %w", err)
	}
	return nil
}

// Pending lists the ids that are still to be sent.
func (o Outbox) Pending() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(o.Dir, pending))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot list pending records: %w", err)
	}
	var ids []string
	for _, e := range entries {
		if e.Name()[0] != '.' {
			ids = append(ids, e.Name())
		}
	}
	sort.Strings(ids)
	return ids, nil
}

// Drain sends what is pending to the sink that a URL names. The report tells what happened, also when it fails.
func (o Outbox) Drain(ctx context.Context, url string) (report results.UploadReport) {
	report.URL = url
	ids, err := o.Pending()
	report.Pending = len(ids)
	if err == nil && len(ids) > 0 {
		err = o.send(ctx, url, ids)
	}
	if err != nil {
		report.Error = err.Error()
		return report
	}
	report.Sent, report.Pending = len(ids), 0
	return report
}

func (o Outbox) send(ctx context.Context, url string, ids []string) (err error) {
	var records []results.Record
	for _, id := range ids {
		r, err := results.ReadRecord(o.Records, id)
		if err != nil {
			return err
		}
		records = append(records, r)
	}
	sink, err := Open(url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sink.Close()) }()
	if err := sink.Send(ctx, records); err != nil {
		return err
	}
	for _, id := range ids {
		if err := os.Rename(filepath.Join(o.Dir, pending, id), filepath.Join(o.Dir, sent, id)); err != nil {
			return fmt.Errorf("cannot note record as sent: %w", err)
		}
	}
	return atomicfile.SyncDir(filepath.Join(o.Dir, sent))
}
