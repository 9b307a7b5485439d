package upload

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"time"

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
func (o Outbox) Drain(ctx context.Context, sinks Sinks, url string) (report results.UploadReport) {
	report.URL = url
	ids, err := o.Pending()
	report.Pending = len(ids)
	if err == nil && len(ids) > 0 {
		err = o.send(ctx, sinks, url, ids)
	}
	if err != nil {
		report.Error = err.Error()
		return report
	}
	report.Sent, report.Pending = len(ids), 0
	return report
}

// DrainBy lets another program send what is pending: the databases' drivers are no part of an agent, of which there is one
// a rank. The program prints its report as JSON. The end of the context kills it, and leaves the rest pending.
func (o Outbox) DrainBy(ctx context.Context, program []string, url string) results.UploadReport {
	report := results.UploadReport{URL: url}
	before, err := o.Pending()
	if err != nil {
		report.Error = err.Error()
	}
	if len(before) == 0 {
		return report
	}
	out, err := run(ctx, program)
	if json.Unmarshal(out, &report) == nil && report.URL != "" {
		return report
	}
	left, _ := o.Pending()
	return results.UploadReport{URL: url, Sent: len(before) - len(left), Pending: len(left), Error: err.Error()}
}

// run runs a program and returns what it prints; the error, for want of that, tells why.
func run(ctx context.Context, program []string) ([]byte, error) {
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, program[0], program[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &said, time.Second
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("cannot upload: %w: not done in time", ctx.Err())
	case errors.Is(err, os.ErrNotExist):
		err = fmt.Errorf("cannot upload: %w: install disagg-submit beside disagg-agent", err)
	default:
		err = fmt.Errorf("cannot upload: %s ended without a report: %v: %s", program[0], err, bytes.TrimSpace(said.Bytes()))
	}
	return out.Bytes(), err
}

func (o Outbox) send(ctx context.Context, sinks Sinks, url string, ids []string) (err error) {
	var records []results.Record
	for _, id := range ids {
		r, err := results.ReadRecord(o.Records, id)
		if err != nil {
			return err
		}
		records = append(records, r)
	}
	sink, err := sinks.open(url)
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
