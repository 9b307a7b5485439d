package rank

import (
	"maps"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// otherPeers is why a child is replaced.
const otherPeers = "the roles that it needs have other addresses now"

// Served tells whether the child has served a hub that is gone.
func (m *Machine) Served() bool { return m.served }

// Free tells whether the rank has no hub, and waits for the next one.
func (m *Machine) Free() bool { return m.free }

// canKeep tells whether there is something to keep: a child that runs or is about to, or a place for one.
func (m *Machine) canKeep() bool {
	return m.stopped == "" && m.stage <= running && m.task != roles.Hub()
}

// hubLost keeps the child if people look after it, and stops it otherwise.
func (m *Machine) hubLost(why string, now time.Time) {
	reason := "the hub is lost: " + why
	if m.plan.Policy.Keep == plan.KeepAlways && m.canKeep() {
		m.part(reason)
		return
	}
	m.stop(reason, false, now)
}

// part leaves the hub, and waits for the next one.
func (m *Machine) part(reason string) {
	m.free, m.watch = true, nil
	if m.stage != waiting {
		m.news, m.served = true, true
	}
	m.do(Part{Reason: reason})
}

// serveAgain takes the child that is there for the next hub's, or starts another in its place if the addresses of what
// it needs have changed.
func (m *Machine) serveAgain(c protocol.Command, now time.Time) {
	m.news = false
	if maps.Equal(c.Peers, m.peers) {
		if m.stage == running {
			m.tell(protocol.Event{Kind: protocol.EventStarted, PID: m.pid}, now)
			m.do(Introduce{})
		}
		return
	}
	m.replace = &c
	if m.stage == running {
		m.do(EndProbes{})
		m.do(Stop{Reason: otherPeers})
	}
}
