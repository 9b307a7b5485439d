package connections

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/decide/liveness"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// hubEnd is a hub: the server's end of all conversations, and who is there.
type hubEnd struct {
	w        *world
	number   int // 1, and 2 after a restart
	run      string
	server   *control.Server
	closed   chan struct{}
	listened sync.WaitGroup

	mu    sync.Mutex
	tasks map[roles.Task]*place
	ears  map[string]*ear // by the name of a link
	clock liveness.Clock
}

// place is a task, and who has it.
type place struct {
	agent     *agent
	connected bool
	gone      time.Duration // when it was given up, or said goodbye; 0: it is there
	silence   liveness.Silence
	brokeAt   time.Duration // 0: it is connected
	heardLast time.Duration // before its connection broke
}

// startHub begins a hub.
func (w *world) startHub(token, run string) {
	l, err := w.net.Listen(address, w.pauses...)
	if err != nil {
		w.violated("%v", err)
		return
	}
	h := &hubEnd{
		w: w, number: 1, run: run, closed: make(chan struct{}), tasks: map[roles.Task]*place{},
		ears: map[string]*ear{}, clock: liveness.Clock{Beat: w.beat},
	}
	if old := w.present(); old != nil {
		h.number = old.number + 1
	}
	h.server, err = control.Listen(control.ServerOptions{
		Listener: listener{l, h}, Token: token, RunID: run, Heartbeat: w.beat, Lost: w.lost,
		Expected: func(t roles.Task) bool { return t == roles.Hub() || t.Rank < len(w.agents) },
	})
	if err != nil {
		w.violated("%v", err)
		return
	}
	w.mu.Lock()
	w.hub = h
	w.mu.Unlock()
	h.listened.Go(h.listen)
}

// restartHub ends the hub, and begins another at its address.
func (w *world) restartHub() {
	w.present().close()
	w.session("local").kill()
	if time.Sleep(w.gap); w.again {
		w.startHub(token, runID)
	} else {
		w.startHub("the next token", next)
	}
}

// close ends the hub. That must not take time.
func (h *hubEnd) close() {
	begun := h.w.net.Now()
	h.server.Close()
	close(h.closed)
	h.listened.Wait()
	if took := h.w.net.Now() - begun; took > time.Millisecond {
		h.w.violated("the hub takes %v to end", took)
	}
}

// listener watches the connections that a hub accepts.
type listener struct {
	net.Listener
	h *hubEnd
}

func (l listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	name := conn.RemoteAddr().String()
	return &watched{Conn: conn, w: l.h.w, ear: l.h.ear(name), who: "the hub, to " + name, beat: l.h.w.beat}, nil
}

func (h *hubEnd) ear(link string) *ear {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ears[link] == nil {
		h.ears[link] = &ear{}
	}
	return h.ears[link]
}

// listen takes what agents say, and looks for who is lost.
func (h *hubEnd) listen() {
	ticker := time.NewTicker(h.w.beat / 4)
	defer ticker.Stop()
	for {
		select {
		case in := <-h.server.Inbound():
			h.w.stand()
			h.mu.Lock()
			h.tick()
			h.take(in)
		case <-ticker.C:
			h.w.stand()
			h.mu.Lock()
			h.tick()
			h.judge()
		case <-h.closed:
			return
		}
		h.mu.Unlock()
	}
}

// stand waits for the end of a pause of the hub.
func (w *world) stand() {
	now := w.net.Now()
	for _, s := range w.pauses {
		if s.From <= now && now < s.To {
			time.Sleep(s.To - now)
		}
	}
}

func (h *hubEnd) tick() {
	missed := h.clock.Tick(time.Now())
	if missed == 0 {
		return
	}
	for _, p := range h.tasks {
		p.silence.Missed(missed)
		if p.brokeAt > 0 {
			p.brokeAt += missed + h.w.beat
		}
	}
}

