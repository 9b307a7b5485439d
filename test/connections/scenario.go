package connections

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/test/memnet"
)

// scenario is what a seed draws.
type scenario struct {
	seed   uint64
	beat   time.Duration
	lost   time.Duration
	strict bool          // the hub gives an agent up whose connection is not back within a heartbeat, as in a job
	length time.Duration // until nobody says anything more, and nothing breaks
	agents []*plan
	faults []fault
	pauses []memnet.Span // of the hub
	// restart is when the hub ends; another begins at the same address. 0: it does not.
	restart time.Duration
	gap     time.Duration // in which nobody listens
	// again says that it has the token and the name of the same attempt, which no hub should.
	again bool
}

// plan is what an agent does.
type plan struct {
	task     roles.Task
	link     *memnet.Link
	begins   time.Duration
	events   []saying
	commands []saying // what the hub tells it
	slow     time.Duration
	killed   time.Duration // when its process is killed; 0: it is not
	leaves   time.Duration // when it ends by itself; 0: at the end
	parting  time.Duration // when its connection is reset while it ends; 0: it is not
	follows  bool          // another takes its place when it counts as lost
}

// saying is a message and when it is said.
type saying struct {
	at   time.Duration
	size int // of its text, in bytes
}

// fault is something that breaks, for a while.
type fault struct {
	memnet.Span
	agent int // whose link; hub: everybody's
	kind  string
}

const hub = -1

func (f fault) String() string {
	who := "the hub"
	if f.agent != hub {
		who = fmt.Sprintf("agent %d", f.agent)
	}
	until := "for ever"
	if f.To != memnet.Forever {
		until = fmt.Sprintf("for %v", (f.To - f.From).Round(time.Millisecond))
	}
	return fmt.Sprintf("%7.3fs %s: %s %s", f.From.Seconds(), who, f.kind, until)
}

// drawing is a scenario while it is drawn.
type drawing struct {
	*scenario
	rng *rand.Rand
}

func (d drawing) between(least, most time.Duration) time.Duration {
	return least + time.Duration(d.rng.Int64N(int64(most-least)+1))
}

func (d drawing) chance(share float64) bool { return d.rng.Float64() < share }

func (d drawing) pick(list ...int) int { return list[d.rng.IntN(len(list))] }

// draw draws what happens. Every fifth seed has no fault.
func draw(seed uint64) *scenario {
	d := drawing{&scenario{seed: seed}, rand.New(rand.NewPCG(seed, 0))} //nolint:gosec // no secret
	d.beat = d.between(700*time.Millisecond, time.Second)
	d.lost = d.between(4*time.Second, 6*time.Second)
	d.strict = d.chance(0.3)
	d.length = d.between(2*time.Second, 7*time.Second)
	for i := range 2 + d.rng.IntN(5) {
		d.agents = append(d.agents, d.agent(i))
	}
	for range seed % 5 {
		d.fault()
	}
	if seed%5 > 0 && d.chance(0.1) {
		d.hubRestarts()
	}
	slices.SortFunc(d.faults, func(a, b fault) int { return int(a.From - b.From) })
	return d.scenario
}

func (d drawing) agent(i int) *plan {
	p := &plan{
		task:   roles.Task{Role: roles.Role{Kind: roles.Gen}, Rank: i},
		link:   d.link(i),
		begins: d.between(0, d.length/4),
	}
	if d.chance(0.1) {
		p.slow = d.between(time.Millisecond, 50*time.Millisecond)
	}
	if d.chance(0.15) {
		p.leaves = d.between(p.begins, d.length)
	}
	if d.chance(0.1) {
		p.parting = d.between(1, 200*time.Millisecond)
	}
	p.events, p.commands = d.sayings(p.begins, 12), d.sayings(0, 8)
	if d.chance(0.02) {
		d.slow(p)
	}
	return p
}

// slow gives an agent a network that is just about fast enough, and much to say.
func (d drawing) slow(p *plan) {
	p.link.Up.Rate, p.link.Packet, p.leaves, p.parting = 30_000, 1460, 0, 0
	for range 4 {
		p.events = append(p.events, saying{p.begins, 60 << 10})
	}
}

// sayings draws messages that are said at random times, some of them in a row.
func (d drawing) sayings(from time.Duration, most int) (list []saying) {
	for range d.rng.IntN(most + 1) {
		s := saying{at: d.between(from, d.length), size: d.rng.IntN(200)}
		if d.chance(0.01) {
			s.size = d.pick(4<<10, 20<<10, 60<<10)
		}
		list = append(list, s)
		for d.chance(0.3) {
			s.at += d.between(0, time.Millisecond)
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b saying) int { return int(a.at - b.at) })
	return list
}

func (d drawing) link(i int) *memnet.Link {
	l := &memnet.Link{
		Name:   fmt.Sprintf("agent-%d", i),
		Window: d.pick(4<<10, 64<<10, 256<<10, 4<<20),
		Packet: d.pick(0, 0, 0, 0, 20, 100, 1460),
		Piece:  d.pick(0, 0, 0, 0, 0, 0, 0, 1, 7, 100),
	}
	l.Up, l.Down = d.way(), d.way()
	return l
}

func (d drawing) way() memnet.Way {
	w := memnet.Way{Least: d.between(20*time.Microsecond, 20*time.Millisecond)}
	w.Most = w.Least + d.between(time.Microsecond, 50*time.Millisecond)
	if d.chance(0.1) {
		w.Rate = d.pick(50_000, 1_000_000)
	}
	return w
}
