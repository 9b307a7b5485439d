package agent

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/decide/rank"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
)

// dial begins the conversation with a hub of a run.
func (w *worker) dial(find func(context.Context) (string, error), runID string) control.Link {
	limits := w.opts.Plan.Timeouts
	return control.Dial(control.ClientOptions{
		Find: find, Token: w.token, Hello: w.hello(runID), Heartbeat: limits.Heartbeat.Std(), Lost: limits.Lost.Std(),
		CloseWait: limits.Lost.Std(),
	})
}

// untilLaunched bounds a wait for the hub by the time that the plan gives agents to arrive; by hand there is no bound.
func (w *worker) untilLaunched(ctx context.Context) (context.Context, context.CancelFunc) {
	p := w.opts.Plan
	if p.Policy.Interactive {
		return ctx, func() {}
	}
	late := fmt.Errorf("no hub within %v", p.Timeouts.Launch)
	return context.WithTimeoutCause(ctx, p.Timeouts.Launch.Std(), late)
}

// findHub waits for the hub, for as long as the plan allows agents to arrive.
func (w *worker) findHub(ctx context.Context) (string, error) {
	ctx, cancel := w.untilLaunched(ctx)
	defer cancel()
	return rundir.FindHub(ctx, w.attempt, w.runID)
}

// nextHub is a hub that a rank without one has found, or why there will be none.
type nextHub struct {
	hub rundir.Hub
	err error
}

// seekHub waits for the next hub in a goroutine of its own. The first of a job is waited for as long as agents have to
// arrive, a later one for as long as the child is kept: a role that was restarted joins servers that were measured.
func (w *worker) seekHub() {
	last := w.lastHub
	ctx, cancel := context.WithCancel(context.Background())
	w.searching = cancel
	go func() {
		defer cancel()
		if last == "" && !rundir.HasResult(w.attempt) {
			var end context.CancelFunc
			ctx, end = w.untilLaunched(ctx)
			defer end()
		}
		hub, err := rundir.NextHub(ctx, w.attempt, last)
		w.in(nextHub{hub, err})
	}()
}

// meet attaches to the next hub.
func (w *worker) meet(n nextHub) {
	if w.machine.Stopped() != "" { // it is of no use to a hub
		return
	}
	if n.err != nil {
		w.step(rank.HubLost{Why: n.err.Error()})
		return
	}
	w.log.Info("attaching", zap.String("hub", n.hub.Address), zap.String("run", n.hub.RunID))
	w.lastHub = n.hub.Address
	found := func(context.Context) (string, error) { return n.hub.Address, nil }
	w.setLink(w.dial(found, n.hub.RunID))
}

// part leaves the present hub, if there is one, and waits for the next. Everything that was told still arrives.
func (w *worker) part(reason string) {
	w.log.Warn("stays for the next benchmark (" + reason + ")")
	w.closeListener()
	if w.service != nil {
		w.tellUnwell()
		w.service.endWatch()
	}
	if link := w.link; link != nil {
		w.setLink(nil)
		w.parting.Go(link.Close)
	}
	w.seekHub()
}

func (w *worker) setLink(l control.Link) {
	w.linkMu.Lock()
	defer w.linkMu.Unlock()
	w.link, w.moved = l, true
}

// send sends an event to the hub. Without one it is dropped: the next asks for what it must know. It may be called from
// anywhere.
func (w *worker) send(e protocol.Event) {
	w.linkMu.Lock()
	defer w.linkMu.Unlock()
	if w.link != nil {
		w.link.Send(e)
	}
}

// commands and lost are the present link's; nil, which nothing comes from, without one.
func (w *worker) commands() <-chan protocol.Command {
	if w.link == nil {
		return nil
	}
	return w.link.Commands()
}

func (w *worker) lost() <-chan struct{} {
	if w.link == nil {
		return nil
	}
	return w.link.Lost()
}

func (w *worker) linkErr() error {
	if w.link == nil {
		return nil
	}
	return w.link.Err()
}

// endLink ends the conversation, once everything that was told has arrived.
func (w *worker) endLink() {
	w.searching()
	if w.link != nil {
		w.link.Close()
	}
	w.parting.Wait()
}

// withdraw tells whoever looks for a hub that this one has ended. One that has come meanwhile is left alone.
func (w *worker) withdraw() {
	if w.opts.Plan.Policy.Keep == "" {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if p, ok := rundir.ReadPublished(w.attempt, w.task, w.runID); ok && p.Hub == w.lastHub {
			gone := w.published("")
			gone.Endpoint = ""
			_ = rundir.Publish(w.attempt, gone) // who finds this one is refused, and looks on
		}
	}()
	select {
	case <-done:
	case <-time.After(ownPatience):
	}
}
