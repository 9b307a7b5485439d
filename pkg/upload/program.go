package upload

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
)

// DrainBy lets another program send what is pending for some sinks: the databases' drivers are no part of an agent, of
// which there is one per rank. The program prints its report as JSON. The end of the context kills it, and leaves the
// rest pending.
func DrainBy(ctx context.Context, program []string, a rundir.Attempt, urls []string) protocol.UploadReport {
	before, err := pendingOf(a, urls)
	if err != nil {
		return protocol.UploadReport{URL: strings.Join(urls, " "), Error: err.Error()}
	}
	if before == 0 {
		return protocol.UploadReport{URL: strings.Join(urls, " ")}
	}
	out, err := run(ctx, program)
	var report protocol.UploadReport
	if json.Unmarshal(out, &report) == nil && report.URL != "" {
		return report
	}
	report = protocol.UploadReport{URL: strings.Join(urls, " "), Error: err.Error()}
	left, lerr := pendingOf(a, urls)
	if lerr != nil {
		left = before // what cannot be seen is not taken for sent
	}
	report.Sent, report.Pending = max(before-left, 0), left
	return report
}

// pendingOf counts what is to be sent to some sinks.
func pendingOf(a rundir.Attempt, urls []string) (n int, err error) {
	for _, u := range urls {
		ids, err := a.OpenOutbox(Folder(u)).Pending()
		if err != nil {
			return 0, err
		}
		n += len(ids)
	}
	return n, nil
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
