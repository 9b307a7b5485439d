package simulation

import (
	"slices"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// Peers are watched as package agent does.
const (
	peerPeriod   = 2 * time.Second
	peerTimeout  = 1750 * time.Millisecond
	peerFailures = 3
	checkTimeout = time.Second
)

func (a *agent) watch(peers map[string]string) {
	watched := map[string]int{}
	a.watched = watched
	names := make([]string, 0, len(peers))
	for name := range peers {
		names = append(names, name)
	}
	slices.Sort(names)
	life := a.life
	var look func()
	look = func() {
		if a.left || a.machine.Stopped() != "" || a.machine.Free() || life != a.life {
			return
		}
		for _, name := range names {
			why := a.reach(name)
			if why == "" {
				watched[name] = 0
			} else if watched[name]++; watched[name] == peerFailures {
				a.tellUnreachable(name, why)
			}
		}
		a.proc.timer(peerPeriod, look)
	}
	a.proc.timer(a.job.between(0, peerPeriod), look)
}

// tellUnreachable tells so once the last try is over.
func (a *agent) tellUnreachable(name, why string) {
	e := a.unreachable(protocol.EventUnreachable, []string{name}, why)
	if why == "timeout" {
		a.proc.timer(peerTimeout, func() { a.send(e) })
	} else {
		a.send(e)
	}
}

// reach tells why a role's service cannot be connected to, "" if it can.
func (a *agent) reach(name string) string {
	r, _ := roles.ParseRole(name)
	peer := a.job.agents[roles.Task{Role: r}]
	switch {
	case peer.proc.host.dead, !a.job.net.way(a.proc.host, peer.proc.host):
		return "timeout"
	case !peer.child.listens():
		return "refused"
	}
	return ""
}

func (a *agent) unreachable(kind protocol.EventKind, names []string, why string) protocol.Event {
	e := protocol.Event{Kind: kind}
	for _, name := range names {
		r, _ := roles.ParseRole(name)
		e.Peers = append(e.Peers, r)
		e.Detail = a.proc.host.name + " cannot reach " + name + ": " + why
	}
	return e
}

// tryHosts tries whether the hosts of roles answer.
func (a *agent) tryHosts(peers map[string]string) {
	e := protocol.Event{Kind: protocol.EventReached}
	took := a.job.between(time.Millisecond, 50*time.Millisecond)
	for name, address := range peers { // one, so that no order matters
		r, _ := roles.ParseRole(name)
		there := a.job.hostAt(address)
		if there.dead || !a.job.net.way(a.proc.host, there) {
			e.Peers, took = append(e.Peers, r), 750*time.Millisecond
		}
	}
	a.proc.timer(took, func() { a.send(e) })
}

// check asks the own service and every peer once.
func (a *agent) check() {
	var names []string
	why, took := "", a.job.between(time.Millisecond, 20*time.Millisecond)
	for name := range a.watched {
		names = append(names, name)
	}
	slices.Sort(names)
	names = slices.DeleteFunc(names, func(name string) bool {
		w := a.reach(name)
		if w == "timeout" {
			took = checkTimeout
		}
		if w != "" {
			why = w
		}
		return w == ""
	})
	e := a.unreachable(protocol.EventChecked, names, why)
	switch {
	case !a.child.ready:
	case a.child.dead:
		e.Unwell = "refused"
	case a.child.hung:
		e.Unwell, took = "timeout", checkTimeout
	}
	if a.isHub() {
		a.job.lookForRelease()
	}
	a.proc.timer(took, func() { a.send(e) })
}
