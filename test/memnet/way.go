package memnet

import (
	"math"
	"math/rand/v2"
	"time"
)

// Span is a stretch of time since the network began.
type Span struct{ From, To time.Duration }

// Forever is the end of a span that has none.
const Forever = time.Duration(math.MaxInt64)

func (s Span) has(at time.Duration) bool { return s.From <= at && at < s.To }

// within is the span of a list that has a moment, if one does.
func within(list []Span, at time.Duration) (Span, bool) {
	for _, s := range list {
		if s.has(at) {
			return s, true
		}
	}
	return Span{}, false
}

// Way is one direction of a link. It must not be changed once it is used.
type Way struct {
	Least, Most time.Duration // of a packet's delay
	Rate        int           // bytes a second; 0: any number
	// Bursts are when packets are lost: most are sent once more, some several times.
	Bursts []Span
	// Cuts are when nothing arrives. What was under way arrives a while after the cut.
	Cuts []Span
}

// A lost packet is sent again after a pause that doubles each time, as Linux does it.
const (
	firstAgain = 200 * time.Millisecond
	mostAgain  = 1600 * time.Millisecond
	burstShare = 0.5 // of packets are lost in a burst
	afterCut   = time.Second
)

// passage is what a way is like for one connection.
type passage struct {
	way  *Way
	rng  *rand.Rand
	busy time.Duration // until when its rate is used up
	last time.Duration // when the newest packet arrives
}

// arrival is when a packet of a size that leaves now arrives: Forever if never.
func (p *passage) arrival(now time.Duration, size int) time.Duration {
	leaves := now
	if p.way.Rate > 0 {
		leaves = max(now, p.busy) + time.Duration(size)*time.Second/time.Duration(p.way.Rate)
		p.busy = leaves
	}
	at := leaves + p.delay()
	if _, lossy := within(p.way.Bursts, leaves); lossy {
		for again := firstAgain; again <= mostAgain && p.rng.Float64() < burstShare; again *= 2 {
			at += again
		}
	}
	for {
		cut, is := within(p.way.Cuts, leaves)
		if !is {
			cut, is = within(p.way.Cuts, at)
		}
		if !is {
			break
		}
		if cut.To == Forever {
			p.last = Forever
			break
		}
		leaves = cut.To
		at = cut.To + time.Duration(p.rng.Int64N(int64(afterCut))) + p.delay()
	}
	p.last = max(p.last, at)
	return p.last
}

func (p *passage) delay() time.Duration {
	return p.way.Least + time.Duration(p.rng.Int64N(int64(p.way.Most-p.way.Least)+1))
}

// passes tells whether a packet that leaves now arrives, and when, without being sent again.
func (p *passage) passes(now time.Duration) (at time.Duration, ok bool) {
	at = now + p.delay()
	_, lost := within(p.way.Cuts, now)
	_, lostThere := within(p.way.Cuts, at)
	return at, !lost && !lostThere
}
