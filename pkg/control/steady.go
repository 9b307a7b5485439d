package control

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/protocol"
)

// steady is a clock that nobody sets: it began with that of the host, and goes on by itself. All that an agent tells
// one hub bears times by the same, so that their order and the time between them hold, also if the host's clock is set
// meanwhile.
type steady struct {
	begun  time.Time
	booted time.Time // when the kernel's own clock was 0
}

func newSteady() steady {
	var ran unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ran)
	s := steady{begun: time.Now()}
	if err == nil {
		s.booted = s.begun.Add(-time.Duration(ran.Nano())).UTC()
	}
	return s
}

func (s steady) now() time.Time { return s.at(time.Now()) }

// at is a moment of this process by the clock, in UTC. It must have been read by [time.Now], and not been changed but
// by adding to it; one that comes from elsewhere stays as it is.
func (s steady) at(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return s.begun.Add(t.Sub(s.begun)).UTC()
}

// stamped is an event with times by the clock.
func (s steady) stamped(e protocol.Event) protocol.Event {
	e.At, e.Since = s.at(e.At), s.at(e.Since)
	if e.Outcome != nil {
		o := *e.Outcome
		o.StartedAt, o.EndedAt, o.EndedBy = s.at(o.StartedAt), s.at(o.EndedAt), s.at(o.EndedBy)
		o.Orphans = slices.Clone(o.Orphans)
		for i := range o.Orphans {
			o.Orphans[i].At = s.at(o.Orphans[i].At)
		}
		e.Outcome = &o
	}
	if e.Progress != nil {
		p := *e.Progress
		p.Output = s.at(p.Output)
		e.Progress = &p
	}
	return e
}
