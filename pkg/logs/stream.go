package logs

import (
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/diagnose"
	"github.com/disagg/disagg/pkg/report"
)

// Line is a line of a log.
type Line struct {
	Text string // as it may be shown on a terminal
	// At is when it was printed: as it says, else as a line before it says, else when the rank was started; zero if
	// nothing of that is known.
	At  time.Time
	Own bool // it says so itself
}

// Source gives out lines in their order.
type Source interface {
	// Next is the next line; false: there is none, or none yet.
	Next() (Line, bool)
}

// Stream is one log with the times of its lines.
type Stream struct {
	next  func() ([]byte, bool)
	clock clock
	at    time.Time
}

// NewStream makes a stream of the lines that next gives out. The rank was started when it had begun; zero: that is not
// known. Times of an unknown zone are then those of the reader's.
func NewStream(next func() ([]byte, bool), begun time.Time, readers *time.Location) *Stream {
	return &Stream{next: next, clock: clock{begun: begun, readers: readers}, at: begun}
}

// Next implements Source.
func (s *Stream) Next() (Line, bool) {
	raw, ok := s.next()
	if !ok {
		return Line{}, false
	}
	shown := diagnose.Shown(raw)
	own := false
	if stamp, ok := ParseStamp(shown); ok {
		if at, ok := s.clock.moment(stamp); ok {
			s.at, own = at, true
		}
	}
	return Line{Text: harmless(shown), At: s.at, Own: own}, true
}

// harmless is a text that does nothing to a terminal. What a crash leaves of a file is often zeros: they are left out.
func harmless(text []byte) string {
	return report.Printable(strings.ReplaceAll(strings.ReplaceAll(string(text), "\x00", ""), "\t", "    "))
}

// clock turns stamps into moments.
type clock struct {
	begun   time.Time
	readers *time.Location
	known   bool          // how far the stamps are ahead of UTC
	ahead   time.Duration // that
}

// How far the zones of the world are from UTC at most, and by how much they differ at least.
const (
	farthest = 15 * time.Hour
	quarter  = 15 * time.Minute
)

// moment is when a line with a stamp was printed; false: that cannot be told.
func (c *clock) moment(s Stamp) (time.Time, bool) {
	if s.Zoned {
		return s.Wall, true
	}
	w := s.Wall
	if !s.Year {
		if c.begun.IsZero() {
			return time.Time{}, false
		}
		w = nearest(w, c.begun)
	}
	if !c.known {
		c.known = true
		if c.ahead = w.Sub(c.begun).Round(quarter); c.begun.IsZero() || c.ahead.Abs() > farthest {
			_, seconds := w.In(c.readers).Zone()
			c.ahead = time.Duration(seconds) * time.Second
		}
	}
	return w.Add(-c.ahead), true
}

// nearest is a time without a year in that year which brings it nearest to when the rank was started: a job may run
// over the end of a year.
func nearest(w, begun time.Time) time.Time {
	best := w.AddDate(begun.UTC().Year(), 0, 0)
	for _, years := range []int{-1, 1} {
		if other := w.AddDate(begun.UTC().Year()+years, 0, 0); other.Sub(begun).Abs() < best.Sub(begun).Abs() {
			best = other
		}
	}
	return best
}
