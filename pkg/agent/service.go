package agent

import (
	"context"
	"os"
	"time"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/healthcheck"
	"github.com/disagg/disagg/pkg/roles"
)

// watchService waits for the service's address and then for its readiness, and tells the hub of both.
func (w *worker) watchService(ctx context.Context) {
	steps, facts := w.opts.Plan.Steps(w.facts.Role), w.facts
	if steps.Address != nil {
		addr, err := w.address(ctx, *steps.Address, facts)
		if err != nil {
			return
		}
		facts.Address = addr
		w.tell(control.Event{Kind: control.Address, Address: addr})
	}
	if steps.Ready == nil {
		return
	}
	probe, period, err := w.probe(*steps.Ready, facts)
	if err != nil {
		w.tell(control.Event{Kind: control.Unready, Detail: err.Error()})
		return
	}
	err = healthcheck.Ready{Period: period}.Wait(ctx, probe, func(err error) {
		w.tell(control.Event{Kind: control.Unready, Detail: err.Error()})
	})
	if err == nil {
		w.tell(control.Event{Kind: control.Ready})
	}
}

func (w *worker) address(ctx context.Context, a roles.Address, f roles.Facts) (string, error) {
	text, err := roles.Render("address", a.File+a.Text, f)
	if err != nil || a.Text != "" {
		return text, err
	}
	return healthcheck.WaitAddress(ctx, text)
}

// defaultPeriod is how often a service is asked whether it is ready.
const defaultPeriod = 250 * time.Millisecond

func (w *worker) probe(p roles.Probe, f roles.Facts) (healthcheck.Probe, time.Duration, error) {
	url, err := roles.Render("ready.url", p.URL, f)
	if err != nil {
		return nil, 0, err
	}
	body, err := roles.Render("ready.body", p.Body, f)
	if err != nil {
		return nil, 0, err
	}
	period := time.Duration(p.Period)
	if period == 0 {
		period = defaultPeriod
	}
	return healthcheck.HTTP{URL: url, Method: p.Method, Body: body, Timeout: time.Duration(w.opts.Plan.Timeouts.Probe)}, period, nil
}

// releasePoll is how often the benchmark's release file is looked for.
const releasePoll = 200 * time.Millisecond

// watchRelease tells the hub when the benchmark no longer needs the servers.
func (w *worker) watchRelease(ctx context.Context, text string) {
	file, err := roles.Render("release", text, w.facts)
	if err != nil {
		return
	}
	tick := time.NewTicker(releasePoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if _, err := os.Stat(file); err == nil {
				w.tell(control.Event{Kind: control.Release})
				return
			}
		}
	}
}
