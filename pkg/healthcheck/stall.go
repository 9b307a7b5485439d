package healthcheck

import (
	"context"
	"regexp"
	"time"
)

// Stall notices a service that answers, but no longer gets on with its work: for too long its log had no line that
// shows progress.
type Stall struct {
	*Progress
	within time.Duration
}

// NewStall allows so much time between two signs of progress, which are lines of a form; nil: any line is one.
func NewStall(form *regexp.Regexp, within time.Duration) *Stall {
	return &Stall{Progress: NewProgress(form), within: within}
}

// Watch waits for a stall, and returns how long there was no progress; ok is false if the context ended first. Only the
// time from now on counts.
func (s *Stall) Watch(ctx context.Context) (idle time.Duration, ok bool) {
	begun := time.Now()
	for {
		last := time.Unix(0, s.last.Load())
		if last.Before(begun) {
			last = begun
		}
		rest := time.Until(last.Add(s.within))
		if rest <= 0 {
			return time.Since(last), true
		}
		select {
		case <-ctx.Done():
			return 0, false
		case <-time.After(rest):
		}
	}
}
