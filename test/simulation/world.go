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
	count   int // of what was ever scheduled: what is due at the same time happens in this order

	told  bool // the story is wanted
	story []string
}

func newWorld(seed uint64) *world {
	return &world{now: beginning, rng: rand.New(rand.NewPCG(seed, 1))} //nolint:gosec // no secret
}

// due is something that happens so long after the beginning.
type due struct {
	at    time.Duration
	order int
	by    *process // does it, if one is named
	do    func()
}

func (d due) before(o due) bool { return d.at < o.at || d.at == o.at && d.order < o.order }

// schedule is a heap of what is due. It is the simulation's hot spot, so it is not container/heap, which allocates.
type schedule []due

func (s *schedule) push(d due) {
	h := append(*s, d)
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
	*s = h
}

func (s *schedule) pop() due {
	h := *s
	first, last := h[0], h[len(h)-1]
	h[len(h)-1] = due{}
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
	*s = h
	return first
}

// beginning is when every simulated job begins.
var beginning = time.Unix(1_000_000, 0)

// at has something done at a moment, not before now.
func (w *world) at(t time.Time, do func()) { w.in(t.Sub(w.now), nil, do) }

// after has something done after a while.
func (w *world) after(d time.Duration, do func()) { w.in(d, nil, do) }

// in has something done after a while, by a process if one is named.
func (w *world) in(d time.Duration, by *process, do func()) {
	w.count++
	w.queue.push(due{w.elapsed + max(d, 0), w.count, by, do})
}

// run lets time pass until something holds, nothing is left to happen, or the limit.
func (w *world) run(until func() bool, limit time.Time) {
	most := limit.Sub(beginning)
	for still := 0; len(w.queue) > 0 && !until() && still < mostAtOnce; still++ {
		next := w.queue.pop()
		if next.at > most {
			w.now, w.elapsed = limit, most
			return
		}
		if next.at > w.elapsed {
			still = 0
			w.now, w.elapsed = beginning.Add(next.at), next.at
		}
		if next.by != nil {
			next.by.takes(next.do)
		} else {
			next.do()
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
