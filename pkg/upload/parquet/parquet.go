package parquet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/atomicfile"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/upload"
)

// Scheme is the sink's kind.
func Scheme() upload.Scheme {
	return upload.Scheme{
		Name: "parquet", Form: "parquet:///absolute/folder", About: "a folder with a Parquet file per run", Local: true,
		Check: upload.CheckPath, Open: open,
	}
}

type sink struct{ dir string }

func open(_ context.Context, u *url.URL) (upload.Sink, error) {
	if err := os.MkdirAll(u.Path, 0o755); err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", u.Path, err)
	}
	return sink{u.Path}, nil
}

// Close has nothing to do.
func (sink) Close() error { return nil }

const suffix = ".parquet"

// plain are the ids of runs that can be names of files.
var plain = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$`)

// file is where a run's records are kept. An id that is no good name, which no plan gives, is replaced by its hash.
func (s sink) file(run string) string {
	if !plain.MatchString(run) {
		sum := sha256.Sum256([]byte(run))
		run = "run-" + hex.EncodeToString(sum[:16])
	}
	return filepath.Join(s.dir, run+suffix)
}

// Send keeps all records of a run or none.
func (s sink) Send(ctx context.Context, records []results.Record) []upload.Outcome {
	outcomes := make([]upload.Outcome, len(records))
	for run, places := range runs(records) {
		var list []results.Record
		for _, i := range places {
			list = append(list, records[i])
		}
		err := s.locked(ctx, func() error { return keep(s.file(run), list) })
		for _, i := range places {
			if err != nil {
				outcomes[i] = upload.Failed(upload.Later, fmt.Errorf("cannot send record %s: %w", records[i].ID, err))
			}
		}
	}
	return outcomes
}

// runs are the places of the records of each run.
func runs(records []results.Record) map[string][]int {
	places := map[string][]int{}
	for i, r := range records {
		places[r.RunID] = append(places[r.RunID], i)
	}
	return places
}

// lockPoll is how often a lock that somebody holds is tried again. They hold it for one file.
const lockPoll = 10 * time.Millisecond

// locked calls a function while nobody else replaces a file. The lock ends with the process.
func (s sink) locked(ctx context.Context, do func() error) error {
	f, err := os.OpenFile(filepath.Join(s.dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return err
	}
	defer f.Close()
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for ctx.Err() == nil {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return do()
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("cannot lock %s: %w", f.Name(), err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return context.Cause(ctx)
}

// keep adds to a file the records that it does not have.
func keep(file string, records []results.Record) error {
	there, err := readFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	all := there
	for _, r := range records {
		if !slices.ContainsFunc(all, func(o results.Record) bool { return o.ID == r.ID }) {
			all = append(all, r)
		}
	}
	if len(all) == len(there) {
		return nil
	}
	data, err := encodeFile(all)
	if err != nil {
		return err
	}
	return atomicfile.Write(file, data, 0o644)
}

// Stored implements [upload.Sink].
func (s sink) Stored(_ context.Context, records []results.Record) (map[string]string, error) {
	found := map[string]string{}
	for run, places := range runs(records) {
		there, err := readFile(s.file(run))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		digests := map[string]string{}
		for _, r := range there {
			digests[r.ID] = r.Digest()
		}
		for _, i := range places {
			if digest, is := digests[records[i].ID]; is {
				found[records[i].ID] = digest
			}
		}
	}
	return found, nil
}

// History implements [upload.Sink]. All files are read.
func (s sink) History(_ context.Context, q upload.Query) ([]results.Record, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("cannot read the history: %w", err)
	}
	var list []results.Record
	for _, e := range entries {
		if e.IsDir() || filepath.Ext(e.Name()) != suffix {
			continue
		}
		records, err := readFile(filepath.Join(s.dir, e.Name()))
		if errors.Is(err, errForeign) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, records...)
	}
	return q.Select(list), nil
}
