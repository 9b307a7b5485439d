package decide

import "time"

// hostClock is what the hub knows of a host's clock, by the messages of all agents there: moments on one host can be
// compared exactly, those of two as well as the quickest messages tell.
type hostClock struct {
	offset time.Duration // of the hub's clock to the host's, and the quickest way of a message
	known  bool
}

// clockOf is the clock of a host.
func (m *Machine) clockOf(host string) *hostClock {
	if m.clocks[host] == nil {
		m.clocks[host] = &hostClock{}
	}
	return m.clocks[host]
}

// hears compares clocks: a message that an agent sent arrives now.
func (t *task) hears(sent, now time.Time) {
	if c, d := t.clock, now.Sub(sent); c != nil && !sent.IsZero() && (!c.known || d < c.offset) {
		c.offset, c.known = d, true
	}
}

// when is a moment by an agent's clock, by that of the hub. It does not lie in the future, nor so far back that the
// message about it cannot have been under way for so long: then a clock was set.
func (t *task) when(at, now time.Time, most time.Duration) time.Time {
	if at.IsZero() || t.clock == nil || !t.clock.known {
		return now
	}
	here := at.Add(t.clock.offset)
	if here.After(now) || now.Sub(here) > most {
		return now
	}
	return here
}
