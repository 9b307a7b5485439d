package connections

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/test/memnet"
)

// agent is one agent process: its end of the conversation, and what the test knows of it.
type agent struct {
	w    *world
	id   string // of its session
	plan *plan
	link control.Link
	ear  ear // what its end of the connection hears

	mu      sync.Mutex
	sent    int
	heard   map[int]int // commands that arrived, by the hub that sent them
	told    map[int]int // commands that were sent to it, by the hub that sent them
	reached map[int]int // events that arrived, by the hub that they arrived at
	killed  bool
	lostAt  time.Duration
	err     error         // why it lost the hub
	dropped bool          // the hub gave it up
	bye     bool          // the hub has heard its goodbye
	closed  bool          // it has said everything
	took    time.Duration // to end
	amid    bool          // it ended amid a fault: the hub may not have heard its goodbye
}

// startAgent begins an agent of the plan, unless it was killed before.
func (w *world) startAgent(p *plan, id string) {
	if p.killed > 0 && p.killed <= w.net.Now() && id == p.link.Name {
		return
	}
	a := w.newAgent(p, id)
	o := w.options(p.task, p.link)
	o.Dial = func(ctx context.Context, at string) (net.Conn, error) {
		conn, err := w.net.Dial(ctx, p.link, at)
		if err != nil {
			return nil, err
		}
		return &watched{Conn: conn, w: w, ear: &a.ear, who: a.id, beat: w.beat, record: true}, nil
	}
	w.tell("%s begins", id)
	client := control.Dial(o)
	a.live(client)
	if p.leaves > 0 {
		w.at(p.leaves, a.leave)
	}
	w.wg.Go(func() { a.follow(client) })
}

func (w *world) newAgent(p *plan, id string) *agent {
	a := &agent{w: w, id: id, plan: p, heard: map[int]int{}, told: map[int]int{}, reached: map[int]int{}}
	a.ear.last = w.net.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sessions = append(w.sessions, a)
	return a
}

// local is the agent in the hub's own process.
func (w *world) local() {
	p := &plan{task: roles.Hub(), link: &memnet.Link{Name: "local"}, events: []saying{{at: w.length / 2}}}
	a := w.newAgent(p, "local")
	a.live(w.hub.server.Local(protocol.Hello{Task: p.task, Session: a.id, RunID: runID}))
	for i := range 3 {
		w.at(w.length*time.Duration(i+1)/4, func() { w.present().command(p.task, 10) })
	}
}

// live lets an agent say what it is to say, and hear what it is told.
func (a *agent) live(link control.Link) {
	a.mu.Lock()
	a.link = link
	a.mu.Unlock()
	for _, s := range a.plan.events {
		a.w.at(s.at, func() { a.say(s.size) })
	}
	a.w.wg.Go(func() { a.hear(link) })
}

// say sends an event whose number and text tell where it is from.
func (a *agent) say(size int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.killed || a.closed {
		return
	}
	a.sent++
	a.link.Send(protocol.Event{
		Kind: protocol.EventUnready, At: time.Now(), PID: a.sent, Detail: a.id + "#" + strings.Repeat("x", size),
	})
}

// hear takes commands. Each must be the next of a hub's.
func (a *agent) hear(link control.Link) {
	for {
		select {
		case c := <-link.Commands():
			a.take(c)
			time.Sleep(a.plan.slow)
		case <-a.w.end:
			return
		}
	}
}

func (a *agent) take(c protocol.Command) {
	a.mu.Lock()
	defer a.mu.Unlock()
	number := a.heard[c.Code] + 1
	if want := fmt.Sprintf("%s#%d#", a.id, number); !strings.HasPrefix(c.Reason, want) {
		a.w.violated("%s hears %.20q as command %d of hub %d", a.id, c.Reason, number, c.Code)
	}
	a.heard[c.Code] = number
	if len(a.heard) > 1 {
		a.w.violated("%s heeds two hubs", a.id)
	}
}

// follow notes why and when an agent loses the hub, and whether it may.
func (a *agent) follow(c *control.Client) {
	select {
	case <-c.Lost():
	case <-a.w.end:
		return
	}
	err := c.Err()
	a.mu.Lock()
	killed, closed := a.killed, a.closed
	if err != nil {
		a.lostAt, a.err = max(a.w.net.Now(), 1), err
	}
	a.mu.Unlock()
	if err != nil && !killed && !closed {
		a.w.tell("%s has lost the hub: %.90v", a.id, err)
		a.w.judgeLoss(a, err)
	}
}

// kill ends the agent's process. What is left of it here is cleared away.
func (a *agent) kill() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.killed && !a.closed {
		a.w.wg.Go(a.link.Close)
	}
	a.killed = true
}

// leave says a last word and ends in good order. If that takes less than its bound, everything has arrived.
func (a *agent) leave() {
	a.say(10)
	a.mu.Lock()
	over := a.killed || a.closed
	a.closed = true
	a.mu.Unlock()
	if over {
		return
	}
	begun := a.w.net.Now()
	a.link.Close()
	amid := a.w.excused(a, 0)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.amid = amid && begun < a.w.length || a.w.cutOff(a)
	a.took = a.w.net.Now() - begun
	if a.id != "local" && a.link.Err() == nil && !a.killed && a.took < a.w.lost && a.arrived() < a.sent {
		a.w.violated("%s ends after %v, and %d of %d events have arrived", a.id, a.took, a.arrived(), a.sent)
	}
}

// arrived is how many events have arrived. A hub may end before it has acknowledged any: they go to the next, then.
func (a *agent) arrived() (most int) {
	for _, n := range a.reached {
		most = max(most, n)
	}
	return most
}

// takesOver begins an agent in the place of one that was given up.
func (w *world) takesOver(p *plan) {
	clean := &memnet.Link{Name: p.link.Name + "b", Up: memnet.Way{Most: time.Millisecond}, Window: 1 << 16}
	follower := &plan{task: p.task, link: clean}
	for i := range 5 {
		at := w.net.Now() + time.Duration(100+i)*time.Millisecond
		follower.events = append(follower.events, saying{at, 10})
	}
	w.at(w.net.Now()+50*time.Millisecond, func() { w.startAgent(follower, clean.Name) })
}
