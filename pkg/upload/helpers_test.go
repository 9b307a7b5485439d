package upload_test

import (
	"context"
	"errors"
	"net/url"
	"path/filepath"
	"slices"
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

// attempt is one in a fresh run directory.
func attempt(t *testing.T) rundir.Attempt {
	t.Helper()
	return rundir.Dir(t.TempDir()).Attempt(0)
}

// save keeps a record of each concurrency, and returns the attempt's outbox and the records' ids.
func save(t *testing.T, a rundir.Attempt, concurrency ...int) (o upload.Outbox, ids []string) {
	t.Helper()
	o.Outbox = a.OpenOutbox()
	for i, c := range concurrency {
		pt := protocol.Point{Index: i, Concurrency: c, Successful: 1}
		from := results.Origin{Case: roles.Case{Name: "c", TestID: "disagg-e2e-c"}, RunID: "run-0", JobID: "1"}
		r := results.NewRecord(from, pt, time.Now())
		if err := o.SaveRecord(r); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.ID)
	}
	return o, ids
}

// shelf is a sink in memory.
type shelf struct {
	// say says how sending goes, by concurrency; what it leaves out goes well.
	say map[int]upload.Outcome
	// answers is how many records it says something about; 0: all.
	answers int
	// refuses is why it cannot be opened, fails why it cannot be closed.
	refuses, fails error

	kept []int
	open int
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
	list := upload.Same(len(records), upload.Outcome{})
	for i, r := range records {
		if list[i] = s.say[r.Point.Concurrency]; list[i].Err == nil {
			s.kept = append(s.kept, r.Point.Concurrency)
		}
	}
	slices.Sort(s.kept)
	if s.answers > 0 {
		list = list[:s.answers]
	}
	return list
}

func (s *shelf) Close() error {
	s.open--
	return s.fails
}

// marker is the file that notes a record's state.
func marker(a rundir.Attempt, state, id string) string { return filepath.Join(a.Outbox(), state, id) }
