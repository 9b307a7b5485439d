package healthcheck

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync/atomic"
	"time"
)

// TCP probes whether somebody accepts connections.
type TCP struct {
	Address string // host:port
	Tries   Tries
}

// Probe connects.
func (p TCP) Probe(ctx context.Context) error {
	if err := Connect(ctx, p.Address, p.Tries); err != nil {
		return networkFailure(err)
	}
	return nil
}

// Command probes by running a command: exit code 0 is healthy.
type Command struct {
	// Run runs the command and returns the end of its output and its exit code; the end of the context kills it.
	Run     func(ctx context.Context) (output []byte, code int, err error)
	Timeout time.Duration
}

// Probe runs the command once.
func (p Command) Probe(ctx context.Context) error {
	ctx, cancel := Within(ctx, p.Timeout)
	defer cancel()
	output, code, err := p.Run(ctx)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &Failure{Reason: Timeout, Detail: detail(output)}
	case err != nil:
		return &Failure{Reason: Exit, Detail: err.Error()}
	case code != 0:
		return &Failure{Reason: Exit, Detail: fmt.Sprintf("%d %s", code, detail(output))}
	}
	return nil
}

// LogLine is healthy once a line of the service's log has a form.
type LogLine struct {
	form *regexp.Regexp
	seen atomic.Bool
}

// NewLogLine waits for a line that matches.
func NewLogLine(form *regexp.Regexp) *LogLine { return &LogLine{form: form} }

// Line takes the next line of the log.
func (p *LogLine) Line(text string) {
	if !p.seen.Load() && p.form.MatchString(text) {
		p.seen.Store(true)
	}
}

// Probe tells whether the line was there.
func (p *LogLine) Probe(context.Context) error {
	if p.seen.Load() {
		return nil
	}
	return &Failure{Reason: Missing, Detail: fmt.Sprintf("no line matches %s yet", p.form)}
}
