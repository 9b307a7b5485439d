package upload

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
)

// Attempts lists the attempts of a run directory, or the one that a folder is.
func Attempts(dir string) (run rundir.Dir, attempts []rundir.Attempt, err error) {
	if a := rundir.Attempt(filepath.Clean(dir)); a.Number() >= 0 && filepath.Base(dir) != "current" {
		run, attempts = rundir.Dir(filepath.Dir(string(a))), []rundir.Attempt{a}
	} else {
		run = rundir.Dir(dir)
		names, _ := filepath.Glob(filepath.Join(dir, "attempt-*"))
		for _, n := range names {
			attempts = append(attempts, rundir.Attempt(n))
		}
	}
	for _, a := range attempts {
		if _, err := os.Stat(string(a)); err != nil {
			return "", nil, fmt.Errorf("cannot upload: %w", err)
		}
	}
	return run, attempts, nil
}

// DrainRun sends what is pending of some attempts to some sinks. The time to wait is for all of them together.
func (r Registry) DrainRun(ctx context.Context, attempts []rundir.Attempt, urls []string, wait time.Duration,
) protocol.UploadReport {
	until := time.Now().Add(wait)
	var reports []protocol.UploadReport
	for _, u := range urls {
		all := protocol.UploadReport{URL: u}
		for _, a := range attempts {
			d := Drain{Outbox: a.OpenOutbox(Folder(u)), Sinks: r, URL: u, Wait: max(time.Until(until), 0)}
			one := d.Run(ctx)
			all.Sent, all.Pending, all.Dead = all.Sent+one.Sent, all.Pending+one.Pending, all.Dead+one.Dead
			if all.Error == "" {
				all.Error = one.Error
			}
		}
		reports = append(reports, all)
	}
	return protocol.SumUploads(reports...)
}

// Doubt is a record that was sent, and that the sink does not have as it was sent.
type Doubt struct {
	ID    string `json:"id"`
	Found string `json:"found,omitempty"` // the digest that the sink has; "": it has no such record
}

// Verify asks a sink whether it still has what was sent. What it has not, or not as it was sent, is listed.
func (d Drain) Verify(ctx context.Context) (good int, doubts []Doubt, err error) {
	ids, err := d.Outbox.Sent()
	if err != nil || len(ids) == 0 {
		return 0, nil, err
	}
	sink, err := d.Sinks.open(ctx, d.URL)
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, sink.Close()) }()
	stored, err := sink.Stored(ctx, ids)
	if err != nil {
		return 0, nil, err
	}
	for _, id := range ids {
		r, err := d.Outbox.Records().Read(id)
		switch found, there := stored[id]; {
		case err != nil:
			return good, doubts, err
		case !there:
			doubts = append(doubts, Doubt{ID: id})
		case found != r.Digest():
			doubts = append(doubts, Doubt{ID: id, Found: found})
		default:
			good++
		}
	}
	return good, doubts, nil
}
