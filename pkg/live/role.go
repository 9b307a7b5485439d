package live

import (
	"fmt"
	"slices"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// role is what is known of one role.
type role struct {
	roles.Placement
	ranks    []rank
	ready    bool
	stopping bool
	started  time.Time // when its first rank was started
	loaded   time.Time // when it was ready
	progress protocol.Progress
}

// rank is what is known of one rank.
type rank struct {
	host                           string
	attached, started, ended, lost bool
}

func newRole(pl roles.Placement) *role { return &role{Placement: pl, ranks: make([]rank, pl.Ranks)} }

func (r *role) entry(e protocol.Entry) {
	one := &r.ranks[e.Rank]
	switch e.Kind {
	case protocol.EntryAttached:
		*one = rank{host: e.Host, attached: true}
	case protocol.EntryKind(protocol.EventStarted):
		if one.started, one.ended = true, false; e.Rank == 0 {
			r.started, r.ready = e.At, false
		}
	case protocol.EntryKind(protocol.EventReady):
		r.ready, r.loaded = true, e.At
	case protocol.EntryKind(protocol.EventProgress):
		if e.Progress != nil {
			r.progress = *e.Progress
		}
	case protocol.EntryKind(protocol.EventExited), protocol.EntryKind(protocol.EventStopped), protocol.EntryBye:
		one.ended = true
	case protocol.EntryLost:
		one.ended, one.lost = true, true
	}
}

// state is how far a role is.
type state int

const (
	absent   state = iota // none of its ranks has arrived
	arriving              // some have
	waiting               // all have, and wait to be started
	loading               // it is started, and not ready yet
	ready                 // it serves
	running               // it is the benchmark, and runs
	ending                // the job is being stopped
	ended                 // all have
)

func (s state) String() string {
	return [...]string{"absent", "arriving", "waits", "loading", "ready", "runs", "stopping", "ended"}[s]
}

func (r *role) state() state {
	there, gone := r.count(func(k rank) bool { return k.attached }), r.count(func(k rank) bool { return k.ended })
	switch {
	case gone == r.Ranks:
		return ended
	case r.stopping:
		return ending
	case r.ready:
		return ready
	case !r.started.IsZero() && r.Role.Kind == roles.Benchmark:
		return running
	case !r.started.IsZero():
		return loading
	case there == r.Ranks:
		return waiting
	case there > 0:
		return arriving
	}
	return absent
}

func (r *role) count(is func(rank) bool) (n int) {
	for _, k := range r.ranks {
		if is(k) {
			n++
		}
	}
	return n
}

// alive counts the ranks that are there.
func (r *role) alive() int { return r.count(func(k rank) bool { return k.attached && !k.ended }) }

// hosts are where its ranks are, each once.
func (r *role) hosts() (list []string) {
	for _, k := range r.ranks {
		if k.host != "" && !slices.Contains(list, k.host) {
			list = append(list, k.host)
		}
	}
	return list
}

// name is what people call a role.
func name(r roles.Role) string {
	switch r.Kind {
	case roles.Coordinator:
		return "coordinator"
	case roles.Benchmark:
		return "benchmark"
	}
	return r.String()
}

// spent is how long a role has been in its state, or what it took to be ready; 0: there is nothing to tell.
func (r *role) spent(now time.Time) time.Duration {
	switch r.state() {
	case loading, running:
		return max(now.Sub(r.started), 0)
	case ready:
		if !r.started.IsZero() {
			return max(r.loaded.Sub(r.started), 0)
		}
	}
	return 0
}

// quiet is how long a role that loads, or runs, has printed nothing; false if that is not known.
func (r *role) quiet(now time.Time) (time.Duration, bool) {
	s := r.state()
	known := (s == loading || s == running) && !r.progress.Output.IsZero()
	return max(now.Sub(r.progress.Output), 0), known
}

// note says what a role does, or waits for.
func (v *View) note(r *role) string {
	switch s := r.state(); {
	case s == loading && r.progress.What != "":
		return r.progress.String()
	case s == waiting:
		return v.waitsFor(r)
	case s == running && v.wanted() > 0: // else it measures nothing but accuracy
		return fmt.Sprintf("point %d of %d", min(len(v.measured)+1, v.wanted()), v.wanted())
	}
	return ""
}

// wanted is how many points the case asks for.
func (v *View) wanted() int { return len(v.plan.Case.Load.Points()) }

// waitsFor names the roles that must be ready, or have an address, before a role is started.
func (v *View) waitsFor(r *role) string {
	if v.phase != protocol.Readying && v.phase != protocol.Measuring {
		return ""
	}
	address, serving := v.plan.Needed(r.Role)
	var missing []string
	for _, other := range v.roles {
		needed := slices.Contains(address, other.Role) || slices.Contains(serving, other.Role)
		if other != r && !other.ready && (needed || r.Role.Kind == roles.Benchmark) {
			missing = append(missing, name(other.Role))
		}
	}
	switch len(missing) {
	case 0:
		return ""
	case 1:
		return "for " + missing[0]
	case 2:
		return "for " + missing[0] + " and " + missing[1]
	}
	return fmt.Sprintf("for %s and %d others", missing[0], len(missing)-1)
}
