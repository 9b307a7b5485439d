package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/supervisor"
)

// agents are all agents of a job but the hub's own.
type agents struct {
	plan    roles.Plan
	hub     string
	all     []roles.Task
	mu      sync.Mutex
	links   map[roles.Task]*control.Client
	started chan roles.Task
	told    chan time.Time
	lost    int
	wg      sync.WaitGroup
}

func newAgents(p roles.Plan, hub string) *agents {
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
			Hello:     control.Hello{Task: t, Session: t.String(), RunID: runID, Node: fmt.Sprintf("n%s", t.Role)},
			Heartbeat: time.Duration(a.plan.Timeouts.Heartbeat), Lost: time.Duration(a.plan.Timeouts.Lost), CloseWait: 5 * time.Second,
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
		case d := <-c.Directives():
			switch d.Kind {
			case control.Start:
				c.Send(control.Event{At: time.Now(), Kind: control.Started, PID: 1})
				a.started <- t
			case control.Stop:
				a.told <- time.Now()
				o := supervisor.Outcome{Started: true, StopReason: d.Reason}
				c.Send(control.Event{At: time.Now(), Kind: control.Stopped, Outcome: &o})
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
	o := supervisor.Outcome{Started: true, Code: 3}
	died := time.Now()
	a.links[a.all[len(a.all)/2]].Send(control.Event{At: died, Kind: control.Exited, Outcome: &o, Code: 3})
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
