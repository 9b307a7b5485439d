package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// agents are all agents of a job but the hub's own.
type agents struct {
	plan    plan.Plan
	hub     string
	all     []roles.Task
	mu      sync.Mutex
	links   map[roles.Task]*control.Client
	started chan roles.Task
	told    chan time.Time
	lost    int
	wg      sync.WaitGroup
}

func newAgents(p plan.Plan, hub string) *agents {
	a := &agents{plan: p, hub: hub, links: map[roles.Task]*control.Client{}}
	for _, pl := range p.Layout.Placements {
		for _, t := range pl.Tasks() {
			if t != roles.Hub() {
				a.all = append(a.all, t)
			}
		}
	}
	a.started, a.told = make(chan roles.Task, len(a.all)), make(chan time.Time, len(a.all))
	return a
}

// attach connects all agents at once and waits until each was told to start.
func (a *agents) attach(ctx context.Context) (time.Duration, error) {
	begun := time.Now()
	for _, t := range a.all {
		c := control.Dial(control.ClientOptions{
			Find: func(context.Context) (string, error) { return a.hub, nil }, Token: token,
			Hello:     protocol.Hello{Task: t, Session: t.String(), RunID: runID, Node: fmt.Sprintf("n%s", t.Role)},
			Heartbeat: a.plan.Timeouts.Heartbeat.Std(), Lost: a.plan.Timeouts.Lost.Std(), CloseWait: 5 * time.Second,
		})
		a.links[t] = c
		a.wg.Go(func() { a.live(t, c) })
	}
	for range a.all {
		select {
		case <-a.started:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-time.After(time.Minute):
			return 0, errors.New("not every agent was told to start within a minute")
		}
	}
	return time.Since(begun), nil
}

// live is one agent without a child.
func (a *agents) live(t roles.Task, c *control.Client) {
	for {
		select {
		case <-c.Lost():
			a.mu.Lock()
			a.lost++
			a.mu.Unlock()
			return
		case d := <-c.Commands():
			switch d.Kind {
			case protocol.CommandStart:
				c.Send(protocol.Event{At: time.Now(), Kind: protocol.EventStarted, PID: 1})
				a.started <- t
			case protocol.CommandStop:
				a.told <- time.Now()
				o := protocol.Outcome{Started: true, StopReason: d.Reason}
				c.Send(protocol.Event{At: time.Now(), Kind: protocol.EventStopped, Outcome: &o})
				c.Close()
				return
			}
		}
	}
}

// stop lets one child die and returns how long it took until each agent was told to stop, and how many were lost.
func (a *agents) stop(ctx context.Context) (told []time.Duration, lost int, err error) {
	a.mu.Lock()
	lost = a.lost
	a.mu.Unlock()
	if n := len(a.told); n > 0 {
		return nil, lost, fmt.Errorf("%d agents were told to stop although nothing had failed", n)
	}
	o := protocol.Outcome{Started: true, Code: 3}
	died := time.Now()
	a.links[a.all[len(a.all)/2]].Send(protocol.Event{At: died, Kind: protocol.EventExited, Outcome: &o, Code: 3})
	for range a.all {
		select {
		case at := <-a.told:
			told = append(told, at.Sub(died))
		case <-ctx.Done():
			return nil, lost, context.Cause(ctx)
		case <-time.After(time.Minute):
			return nil, lost, fmt.Errorf("%d of %d agents were told to stop within a minute", len(told), len(a.all))
		}
	}
	return told, lost, nil
}

func (a *agents) close() {
	for _, c := range a.links {
		go c.Close()
	}
	a.wg.Wait()
}
