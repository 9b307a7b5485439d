package logs

import (
	"fmt"
	"time"
)

// mostUntimed is how many lines without a time are shown of a stretch that a moment may lie in.
const mostUntimed = 12

// resolution is how fine the stamps of most engines are: a line may have been printed so much later than it says.
const resolution = time.Second

// Around is what a source printed between two moments. Of lines without a time, which may have been printed any time
// between those with one, the last are taken, and it is said how many were left out.
type Around struct {
	of       Source
	from, to time.Time
	end      time.Time // of the log

	last    time.Time // of the lines with a time, the last
	untimed []Line    // since then
	skipped int       // before those
	queue   []Line
	over    bool
}

// NewAround chooses the lines of a source that were printed from some moment to another. The log was written last at
// its end.
func NewAround(of Source, from, to, end time.Time) *Around {
	return &Around{of: of, from: from, to: to, end: end}
}

// Next implements Source.
func (a *Around) Next() (Line, bool) {
	for len(a.queue) == 0 && !a.over {
		l, ok := a.of.Next()
		switch {
		case !ok:
			a.over = true
			a.flush(a.end)
		case l.Own:
			a.flush(l.At)
			a.last = l.At
			if a.overlaps(l.At, l.At.Add(resolution)) {
				a.queue = append(a.queue, l)
			}
		default:
			if a.last.IsZero() {
				a.last = l.At
			}
			a.keep(l)
		}
	}
	if len(a.queue) == 0 {
		return Line{}, false
	}
	l := a.queue[0]
	a.queue = a.queue[1:]
	return l, true
}

func (a *Around) keep(l Line) {
	if len(a.untimed) == mostUntimed {
		a.untimed, a.skipped = a.untimed[1:], a.skipped+1
	}
	a.untimed = append(a.untimed, l)
}

// flush takes the lines without a time that were printed until a moment. A line after them may say an earlier time
// than the one before them: they are not from before that.
func (a *Around) flush(until time.Time) {
	if until.Before(a.last) {
		until = a.last
	}
	if len(a.untimed) > 0 && a.overlaps(a.last, until.Add(resolution)) {
		if a.skipped > 0 {
			a.queue = append(a.queue, Line{
				Text: fmt.Sprintf("… %d lines without a time, before the %d that follow", a.skipped, mostUntimed),
				At:   a.untimed[0].At,
			})
		}
		a.queue = append(a.queue, a.untimed...)
	}
	a.untimed, a.skipped = nil, 0
}

// overlaps tells whether what lasted from one moment to another may have been between those that are asked for. The
// first may be unknown, so it is early.
func (a *Around) overlaps(from, to time.Time) bool { return !from.After(a.to) && !to.Before(a.from) }
