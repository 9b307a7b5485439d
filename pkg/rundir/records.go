package rundir

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/atomicfile"
	"github.com/disagg/disagg/pkg/results"
)

// RecordStore keeps the records of an attempt: one file each, durable once it is saved, and never deleted.
type RecordStore struct{ dir string }

// RecordStore is the attempt's.
func (a Attempt) RecordStore() RecordStore { return RecordStore{dir: a.Records()} }

// Save keeps a record durably. A record that was measured again takes the place of the one before.
func (s RecordStore) Save(r results.Record) error {
	data, err := r.Encode()
	if err == nil {
		err = os.MkdirAll(s.dir, folderMode)
	}
	if err == nil {
		err = atomicfile.Write(s.file(r.ID), data, sharedMode)
	}
	if err != nil {
		return fmt.Errorf("cannot save record: %w", err)
	}
	return nil
}

func (s RecordStore) file(id string) string { return filepath.Join(s.dir, id+recordSuffix) }

const recordSuffix = ".json"

// IDs lists the records by their ids, sorted.
func (s RecordStore) IDs() ([]string, error) {
	files, err := namesIn(s.dir)
	if err != nil {
		return nil, fmt.Errorf("cannot list records: %w", err)
	}
	var ids []string
	for _, f := range files {
		if id, ok := strings.CutSuffix(f, recordSuffix); ok {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// Read reads a record.
func (s RecordStore) Read(id string) (results.Record, error) {
	data, err := ReadRegular(s.file(id))
	if err != nil {
		return results.Record{}, fmt.Errorf("cannot read record %s: %w", id, err)
	}
	return results.DecodeRecord(id, data)
}

// All lists every record that can be read, in the order of their points.
func (s RecordStore) All() []results.Record {
	all, _ := s.ReadAll()
	return all
}

// ReadAll is All, and the first fault of what cannot be read.
func (s RecordStore) ReadAll() (all []results.Record, err error) {
	ids, err := s.IDs()
	for _, id := range ids {
		rec, rerr := s.Read(id)
		if rerr == nil {
			all = append(all, rec)
		} else if err == nil {
			err = rerr
		}
	}
	slices.SortFunc(all, func(a, b results.Record) int { return a.Point.Index - b.Point.Index })
	return all, err
}
