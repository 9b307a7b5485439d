package connections

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/disagg/disagg/test/memnet"
)

// recovery is how long, after a fault of that length, a connection may need to be there again: the time until a lost
// packet is sent once more, and handshakes after that. An older connection that the hub holds costs a second one, and
// an agent that is not told that its try is in vain gives it up after half of its patience.
func (w *world) recovery(kind string, length time.Duration) time.Duration {
	const handshakes = 2500 * time.Millisecond
	switch kind {
	case isReset, resetAgent, resetLeft, isStalled, isPaused:
		return handshakes
	case resetHub:
		return w.lost/2 + handshakes
	case isCut, cutUp, cutDown: // the pauses between tries to connect have grown with it
		return length + handshakes + 2*time.Second
	case lossy:
		return handshakes + 6*time.Second
	case isKilled, isOver:
		return memnet.Forever / 2
	}
	return -1 // strangers are no reason
}

// cutOff tells whether the way between an agent and the hub is cut for ever.
func (w *world) cutOff(a *agent) bool {
	return slices.ContainsFunc(w.faults, func(f fault) bool {
		return f.agent != hub && w.agents[f.agent] == a.plan && f.kind != isKilled && f.To == memnet.Forever
	})
}

// undisturbed tells whether nothing holds up what an agent says, no fault and no large message.
func (w *world) undisturbed(a *agent) bool {
	large := func(s saying) bool { return s.size > 1000 }
	l := a.plan.link
	now := w.net.Now()
	return len(w.faults) == 0 && l.Up.Rate == 0 && l.Packet == 0 && now > a.plan.begins+time.Second && now < w.length &&
		!slices.ContainsFunc(a.plan.events, large)
}

// excused tells whether a fault explains that an agent and the hub do not hear each other.
func (w *world) excused(a *agent, late time.Duration) bool {
	now := w.net.Now()
	for _, f := range w.faults {
		own := f.agent == hub || w.agents[f.agent].link == a.plan.link
		if !own || now < f.From || w.recovery(f.kind, 0) < 0 {
			continue
		}
		if f.To == memnet.Forever || now <= f.To+w.recovery(f.kind, f.To-f.From)+late {
			return true
		}
	}
	return false
}

// judgeLoss tells whether an agent may take the hub for lost.
func (w *world) judgeLoss(a *agent, err error) {
	text := err.Error()
	a.mu.Lock()
	dropped := a.dropped
	a.mu.Unlock()
	quiet := w.net.Now() - a.ear.since()
	switch {
	case strings.Contains(text, "no sign of life"):
		if quiet < w.lost || quiet > w.lost+2*w.beat {
			w.violated("%s loses the hub after a silence of %v", a.id, quiet)
		}
		if !w.excused(a, 0) {
			w.violated("%s loses the hub without a reason", a.id)
		}
	case strings.Contains(text, "another agent runs"):
		if !w.shared(a) {
			w.violated("%s is refused, and no other agent has its place", a.id)
		}
	case strings.Contains(text, "it counts as lost"):
		if !dropped {
			w.violated("%s is refused, and was not given up", a.id)
		}
	case strings.Contains(text, "the hub has ended"), strings.Contains(text, "another hub"),
		strings.Contains(text, "another attempt"):
		if w.restart == 0 || w.net.Now() < w.restart {
			w.violated("%s takes the hub for ended", a.id)
		}
	default:
		w.violated("%s loses the hub for no known reason", a.id)
	}
}

// shared tells whether another session wanted the same place.
func (w *world) shared(a *agent) bool {
	for _, other := range w.all() {
		if other != a && other.plan.task == a.plan.task {
			return true
		}
	}
	return false
}

// judgeDrop tells whether the hub may give an agent up that it last heard at a time.
func (w *world) judgeDrop(a *agent, heard time.Duration, late bool) {
	if !w.excused(a, w.beat) && !a.gone() {
		w.violated("the hub gives up %s without a reason", a.id)
	}
	quiet := w.net.Now() - heard
	if !late && quiet < w.lost-w.beat/20 && !w.paused(w.net.Now()-w.lost, w.net.Now()) {
		w.violated("the hub gives up %s after a silence of %v", a.id, quiet)
	}
}

// gone tells whether an agent's process has ended or is about to, or has lost the hub.
func (a *agent) gone() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.killed || a.closed || a.err != nil
}

// settled tells whether everything that was said has arrived, or its side knows that it will not.
func (w *world) settled() bool {
	for _, a := range w.all() {
		if a.open() != "" {
			return false
		}
	}
	return w.idle()
}

// open tells what an agent and the hub still wait for, "" if there is nothing.
func (a *agent) open() string {
	h := a.w.present()
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.tasks[a.plan.task]
	here := p != nil && p.agent == a && p.gone == 0
	a.mu.Lock()
	defer a.mu.Unlock()
	switch over := a.killed || a.closed || a.err != nil; {
	case over && here:
		return "the hub does not know that it is gone"
	case over:
		return ""
	case a.dropped:
		return "it does not know that it was given up"
	case !here && a.plan.link.Name != "local":
		return "it is not attached"
	case here && a.reached[h.number] != a.sent:
		return "events are missing"
	case here && a.heard[h.number] != a.told[h.number]:
		return "commands are missing"
	}
	return ""
}

// unsettled finds what is missing once there was time enough for everything.
func (w *world) unsettled() {
	for _, a := range w.all() {
		if why := a.open(); why != "" {
			a.mu.Lock()
			w.violated("%s: %s: sent %d, reached %v, told %v, heard %v", a.id, why, a.sent, a.reached, a.told, a.heard)
			a.mu.Unlock()
		}
		if worst := a.ear.longest(w.net.Now()); a.id != "local" && !a.gone() && worst > w.lost+2*w.beat {
			w.violated("%s bears a silence of %v", a.id, worst)
		}
	}
}

// leave lets every agent end in good order. That takes no longer than its bounds, and who is attached says goodbye.
func (w *world) leave() {
	var all sync.WaitGroup
	for _, a := range w.all() {
		all.Go(a.leave)
		if a.plan.parting > 0 {
			w.at(w.net.Now()+a.plan.parting, func() { a.plan.link.Reset(memnet.AtOnce, memnet.AtOnce) })
		}
	}
	all.Wait()
	w.tell("all have left")
	time.Sleep(w.beat)
	for _, a := range w.all() {
		a.mu.Lock()
		if a.took > w.lost+2*w.beat {
			w.violated("%s takes %v to end", a.id, a.took)
		}
		if !a.killed && a.link.Err() == nil && !a.dropped && !a.bye && !a.amid {
			w.violated("the hub does not hear the goodbye of %s", a.id)
		}
		if a.bye && a.arrived() < a.sent {
			w.violated("%s says goodbye, and %d of %d events have arrived", a.id, a.arrived(), a.sent)
		}
		a.mu.Unlock()
	}
}
