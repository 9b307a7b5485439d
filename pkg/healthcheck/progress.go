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

// Excuse is a probe that does not fail because the service gives no answer, if there was progress while it was asked: a
// service with thousands of requests may be too busy to answer.
func (p *Progress) Excuse(probe Probe) Probe { return excused{probe, p} }

type excused struct {
	probe    Probe
	progress *Progress
}

// Probe implements [Probe].
func (e excused) Probe(ctx context.Context) error {
	asked := time.Now()
	err := e.probe.Probe(ctx)
	if f, ok := errors.AsType[*Failure](err); ok && f.Reason == Timeout && e.progress.Since(asked) {
		return nil
	}
	return err
}
