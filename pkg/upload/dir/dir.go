// Package dir is the sink for people who want files: one JSON file a record under the record's id, in folders that are
// named by the first two letters of ids. A file is created whole and never changed, so that no lock is needed, and it
// may lie on any file system.
package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/disagg/disagg/pkg/atomicfile"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/upload"
)

// Scheme is the sink's kind.
func Scheme() upload.Scheme {
	return upload.Scheme{
		Name: "dir", Form: "dir:///absolute/folder", About: "a folder with a file a record", Local: true,
		Check: upload.CheckPath, Open: open,
	}
}

const suffix = ".json"

type sink struct{ dir string }

func open(_ context.Context, u *url.URL) (upload.Sink, error) {
	if err := os.MkdirAll(u.Path, 0o755); err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", u.Path, err)
	}
	return sink{u.Path}, nil
}

// Close has nothing to do.
func (sink) Close() error { return nil }

// file is where a record is kept.
func (s sink) file(r results.Record) string {
	return filepath.Join(s.dir, r.ID[:min(len(r.ID), 2)], r.ID+suffix)
}

// Send keeps each record for itself.
func (s sink) Send(ctx context.Context, records []results.Record) []upload.Outcome {
	outcomes := make([]upload.Outcome, len(records))
	for i, r := range records {
		err := context.Cause(ctx)
		if err == nil {
			err = s.keep(r)
		}
		if err != nil {
			outcomes[i] = upload.Failed(upload.Later, fmt.Errorf("cannot send record %s: %w", r.ID, err))
		}
	}
	return outcomes
}

func (s sink) keep(r results.Record) error {
	data, err := r.Encode()
	if err != nil {
		return err
	}
	file := s.file(r)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := atomicfile.Create(file, data, 0o644); !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// Stored implements [upload.Sink].
func (s sink) Stored(_ context.Context, records []results.Record) (map[string]string, error) {
	found := map[string]string{}
	for _, r := range records {
		there, err := read(s.file(r))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found[r.ID] = there.Digest()
	}
	return found, nil
}

func read(file string) (results.Record, error) {
	data, err := rundir.ReadRegular(file)
	if err != nil {
		return results.Record{}, fmt.Errorf("cannot read record: %w", err)
	}
	return results.DecodeRecord(strings.TrimSuffix(filepath.Base(file), suffix), data)
}

// History implements [upload.Sink]. All files are read.
func (s sink) History(_ context.Context, q upload.Query) ([]results.Record, error) {
	var list []results.Record
	err := filepath.WalkDir(s.dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(file) != suffix || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		r, err := read(file)
		list = append(list, r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the history: %w", err)
	}
	return q.Select(list), nil
}
