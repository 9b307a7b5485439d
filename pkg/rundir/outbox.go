package rundir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/disagg/disagg/pkg/atomicfile"
	"github.com/disagg/disagg/pkg/results"
)

// The states of a record, which are folders of markers.
const (
	pending = "pending"
	sent    = "sent"
	dead    = "dead" // no sink will ever take it; the marker says why
)

// Outbox notes which records of an attempt were sent: one marker file a record. Nothing is ever deleted, only moved
// from one state to another.
type Outbox struct {
	dir     string
	records string
}

// OpenOutbox is the attempt's outbox.
func (a Attempt) OpenOutbox() Outbox { return Outbox{dir: a.Outbox(), records: a.Records()} }

// SaveRecord keeps a record durably and notes it as pending, unless its state is known already. A record that was
// measured again takes the place of the one before.
func (o Outbox) SaveRecord(r results.Record) error {
	data, err := r.Encode()
	if err == nil {
		err = os.MkdirAll(o.records, folderMode)
	}
	if err == nil {
		err = atomicfile.Write(filepath.Join(o.records, r.ID+".json"), data, sharedMode)
	}
	if err != nil {
		return fmt.Errorf("cannot save record: %w", err)
	}
	return o.Add(r.ID)
}

// Add notes a saved record as pending, unless its state is known already.
func (o Outbox) Add(id string) error {
	for _, state := range []string{pending, sent, dead} {
		if err := os.MkdirAll(filepath.Join(o.dir, state), folderMode); err != nil {
			return fmt.Errorf("cannot note record as pending: %w", err)
		}
	}
	for _, state := range []string{sent, dead} {
		if _, err := os.Stat(filepath.Join(o.dir, state, id)); err == nil {
			return nil
		}
	}
	err := atomicfile.Create(filepath.Join(o.dir, pending, id), nil, sharedMode)
	if err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("cannot note record as pending: %w", err)
	}
	return nil
}

// Pending lists the ids that are still to be sent.
func (o Outbox) Pending() ([]string, error) { return o.list(pending) }

// Dead lists the ids that no sink will take.
func (o Outbox) Dead() ([]string, error) { return o.list(dead) }

func (o Outbox) list(state string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(o.dir, state))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot list %s records: %w", state, err)
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

// Record reads a record.
func (o Outbox) Record(id string) (results.Record, error) {
	f, err := os.Open(filepath.Join(o.records, id+".json"))
	var data []byte
	if err == nil {
		data, err = readAll(f, maxJSON)
		_ = f.Close()
	}
	if err != nil {
		return results.Record{}, fmt.Errorf("cannot read record %s: %w", id, err)
	}
	return results.DecodeRecord(id, data)
}

// Sent notes a record as sent. Another drain may have done so already.
func (o Outbox) Sent(id string) error {
	err := os.Rename(filepath.Join(o.dir, pending, id), filepath.Join(o.dir, sent, id))
	if _, there := os.Stat(filepath.Join(o.dir, sent, id)); err != nil && there != nil {
		return fmt.Errorf("cannot note record as sent: %w", err)
	}
	return nil
}

// Bury notes a record as dead, with the reason.
func (o Outbox) Bury(id, reason string) error {
	err := atomicfile.Write(filepath.Join(o.dir, dead, id), []byte(reason+"\n"), sharedMode)
	if err == nil {
		if err = os.Remove(filepath.Join(o.dir, pending, id)); errors.Is(err, os.ErrNotExist) {
			return nil // another drain has done so
		}
	}
	if err != nil {
		return fmt.Errorf("cannot note record as dead: %w", err)
	}
	return nil
}

// Settle makes what was noted durable.
func (o Outbox) Settle() error {
	return errors.Join(atomicfile.SyncDir(filepath.Join(o.dir, sent)), atomicfile.SyncDir(filepath.Join(o.dir, dead)))
}

// All lists every record of the attempt, in the order of their points.
func (o Outbox) All() (all []results.Record) {
	for _, f := range filesIn(o.records, "", ".json") {
		if rec, err := o.Record(strings.TrimSuffix(filepath.Base(f), ".json")); err == nil {
			all = append(all, rec)
		}
	}
	slices.SortFunc(all, func(a, b results.Record) int { return a.Point.Index - b.Point.Index })
	return all
}
