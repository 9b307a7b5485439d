package decide

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// inquiry is the question to agents on other hosts, the witnesses, whether they reach a host all of whose agents are
// silent. Silence alone proves little for long: packets are lost, and processes stand still. A host that neither the
// hub hears nor two others reach has vanished.
type inquiry struct {
	about     roles.Role // in whose name it is asked
	address   string
	open      map[roles.Task]bool // who has not answered yet
	wanted    int                 // how many hosts must not reach it
	unreached []string            // those that do not
	again     time.Time           // when it may be asked again
}

// mostWitnesses is how many hosts are asked: two that agree cannot both be at fault themselves. A job of two hosts has
// one, and so has a job of which the others have left already.
const mostWitnesses = 2

// suspectAfter is how long an agent is silent before others are asked about its host.
func (m *Machine) suspectAfter() time.Duration {
	beat := m.plan.Timeouts.Heartbeat.Std()
	return beat + beat/5
}

// suspectAt is when others are to be asked about a task's host, should nothing be heard.
func (m *Machine) suspectAt(t *task) time.Time {
	at := t.presence.silence.Last().Add(m.suspectAfter())
	if q := m.inquiries[t.host()]; q != nil && q.again.After(at) {
		return q.again
	}
	return at
}

// watchOver asks about a task's host if the task has been silent for long enough, and otherwise sees to it that it is
// looked at again when it might be: not more often than ten times a heartbeat, there may be a thousand tasks.
func (m *Machine) watchOver(t *task, now time.Time) {
	at := m.suspectAt(t)
	if !now.Before(at) {
		m.inquire(t.host(), now)
		at = m.suspectAt(t)
	}
	soonest := now.Add(m.plan.Timeouts.Heartbeat.Std() / 10)
	if at.Before(soonest) {
		at = soonest
	}
	m.lookBy(at)
}

// inquire asks about a host all of whose agents are silent.
func (m *Machine) inquire(host string, now time.Time) {
	if q := m.inquiries[host]; q != nil && now.Before(q.again) || !m.allSilent(host, now) {
		return
	}
	role, address := m.door(host)
	witnesses := m.witnesses(host, now)
	wanted := min(mostWitnesses, m.otherHosts(host))
	if address == "" || wanted == 0 || len(witnesses) < wanted {
		return
	}
	again := now.Add(m.plan.Timeouts.Lost.Std() / 2)
	q := &inquiry{about: role, address: address, wanted: wanted, open: map[roles.Task]bool{}, again: again}
	m.inquiries[host] = q
	for _, w := range witnesses {
		m.askWitness(q, w)
	}
}

func (m *Machine) askWitness(q *inquiry, w roles.Task) {
	q.open[w] = true
	peers := map[string]string{q.about.String(): q.address}
	if w == roles.Hub() {
		m.do(TryHosts{Peers: peers})
	} else {
		m.send(w, protocol.Command{Kind: protocol.CommandReach, Peers: peers})
	}
}

// allSilent tells whether nothing was heard for a while of any agent of a host that should be there.
func (m *Machine) allSilent(host string, now time.Time) bool {
	some := false
	for _, t := range m.tasks {
		if t.hello == nil || t.host() != host || t.gone {
			continue
		}
		p := t.presence
		if t.Task == roles.Hub() || !p.brokeAt.IsZero() || now.Sub(p.silence.Last()) < m.suspectAfter() {
			return false
		}
		some = true
	}
	return some
}

// otherHosts is how many hosts the job has besides one; while it is stopped, the hub's and those on which an agent is
// left.
func (m *Machine) otherHosts(host string) int {
	others := map[string]bool{}
	for name, t := range m.tasks {
		left := t.gone && m.phase == protocol.Stopping && name != roles.Hub()
		if t.hello != nil && t.host() != host && !left {
			others[t.host()] = true
		}
	}
	return len(others)
}

