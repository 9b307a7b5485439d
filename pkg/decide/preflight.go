package decide

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// preflight is what was found before any model was loaded.
type preflight struct {
	limits  profile.Preflight
	off     bool
	checked map[string]bool // hosts that an agent was asked to check
	found   map[roles.Task]*hostFindings
}

// hostFindings is what an agent has found so far.
type hostFindings struct {
	protocol.Findings
	pending int  // answers that are still to come
	heard   bool // there was one
}

func newPreflight(p plan.Plan) preflight {
	return preflight{
		limits: p.Cluster.Preflight, off: p.Cluster.Preflight.IsOff("all") || p.Policy.Interactive,
		checked: map[string]bool{}, found: map[roles.Task]*hostFindings{},
	}
}

func (f *hostFindings) fatal(check, format string, args ...any) {
	f.Findings.Findings = append(f.Findings.Findings,
		protocol.Finding{Check: check, Fatal: true, Detail: fmt.Sprintf(format, args...)})
}

// checkHost asks the first agent that arrives from a host to check it for all that is planned there. Most have answered
// when the last agent arrives.
func (m *Machine) checkHost(t *task) {
	if m.preflight.off || m.preflight.checked[t.host()] {
		return
	}
	m.preflight.checked[t.host()] = true
	m.ask(t.Task, protocol.Command{Kind: protocol.CommandPreflight, Host: true})
}

func (m *Machine) ask(t roles.Task, c protocol.Command) {
	f := m.preflight.found[t]
	if f == nil {
		f = &hostFindings{}
		m.preflight.found[t] = f
	}
	f.pending++
	m.send(t, c)
}

// beginPreflight asks every leader to try the way to every other, once all are there.
func (m *Machine) beginPreflight(now time.Time) {
	m.enter(protocol.Checking, now)
	addresses := map[string]string{}
	for _, name := range m.order {
		h := m.tasks[name].hello
		if name.Leader() && h.Listen != "" && !m.preflight.off && !m.preflight.limits.IsOff(protocol.CheckNetwork) {
			addresses[name.Role.String()] = h.Listen
		}
	}
	for _, name := range m.order {
		if !name.Leader() {
			continue
		}
		peers := maps.Clone(addresses)
		delete(peers, name.Role.String()) // no host is out of its own reach
		if len(peers) > 0 {
			m.ask(name, protocol.Command{Kind: protocol.CommandPreflight, Peers: peers})
		}
	}
	m.mayEndPreflight(now)
}

// found takes in what an agent found.
func (m *Machine) found(t *task, e protocol.Event, now time.Time) {
	f := m.preflight.found[t.Task]
	if f == nil || f.pending == 0 {
		return
	}
	f.pending--
	if f.Reach == nil {
		f.Reach = e.Findings.Reach
	}
	f.Findings.Findings = append(f.Findings.Findings, e.Findings.Findings...)
	if e.Findings.Host != (protocol.HostFacts{}) {
		f.Host = e.Findings.Host
	}
	if !f.heard {
		f.heard = true
		m.checkFromHere(t, f, e, now)
	}
	m.mayEndPreflight(now)
}

// checkFromHere checks what only the hub can tell: the clock, the address, and whether the run directory is shared.
func (m *Machine) checkFromHere(t *task, f *hostFindings, e protocol.Event, now time.Time) {
	limits := m.preflight.limits
	// A message may wait while the hub does not run: then the sender's clock seems to be behind.
	skew := e.At.Sub(now)
	if skew < 0 {
		skew = min(skew+m.missedAll, 0)
	}
	if skew.Abs() > limits.MaxSkew.Std() && !limits.IsOff(protocol.CheckClock) {
		f.fatal(protocol.CheckClock, "its clock differs by %v from that of the hub's host",
			skew.Round(time.Millisecond))
	}
	if other := m.sameAddress(t); other != nil && !limits.IsOff(protocol.CheckAddress) {
		f.fatal(protocol.CheckAddress, "its address %s is that of %s too: name an interface in the profile (interface)",
			t.hello.Host, other.host())
	}
	if !limits.IsOff(protocol.CheckRunDirectory) {
		f.pending++
		m.do(LookFor{Task: t.Task})
	}
}

// sameAddress is a task of another host that has the same address, nil if there is none.
func (m *Machine) sameAddress(t *task) *task {
	for _, name := range m.order {
		other := m.tasks[name]
		if other.hello != nil && other.host() != t.host() && other.hello.Host == t.hello.Host && t.hello.Host != "" {
			return other
		}
	}
	return nil
}

