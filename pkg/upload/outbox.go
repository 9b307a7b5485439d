package upload

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/rundir"
)

// Outbox sends the records of one attempt.
type Outbox struct{ rundir.Outbox }

// Drain sends what is pending to the sink that a URL names. The report tells what happened, also when it fails.
func (o Outbox) Drain(ctx context.Context, sinks Registry, url string) protocol.UploadReport {
	report := protocol.UploadReport{URL: url}
	ids, err := o.Pending()
	if err == nil && len(ids) > 0 {
		err = o.send(ctx, sinks, url, ids, &report)
	}
	left, lerr := o.Pending()
	report.Pending = len(left)
	if dead, derr := o.Dead(); derr == nil {
		report.Dead = len(dead)
	}
	if err := errors.Join(err, lerr); err != nil {
		report.Error = err.Error()
	}
	return report
}

// send sends records and notes for each how it went. A record that cannot be read is dead, and blocks no other.
func (o Outbox) send(
	ctx context.Context, sinks Registry, url string, ids []string, report *protocol.UploadReport,
) (err error) {
	sink, err := sinks.open(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sink.Close()) }()
	var records []results.Record
	var faults []error
	for _, id := range ids {
		r, err := o.Record(id)
		if err != nil {
			faults = append(faults, err, o.Bury(id, err.Error()))
			continue
		}
		records = append(records, r)
	}
	if len(records) > 0 {
		faults = append(faults, o.note(records, sink.Send(ctx, records), report)...)
	}
	return errors.Join(first(faults), o.Settle())
}

// note notes how sending each of the records went, and lists what went wrong. What the sink says nothing about stays
// pending.
func (o Outbox) note(records []results.Record, outcomes []Outcome, report *protocol.UploadReport) (faults []error) {
	for i, r := range records {
		if i >= len(outcomes) {
			return append(faults, fmt.Errorf("the sink says nothing about %d records", len(records)-i))
		}
		switch said := outcomes[i]; {
		case said.Err == nil:
			err := o.Sent(r.ID)
			if err == nil {
				report.Sent++
			}
			faults = append(faults, err)
		case said.Dead:
			faults = append(faults, fmt.Errorf("record %s: %w", r.ID, said.Err), o.Bury(r.ID, said.Err.Error()))
		default:
			faults = append(faults, said.Err)
		}
	}
	return faults
}

// first is the first fault, and how many others there are.
func first(faults []error) error {
	var found []error
	for _, f := range faults {
		if f != nil {
			found = append(found, f)
		}
	}
	switch len(found) {
	case 0:
		return nil
	case 1:
		return found[0]
	}
	return fmt.Errorf("%w (and %d more)", found[0], len(found)-1)
}

// DrainBy lets another program send what is pending: the databases' drivers are no part of an agent, of which there is
// one a rank. The program prints its report as JSON. The end of the context kills it, and leaves the rest pending.
func (o Outbox) DrainBy(ctx context.Context, program []string, url string) protocol.UploadReport {
	before, err := o.Pending()
	if err != nil {
		return protocol.UploadReport{URL: url, Error: err.Error()}
	}
	if len(before) == 0 {
		return protocol.UploadReport{URL: url}
	}
	out, err := run(ctx, program)
	var report protocol.UploadReport
	if json.Unmarshal(out, &report) == nil && report.URL != "" {
		return report
	}
	report = protocol.UploadReport{URL: url, Error: err.Error()}
	left, lerr := o.Pending()
	if lerr != nil {
		left = before // what cannot be seen is not taken for sent
	}
	report.Sent, report.Pending = len(before)-len(left), len(left)
	return report
}

// killDelay is how long a program that was killed may hold its output.
const killDelay = 100 * time.Millisecond

// run runs a program and returns what it printed. The error says why that may be no report; it is never nil.
func run(ctx context.Context, program []string) ([]byte, error) {
	if len(program) == 0 {
		return nil, errors.New("cannot upload: there is no program to do it")
	}
	var out, said prefix
	cmd := exec.CommandContext(ctx, program[0], program[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &said, killDelay
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		err = errors.New("cannot upload: it was not done in time")
	case errors.Is(err, os.ErrNotExist), errors.Is(err, exec.ErrNotFound):
		err = fmt.Errorf("cannot upload: %w: install disagg-submit beside disagg-agent", err)
	case err != nil:
		err = fmt.Errorf("cannot upload: %s ended without a report: %w: %s", program[0], err, said.lastLine())
	default:
		err = fmt.Errorf("cannot upload: %s ended without a report: %s", program[0], said.lastLine())
	}
	return out.text, err
}

// mostOutput is how much of what a program prints is kept: a report is far smaller.
const mostOutput = 64 << 10

// prefix keeps the beginning of what is written to it.
type prefix struct{ text []byte }

func (p *prefix) Write(b []byte) (int, error) {
	p.text = append(p.text, b[:min(len(b), mostOutput-len(p.text))]...)
	return len(b), nil
}

func (p *prefix) lastLine() []byte {
	text := bytes.TrimSpace(p.text)
	return text[bytes.LastIndexByte(text, '\n')+1:]
}
