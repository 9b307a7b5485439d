package healthcheck

import (
	"context"
	"errors"
	"regexp"
	"sync/atomic"
	"time"
)

// Progress notices in a service's log that it gets on with its work.
type Progress struct {
	form *regexp.Regexp // of a line that shows it; nil: any line does
	last atomic.Int64   // when there was such a line, in nanoseconds since the epoch
}

// NewProgress looks for lines of a form; nil: any line shows progress.
func NewProgress(form *regexp.Regexp) *Progress { return &Progress{form: form} }

// Line takes the next line of the log.
func (p *Progress) Line(text string) {
	if p.form == nil || p.form.MatchString(text) {
		p.last.Store(time.Now().UnixNano())
	}
}

// Since tells whether there was progress at a time or later.
func (p *Progress) Since(t time.Time) bool { return p.last.Load() >= t.UnixNano() }

// Work is progress as [Excuse] wants it.
func (p *Progress) Work() func() bool {
	begun := time.Now()
	return func() bool { return p.Since(begun) }
}

// Work begins to look at a service; what it returns tells whether the service has worked since.
type Work func() (worked func() bool)

// Excuse is a probe that does not fail because the service gives no answer, if it worked while it was asked: one with
// thousands of requests may be too busy to answer.
func Excuse(probe Probe, work Work) Probe { return excused{probe, work} }

type excused struct {
	probe Probe
	work  Work
}

// Probe implements [Probe].
func (e excused) Probe(ctx context.Context) error {
	worked := e.work()
	err := e.probe.Probe(ctx)
	if f, ok := errors.AsType[*Failure](err); ok && f.Reason == Timeout && worked() {
		return nil
	}
	return err
}
