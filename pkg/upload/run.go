package upload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/rundir"
)

// Attempts lists the attempts of a run directory, the oldest first, or the one that a folder is.
func Attempts(dir string) (run rundir.Dir, attempts []rundir.Attempt, err error) {
	if a := rundir.Attempt(filepath.Clean(dir)); a.Number() >= 0 && filepath.Base(dir) != "current" {
		run, attempts = rundir.Dir(filepath.Dir(string(a))), []rundir.Attempt{a}
		_, err = os.Stat(string(a))
	} else {
		run = rundir.Dir(dir)
		attempts, err = attemptsIn(dir)
	}
	if err != nil {
		return "", nil, fmt.Errorf("cannot look for attempts: %w", err)
	}
	return run, attempts, nil
}

// attemptsIn lists the attempts in a folder. One that is not there has none. A link to a folder is no attempt: it may
// lead to somebody else's files.
func attemptsIn(dir string) (list []rundir.Attempt, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if a := rundir.Attempt(filepath.Join(dir, e.Name())); a.Number() >= 0 && e.IsDir() {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b rundir.Attempt) int { return cmp.Compare(a.Number(), b.Number()) })
	return list, nil
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
			all.Known = append(all.Known, one.Known...)
			if all.Error == "" {
				all.Error = one.Error
			}
		}
		reports = append(reports, all)
	}
	return protocol.SumUploads(reports...)
}

// historyBound is how long asking one sink for the history may take.
const historyBound = 15 * time.Second

// History asks sinks for the earlier records of some series: the first one that has any. Of a sink whose file is not
// there yet there is none. That there are none is known only if every sink has answered.
func (r Registry) History(ctx context.Context, urls []string, q Query) results.History {
	h := results.History{Schema: 1, TakenAt: time.Now().UTC(), Records: []results.Record{}}
	var faults []string
	for _, u := range urls {
		records, err := r.historyOf(ctx, u, q)
		if err != nil {
			faults = append(faults, err.Error())
			continue
		}
		h.From = u
		for _, rec := range records {
			rec.Document = detectorFields(rec.Document)
			h.Records = append(h.Records, rec)
		}
		if len(records) > 0 {
			return h
		}
	}
	h.Error = strings.Join(faults, "; ")
	return h
}

func (r Registry) historyOf(ctx context.Context, url string, q Query) (records []results.Record, err error) {
	ctx, cancel := context.WithTimeout(ctx, historyBound)
	defer cancel()
	sink, err := r.OpenToRead(ctx, url)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sink.Close()) }()
	return sink.History(ctx, q)
}

// detectorFields are the fields of a document that a detector reads.
func detectorFields(doc map[string]any) map[string]any {
	kept := map[string]any{}
	for name, v := range doc {
		if strings.HasPrefix(name, "d_baseline_") || strings.HasPrefix(name, "d_threshold_") {
			kept[name] = v
		}
	}
	return kept
}

// Doubt is a record that was sent, and of which the sink does not have, or may not have, what was sent.
type Doubt struct {
	ID    string `json:"id"`
	Found string `json:"found,omitempty"` // the digest that the sink has; "": it has no such record
	Error string `json:"error,omitempty"` // why our own record cannot be compared with what the sink has
}

// Verify asks a sink whether it still has what was sent. What it has not, or not as it was sent, is listed.
func (d Drain) Verify(ctx context.Context) (good int, doubts []Doubt, err error) {
	ids, err := d.Outbox.Sent()
	if err != nil || len(ids) == 0 {
		return 0, nil, err
	}
	sink, err := d.Sinks.OpenToRead(ctx, d.URL)
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, sink.Close()) }()
	var records []results.Record
	for _, id := range ids {
		r, err := d.Outbox.Records().Read(id)
		if err != nil {
			doubts = append(doubts, Doubt{ID: id, Error: err.Error()})
			continue
		}
		records = append(records, r)
	}
	stored, err := sink.Stored(ctx, records)
	if err != nil {
		return 0, nil, err
	}
	for _, r := range records {
		switch found, there := stored[r.ID]; {
		case !there:
			doubts = append(doubts, Doubt{ID: r.ID})
		case found != r.Digest():
			doubts = append(doubts, Doubt{ID: r.ID, Found: found})
		default:
			good++
		}
	}
	return good, doubts, nil
}
