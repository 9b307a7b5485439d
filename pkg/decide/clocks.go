package decide

import "time"

// hostClock is what the hub knows of a host's clock, by the messages of all agents there: moments on one host can be
// compared exactly, those of two as well as the quickest messages tell. Clocks are set right now and then, so that only
// what was heard lately counts.
type hostClock struct {
	booted         time.Time
	lately, before offset    // of this clockWindow, and of the one before
	since          time.Time // when this one began
}

// offset is that of the hub's clock to a host's, and the quickest way of a message.
type offset struct {
	length time.Duration
	known  bool
}

// clockWindow is short enough for a clock that is slewed, by half a millisecond in a second at most (adjtime(3)).
const clockWindow = 30 * time.Second

func (o offset) least(other offset) offset {
	if !o.known || other.known && other.length < o.length {
		return other
	}
	return o
}

// sameClock is how far apart agents of a host may say that it booted: two clocks cannot be read at once.
const sameClock = 20 * time.Millisecond

// clockOf is the clock of an agent of a host, which all have in common that say the same of when it booted. If the
// host's clock was set before one of them began, they do not.
func (m *Machine) clockOf(host string, booted time.Time) *hostClock {
	for _, c := range m.clocks[host] {
		if c.booted.Sub(booted).Abs() < sameClock {
			return c
		}
	}
	c := &hostClock{booted: booted}
	m.clocks[host] = append(m.clocks[host], c)
	return c
}

// hears compares clocks: a message that an agent sent arrives now.
func (t *task) hears(sent, now time.Time) {
	c := t.clock
	if c == nil || sent.IsZero() {
		return
	}
	if now.Sub(c.since) >= clockWindow {
		c.lately, c.before, c.since = offset{}, c.lately, now
	}
	c.lately = c.lately.least(offset{now.Sub(sent), true})
}

// when is a moment by an agent's clock, by that of the hub. It does not lie in the future, nor so far back that the
// message about it cannot have been under way for so long: then a clock was set.
func (t *task) when(at, now time.Time, most time.Duration) time.Time {
	if at.IsZero() || t.clock == nil {
		return now
	}
	o := t.clock.lately.least(t.clock.before)
	if !o.known {
		return now
	}
	here := at.Add(o.length)
	if here.After(now) || now.Sub(here) > most {
		return now
	}
	return here
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
