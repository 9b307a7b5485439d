package simulation

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// world is virtual time, chance, and what is to happen.
type world struct {
	now     time.Time
	elapsed time.Duration // since the beginning
	rng     *rand.Rand
	queue   schedule
	count   uint32 // of what was ever scheduled

	told  bool // the story is wanted
	story []string
}

func newWorld(seed uint64) *world {
	w := &world{now: beginning, rng: rand.New(rand.NewPCG(seed, 1))} //nolint:gosec // no secret
	w.queue.grow(usual)
	return w
}

// happening is what is to happen. It is an interface so that a message on its way needs no function of its own.
type happening interface{ happen() }

// action is a function that is to happen.
type action func()

func (do action) happen() { do() }

// due is when something happens: so long after the beginning, and of what is due at the same time in this order.
type due struct {
	at    time.Duration
	order uint32
	slot  uint32 // of what happens
}

func (d due) before(o due) bool { return d.at < o.at || d.at == o.at && d.order < o.order }

// planned is what happens then, by a process if one is named.
type planned struct {
	by   *process
	what happening
}

// schedule is a heap of what is due. It is the simulation's hot spot: not container/heap, which allocates, and what is
// moved in it is small.
type schedule struct {
	heap  []due
	slots []planned
	free  []uint32 // slots
}

// usual is how much is due at a time in most jobs.
const usual = 256

func (s *schedule) grow(n int) {
	s.heap, s.slots, s.free = make([]due, 0, n), make([]planned, 0, n), make([]uint32, 0, n)
}

func (s *schedule) push(at time.Duration, order uint32, p planned) {
	d := due{at: at, order: order}
	if n := len(s.free); n > 0 {
		d.slot, s.free = s.free[n-1], s.free[:n-1]
		s.slots[d.slot] = p
	} else {
		d.slot = uint32(len(s.slots)) //nolint:gosec // a job has far fewer
		s.slots = append(s.slots, p)
	}
	s.heap = append(s.heap, d)
	h := s.heap
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !d.before(h[parent]) {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = d
}

func (s *schedule) pop() (time.Duration, planned) {
	h := s.heap
	first, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	for i := 0; len(h) > 0; {
		child := 2*i + 1
		if child+1 < len(h) && h[child+1].before(h[child]) {
			child++
		}
		if child >= len(h) || !h[child].before(last) {
			h[i] = last
			break
		}
		h[i] = h[child]
		i = child
	}
	s.heap = h
	p := s.slots[first.slot]
	s.slots[first.slot], s.free = planned{}, append(s.free, first.slot)
	return first.at, p
}

// beginning is when every simulated job begins.
var beginning = time.Unix(1_000_000, 0)

// at has something done at a moment, not before now.
func (w *world) at(t time.Time, do func()) { w.in(t.Sub(w.now), nil, action(do)) }

// after has something done after a while.
func (w *world) after(d time.Duration, do func()) { w.in(d, nil, action(do)) }

// in has something happen after a while, by a process if one is named.
func (w *world) in(d time.Duration, by *process, what happening) {
	w.count++
	w.queue.push(w.elapsed+max(d, 0), w.count, planned{by, what})
}

// run lets time pass until something holds, nothing is left to happen, or the limit.
func (w *world) run(until func() bool, limit time.Time) {
	most := limit.Sub(beginning)
	for still := 0; len(w.queue.heap) > 0 && !until() && still < mostAtOnce; still++ {
		at, next := w.queue.pop()
		if at > most {
			w.now, w.elapsed = limit, most
			return
		}
		if at > w.elapsed {
			still = 0
			w.now, w.elapsed = beginning.Add(at), at
		}
		if next.by != nil {
			next.by.takesOver(nil, next.what)
		} else {
			next.what.happen()
		}
	}
}

// mostAtOnce is how much may happen at one moment: more is something that keeps itself awake for ever.
const mostAtOnce = 100_000

// between draws a duration.
func (w *world) between(least, most time.Duration) time.Duration {
	if most <= least {
		return least
	}
	return least + time.Duration(w.rng.Int64N(int64(most-least)))
}

// chance draws whether something happens.
func (w *world) chance(p float64) bool { return w.rng.Float64() < p }

// tell adds a line to the story.
func (w *world) tell(format string, args ...any) {
	if w.told {
		at := w.now.Sub(beginning).Round(time.Millisecond)
		w.story = append(w.story, fmt.Sprintf("%9.3fs  %s", at.Seconds(), fmt.Sprintf(format, args...)))
	}
}
