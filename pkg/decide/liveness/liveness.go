// Package liveness decides who counts as lost: when silence is too long, when a broken connection will not come back,
// and when it is of no use to try again. It has no clock of its own: the time is handed in.
//
// Rules:
//   - Silence counts only while the one who listens was running. After a pause of the listener (a stopped process, a
//     virtual machine that stood still) the periods start over by as much as it missed.
//   - A process that was killed is noticed sooner than one that vanished: its kernel closes the connection.
package liveness

import (
	"math/rand/v2"
	"time"
)

// Clock notices that its owner was not running. Its owner calls Tick about every Beat.
type Clock struct {
	Beat time.Duration
	last time.Time
}

// slack is how many beats may be missed before a gap counts as a pause: a busy machine is late now and then.
const slack = 2

// Tick takes the time, and returns how long the owner missed: 0 unless it was away for longer than a few beats.
func (c *Clock) Tick(now time.Time) (missed time.Duration) {
	if !c.last.IsZero() {
		if gap := now.Sub(c.last); gap > slack*c.Beat {
			missed = gap - c.Beat
		}
	}
	c.last = now
	return missed
}

// Silence measures how long a peer has given no sign of life.
type Silence struct {
	Limit time.Duration // longer than this, and the peer is lost
	heard time.Time
}

// Heard takes a sign of life.
func (s *Silence) Heard(now time.Time) { s.heard = now }

// Missed moves the measure on by what its owner missed.
func (s *Silence) Missed(d time.Duration) { s.heard = s.heard.Add(d) }

// Last is when the peer last gave a sign of life, as far as that counts.
func (s *Silence) Last() time.Time { return s.heard }

// Lost tells whether the silence is too long.
func (s *Silence) Lost(now time.Time) bool { return now.Sub(s.heard) > s.Limit }

// Ends is when it will be too long if it goes on.
func (s *Silence) Ends() time.Time { return s.heard.Add(s.Limit) }

// Redial is how long an agent pauses between two tries to connect. The pauses grow, and differ between agents, so that
// a thousand of them do not come back at the same moment.
type Redial struct {
	First, Most time.Duration
	Seed        uint64
	tries       int
}

// Next is the pause before the next try. It depends on nothing but the seed and the number of tries.
func (r *Redial) Next() time.Duration {
	pause := r.First
	for range r.tries {
		if pause *= 2; pause >= r.Most {
			pause = r.Most
			break
		}
	}
	r.tries++
	jitter := rand.New(rand.NewPCG(r.Seed, uint64(r.tries))).Float64() //nolint:gosec // spreads load, keeps no secret
	return time.Duration(float64(pause) * (0.5 + jitter/2))
}

// Reset starts over, after a connection that worked.
func (r *Redial) Reset() { r.tries = 0 }
