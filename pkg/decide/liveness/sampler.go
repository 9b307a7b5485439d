package liveness

import "time"

// mostReports is how many signs of life of an agent are passed on in a heartbeat.
const mostReports = 20

// Sampler decides which signs of life are passed on: not each of them, but enough to know when an agent was last there,
// which decides what it can be the cause of. It counts when they were sent as well: what a hub that stood still finds
// waiting it reads at one moment, and the latest of it must not be left out.
type Sampler struct {
	Beat     time.Duration
	at, sent time.Time // the last that was passed on: by the one's clock and the other's
}

// Takes tells whether a sign of life is passed on that arrives now. It was sent at a moment by its sender's clock;
// zero: at an unknown one.
func (s *Sampler) Takes(sent, now time.Time) bool {
	long := func(from, to time.Time) bool { return to.Sub(from).Abs() >= s.Beat/mostReports }
	if !long(s.at, now) && (sent.IsZero() || !long(s.sent, sent)) {
		return false
	}
	s.at = now
	if !sent.IsZero() {
		s.sent = sent
	}
	return true
}

// Next has the next one passed on, whenever it comes.
func (s *Sampler) Next() { s.at = time.Time{} }