// take takes what an agent says: each input only where it can come.
func (h *hubEnd) take(in control.Inbound) {
	p := h.tasks[in.Task]
	now := h.w.net.Now()
	if in.Hello != nil {
		h.hello(in, p)
		return
	}
	if p == nil {
		h.w.violated("the hub hears %s, who did not come", in.Task)
		return
	}
	if p.gone > 0 && now > p.gone+time.Millisecond {
		h.w.violated("the hub hears %s of %s, which is gone", what(in), p.agent.id)
		return
	}
	if in.Event != nil {
		p.agent.arrives(h, *in.Event)
	}
	wrong := in.Back == p.connected
	switch {
	case in.Back:
		p.connected, p.brokeAt = true, 0
		h.w.tell("%s is back", p.agent.id)
	case in.GaveUp:
		p.connected, p.gone = false, max(now, 1)
		h.w.tell("%s has given the hub up", p.agent.id)
	case in.Broke:
		p.connected, p.brokeAt, p.heardLast = false, max(now, 1), h.ears[p.agent.plan.link.Name].since()
		h.w.tell("%s: its connection broke %s", p.agent.id, in.Fault)
	case in.Bye:
		p.connected, p.gone = false, max(now, 1)
		p.agent.saysBye()
	}
	if wrong && p.gone == 0 {
		h.w.violated("the hub hears %s of %s, connected: %t", what(in), p.agent.id, !in.Back)
	}
	if !in.Broke {
		p.silence.Heard(time.Now())
	}
}

func what(in control.Inbound) string {
	switch {
	case in.Event != nil:
		return fmt.Sprintf("event %d", in.Event.PID)
	case in.Alive:
		return "a sign of life"
	case in.GaveUp:
		return "that it is given up"
	case in.Broke:
		return "the break"
	case in.Back:
		return "the return"
	}
	return "the goodbye"
}

// hello lets an agent have its place.
func (h *hubEnd) hello(in control.Inbound, old *place) {
	a := h.w.session(in.Hello.Session)
	switch {
	case a == nil || in.Hello.RunID != h.run || in.Hello.Task != in.Task || a.plan.task != in.Task:
		h.w.violated("the hub lets in %s of %s as %s", in.Hello.Session, in.Hello.RunID, in.Task)
		return
	case old != nil && old.gone == 0:
		h.w.violated("the hub lets in %s, and %s is there", a.id, old.agent.id)
	}
	h.w.tell("%s is welcome to hub %d", a.id, h.number)
	p := &place{agent: a, connected: true, silence: liveness.Silence{Limit: h.w.lost}}
	p.silence.Heard(time.Now())
	h.tasks[in.Task] = p
}

// arrives takes an event: it must be the next.
func (a *agent) arrives(h *hubEnd, e protocol.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	number := a.reached[h.number] + 1
	if e.PID != number || !strings.HasPrefix(e.Detail, a.id+"#") {
		a.w.violated("the hub hears event %d, %.20q as %d of %s", e.PID, e.Detail, number, a.id)
	}
	a.reached[h.number] = number
	if took := time.Since(e.At); took > prompt && a.w.undisturbed(a) {
		a.w.violated("event %d of %s takes %v", number, a.id, took)
	}
}

// prompt is how long a small message takes at most, by itself and in a network in which nothing breaks.
const prompt = 300 * time.Millisecond

func (a *agent) saysBye() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bye = true
	if !a.closed {
		a.w.violated("%s says goodbye, and has not ended", a.id)
	}
}

// command tells an agent something, if it is there.
func (h *hubEnd) command(t roles.Task, size int) {
	h.w.stand()
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.tasks[t]
	if p == nil || p.gone > 0 {
		return
	}
	p.agent.mu.Lock()
	defer p.agent.mu.Unlock()
	p.agent.told[h.number]++
	h.server.Send(t, protocol.Command{
		Kind: protocol.CommandStart, Code: h.number,
		Reason: fmt.Sprintf("%s#%d#%s", p.agent.id, p.agent.told[h.number], strings.Repeat("x", size)),
	})
}

// judge gives up who is silent for too long, and, as it may be, who is not back soon.
func (h *hubEnd) judge() {
	now := h.w.net.Now()
	for t, p := range h.tasks {
		late := h.w.strict && p.brokeAt > 0 && now-p.brokeAt >= h.w.beat
		if p.gone > 0 || t == roles.Hub() || !late && !p.silence.Lost(time.Now()) {
			continue
		}
		p.gone = now
		p.agent.mu.Lock()
		p.agent.dropped = true
		p.agent.mu.Unlock()
		h.w.tell("the hub gives up %s, late: %t", p.agent.id, late)
		h.server.Drop(t)
		heard := h.ears[p.agent.plan.link.Name].since()
		if p.brokeAt > 0 { // since then a pulse does not count
			heard = p.heardLast
		}
		h.w.judgeDrop(p.agent, heard, late)
		if p.agent.plan.follows && p.agent.id == p.agent.plan.link.Name {
			h.w.takesOver(p.agent.plan)
		}
	}
}