// left goes on without an agent that has left: what it was asked another of its host tries, or else the hub itself.
func (m *Machine) left(t *task, now time.Time) {
	for _, host := range slices.Sorted(maps.Keys(m.inquiries)) {
		q := m.inquiries[host]
		q.wanted = min(q.wanted, m.otherHosts(host))
		if q.open[t.Task] && t.Task != roles.Hub() {
			delete(q.open, t.Task)
			switch other := m.witnessOn(t.host(), now); {
			case other != nil:
				m.askWitness(q, other.Task)
			case !q.open[roles.Hub()] && !slices.Contains(q.unreached, m.benchmark().host()):
				m.askWitness(q, roles.Hub())
			}
		}
		m.agree(host, q, now)
	}
}

// door is an address of a host at which an agent has listened, and a role of that host: the port is closed by now, but
// the host's kernel answers.
func (m *Machine) door(host string) (r roles.Role, address string) {
	for _, name := range m.order {
		if t := m.tasks[name]; t.hello != nil && t.host() == host && t.hello.Listen != "" {
			return name.Role, t.hello.Listen
		}
	}
	return roles.Role{}, ""
}

// witnesses are agents that were just heard, one per host, those of the hub's own host last.
func (m *Machine) witnesses(host string, now time.Time) (list []roles.Task) {
	seen := map[string]bool{host: true}
	own := m.benchmark().host()
	for _, mayBeHere := range []bool{false, true} {
		for _, name := range m.order {
			t := m.tasks[name]
			if t.hello == nil || seen[t.host()] || (t.host() == own) != mayBeHere {
				continue
			}
			if name == roles.Hub() || m.canWitness(t, now) {
				seen[t.host()] = true
				if list = append(list, name); len(list) == mostWitnesses {
					return list
				}
			}
		}
	}
	return list
}

// canWitness tells whether an agent is there and was just heard.
func (m *Machine) canWitness(t *task, now time.Time) bool {
	return t.hello != nil && !t.gone && now.Sub(t.presence.silence.Last()) < m.suspectAfter()
}

// witnessOn is an agent on a host that can be asked, other than the hub's; nil if there is none.
func (m *Machine) witnessOn(host string, now time.Time) *task {
	for _, name := range m.order {
		if t := m.tasks[name]; name != roles.Hub() && t.hello != nil && t.host() == host && m.canWitness(t, now) {
			return t
		}
	}
	return nil
}

// reached takes in whether a witness reaches the hosts that it was asked about.
func (m *Machine) reached(t *task, e protocol.Event, now time.Time) {
	for _, host := range slices.Sorted(maps.Keys(m.inquiries)) {
		q := m.inquiries[host]
		if !q.open[t.Task] {
			continue
		}
		delete(q.open, t.Task)
		if !slices.Contains(e.Peers, q.about) {
			continue // the host is there: its agents stand still, or the hub is cut off from it
		}
		if !slices.Contains(q.unreached, t.host()) {
			q.unreached = append(q.unreached, t.host())
		}
		m.agree(host, q, now)
	}
}

// agree gives a host up if as many others as are wanted do not reach it.
func (m *Machine) agree(host string, q *inquiry, now time.Time) {
	if len(q.unreached) > 0 && len(q.unreached) >= q.wanted && m.allSilent(host, now) {
		m.vanished(host, q, now)
	}
}

// vanished gives up all agents of a host.
func (m *Machine) vanished(host string, q *inquiry, now time.Time) {
	slices.Sort(q.unreached)
	for _, name := range m.order {
		t := m.tasks[name]
		if t.hello == nil || t.host() != host || t.gone {
			continue
		}
		silent := now.Sub(t.presence.silence.Last()).Round(100 * time.Millisecond)
		why := fmt.Sprintf("no sign of life for %v, and its host is not reached from %s", silent,
			strings.Join(q.unreached, " and "))
		m.do(Drop{Task: name, Why: why})
		t.withHost = true
		m.lost(t, why, now)
	}
}

// hostSeen is when a host was last there for sure: any of its agents tells, also one that has left since.
func (m *Machine) hostSeen(host string) (seen time.Time) {
	for _, t := range m.tasks {
		if t.hello != nil && t.host() == host {
			seen = latest(seen, t.presence.seen)
		}
	}
	return seen
}
