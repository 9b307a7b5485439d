package upload_test

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/upload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const place = "shelf://x"

// attempt is one in a fresh run directory.
func attempt(t *testing.T) rundir.Attempt {
	t.Helper()
	return rundir.Dir(t.TempDir()).Attempt(0)
}

// save keeps a record of each concurrency, and returns the outbox of the shelf and the records' ids.
func save(t *testing.T, a rundir.Attempt, concurrency ...int) (o rundir.Outbox, ids []string) {
	t.Helper()
	for i, c := range concurrency {
		pt := protocol.Point{Index: i, Concurrency: c, Successful: 1}
		from := results.Origin{Case: roles.Case{Name: "c", TestID: "disagg-e2e-c"}, RunID: "run-0", JobID: "1"}
		r := results.NewRecord(from, pt, time.Unix(1e9, 0))
		if err := a.RecordStore().Save(r); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.ID)
	}
	return a.OpenOutbox(upload.Folder(place)), ids
}

// shelf is a sink in memory.
type shelf struct {
	// say says how sending goes, by concurrency; what it leaves out goes well.
	say map[int]upload.Outcome
	// until is when say ends, zero: never.
	until time.Time
	// rounds are says of the first calls of Send, one a call.
	rounds []map[int]upload.Outcome
	// answers is how many records it says something about; 0: all.
	answers int
	// refuses is why it cannot be opened, fails why it cannot be closed, deaf why it cannot be asked.
	refuses, fails, deaf error
	// loses says of which records it says that it has them, although it has not.
	loses map[int]bool
	// most is how many records it takes together; 0: any number.
	most int

	mu    sync.Mutex
	kept  map[string]results.Record
	sends [][]int // concurrencies of each call
	open  int
}

// drain is one of an outbox into the shelf.
func (s *shelf) drain(o rundir.Outbox) upload.Drain {
	return upload.Drain{Outbox: o, Sinks: s.registry(), URL: place}
}

// registry is the shelf as the only sink of a program.
func (s *shelf) registry() upload.Registry {
	return upload.Registry{{
		Name: "shelf", Form: "shelf://PLACE",
		Check: func(u *url.URL) error {
			if u.Host == "" {
				return errors.New("it names no place")
			}
			return nil
		},
		Open: func(context.Context, *url.URL) (upload.Sink, error) {
			if s.refuses != nil {
				return nil, s.refuses
			}
			s.open++
			return s, nil
		},
	}}
}

func (s *shelf) Send(_ context.Context, records []results.Record) []upload.Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	say := s.say
	if !s.until.IsZero() && time.Now().After(s.until) {
		say = nil
	}
	if len(s.rounds) > 0 {
		say, s.rounds = s.rounds[0], s.rounds[1:]
	}
	var sent []int
	for _, r := range records {
		sent = append(sent, r.Point.Concurrency)
	}
	s.sends = append(s.sends, sent)
	if s.most > 0 && len(records) > s.most {
		return upload.Same(len(records), upload.Failed(upload.Apart, errors.New("too many at once")))
	}
	list := upload.Same(len(records), upload.Outcome{})
	for i, r := range records {
		if list[i] = say[r.Point.Concurrency]; list[i].Err == nil && !s.loses[r.Point.Concurrency] {
			s.keep(r)
		}
	}
	if s.answers > 0 {
		list = list[:s.answers]
	}
	return list
}

func (s *shelf) keep(r results.Record) {
	if s.kept == nil {
		s.kept = map[string]results.Record{}
	}
	if _, there := s.kept[r.ID]; !there {
		s.kept[r.ID] = r
	}
}

func (s *shelf) Stored(_ context.Context, records []results.Record) (map[string]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[string]string{}
	for _, asked := range records {
		if r, there := s.kept[asked.ID]; there {
			found[r.ID] = r.Digest()
		}
	}
	return found, s.deaf
}

func (s *shelf) History(context.Context, upload.Query) ([]results.Record, error) {
	return slices.Collect(maps.Values(s.kept)), nil
}

func (s *shelf) Close() error {
	s.open--
	return s.fails
}

// has is what the shelf has, by concurrency.
func (s *shelf) has() (list []int) {
	for _, r := range s.kept {
		list = append(list, r.Point.Concurrency)
	}
	slices.Sort(list)
	return list
}

// marker is the file that notes a record's state.
func marker(a rundir.Attempt, state, id string) string {
	return filepath.Join(a.Outbox(), upload.Folder(place), state, id)
}