// visible takes in whether what an agent wrote to the run directory is seen by the hub.
func (m *Machine) visible(t *task, ok bool, now time.Time) {
	f := m.preflight.found[t.Task]
	if f == nil || f.pending == 0 {
		return
	}
	f.pending--
	if !ok {
		f.fatal(protocol.CheckRunDirectory, "what it writes to the run directory is not seen on the hub's host")
	}
	m.mayEndPreflight(now)
}

// mayEndPreflight ends the preflight when every agent has answered.
func (m *Machine) mayEndPreflight(now time.Time) {
	for _, f := range m.preflight.found {
		if f.pending > 0 {
			return
		}
	}
	if m.phase == protocol.Checking {
		m.endPreflight(now)
	}
}

// endPreflight judges what was found; unless some of it is fatal the roles start.
func (m *Machine) endPreflight(now time.Time) {
	for _, name := range m.order {
		f := m.preflight.found[name]
		switch {
		case f == nil:
		case f.pending > 0:
			detail := fmt.Sprintf("it did not finish its checks within %v", m.plan.Timeouts.Preflight)
			m.failLate(m.fact(m.tasks[name], protocol.PreflightFailed, detail, now), now)
		default:
			for _, one := range f.Findings.Findings {
				if one.Fatal {
					m.fail(m.fact(m.tasks[name], protocol.PreflightFailed, one.Check+": "+one.Detail, now), now)
				}
			}
		}
	}
	m.judgeNetwork(now)
	m.do(Found{Preflight: m.findings()})
	if m.attribution.Verdict() == nil {
		m.enter(protocol.Readying, now)
	}
}

// judgeNetwork names the role that has part in the most ways that are cut: a host that nobody reaches is to blame, not
// each of those who tried.
func (m *Machine) judgeNetwork(now time.Time) {
	var cut []string
	parts := map[roles.Role]int{}
	for _, from := range m.order {
		f := m.preflight.found[from]
		if f == nil {
			continue
		}
		for _, pl := range m.plan.Layout.Placements {
			if reason := f.Reach[pl.Role.String()]; reason != "" {
				parts[from.Role]++
				parts[pl.Role]++
				to := m.leader(pl.Role)
				cut = append(cut, fmt.Sprintf("%s cannot reach %s (%s at %s): %s", m.tasks[from].host(), to.host(),
					pl.Role, to.hello.Listen, reason))
			}
		}
	}
	if len(cut) == 0 {
		return
	}
	blamed := m.plan.Layout.Placements[0].Role
	for _, pl := range m.plan.Layout.Placements {
		if parts[pl.Role] > parts[blamed] {
			blamed = pl.Role
		}
	}
	const most = 3
	if n := len(cut) - most; n > 0 {
		cut = append(cut[:most], fmt.Sprintf("and %d more", n))
	}
	m.fail(m.fact(m.leader(blamed), protocol.PreflightFailed, "network: "+strings.Join(cut, "; "), now), now)
}

// findings is what was found, for preflight.json.
func (m *Machine) findings() protocol.Preflight {
	all := protocol.Preflight{Schema: 1, Hosts: []protocol.HostFindings{}, Reach: map[string]map[string]string{}}
	for _, name := range m.order {
		f := m.preflight.found[name]
		if f == nil {
			continue
		}
		all.Hosts = append(all.Hosts, protocol.HostFindings{
			Role: name.Role, Rank: name.Rank, Node: m.tasks[name].host(),
			Findings: append([]protocol.Finding{}, f.Findings.Findings...), Host: f.Host,
		})
		if len(f.Reach) > 0 {
			all.Reach[name.Role.String()] = f.Reach
		}
	}
	return all
}

// Found is what was found out about where the results come from: the hosts of the servers, their GPUs, and the version
// of the engine, or each of them if the servers do not agree.
func (m *Machine) Found() (p protocol.Provenance) {
	var versions []string
	for _, name := range m.order {
		if kind := name.Role.Kind; kind != roles.Gen && kind != roles.Ctx {
			continue
		}
		if host := m.tasks[name].host(); host != "" && !slices.Contains(p.Hosts, host) {
			p.Hosts = append(p.Hosts, host)
		}
		if f := m.preflight.found[name]; f != nil && f.Host.GPU != "" {
			p.GPUName, p.Driver = f.Host.GPU, f.Host.Driver
		}
		if v := m.tasks[name].version; v != "" && !slices.Contains(versions, v) {
			versions = append(versions, v)
		}
	}
	p.Engine, p.Warm = strings.Join(versions, ", "), m.served()
	return p
}
