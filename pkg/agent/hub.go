package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/hub"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/supervisor"
)

// runHub lives the life of BENCHMARK: its own rank's, and the hub's.
func runHub(w *worker) (int, error) {
	o := w.opts
	has, err := bounded(o.Plan.Timeouts.Launch.Std(), func() (bool, error) { return rundir.HasResult(w.attempt), nil })
	if err != nil || has {
		if err == nil {
			err = fmt.Errorf("cannot run: attempt %s has its verdict already: use a new run directory", w.attempt)
		}
		return protocol.ExitUsage, err
	}
	server, err := control.Listen(control.ServerOptions{
		Host: o.Host, Token: w.token, RunID: w.runID,
		Heartbeat: o.Plan.Timeouts.Heartbeat.Std(), Lost: o.Plan.Timeouts.Lost.Std(),
		Expected: func(t roles.Task) bool {
			pl, ok := o.Plan.Layout.Find(t.Role)
			return ok && t.Rank >= 0 && t.Rank < pl.Ranks
		},
	})
	if err != nil {
		return protocol.ExitUsage, err
	}
	defer server.Close()
	pattern, err := recipe.Render("results.files", o.Plan.Spec(o.Role).Results.Files, w.data)
	if err != nil {
		return protocol.ExitUsage, err
	}
	h := hub.New(hub.Options{
		Plan: o.Plan, Attempt: w.attempt, RunID: w.runID, JobID: o.Identity.JobID, Times: o.Times, JobEnds: o.JobEnds,
		Results: pattern, Uploader: o.Uploader, Run: w.sup.Output, Server: server,
		Disk: o.Disk, DiskEvents: o.DiskEvents, DiskPatience: o.DiskPatience, Log: o.Log,
	})
	w.job = h.View
	if err := w.publish(server.Address()); err != nil {
		return protocol.ExitUsage, err
	}
	w.lastHub = server.Address()
	defer w.withdraw()
	w.link = server.Local(w.hello(w.runID))
	codes := make(chan int, 1)
	go func() {
		defer w.link.Close()
		defer w.sup.Close()
		codes <- w.live()
	}()
	ctx, stop := whileAlive(context.Background(), o.Batch, o.Log)
	defer stop()
	result, written := h.Run(ctx)
	if !written {
		w.handOver(result)
	}
	own := protocol.ExitFailed
	select {
	case own = <-codes:
	case <-time.After(ownPatience): // its child cannot be ended, or its log not be written
	}
	return protocol.HubCode(result.Verdict, result.ExitCode, result.FirstCause, own), nil
}

// ownPatience is how long the hub waits, once the job is over, for its own rank.
const ownPatience = time.Second

// handOver passes a verdict that the run directory did not take to the batch script.
func (w *worker) handOver(r protocol.Result) {
	data, err := json.Marshal(r.Brief())
	if err == nil {
		_, err = fmt.Fprintf(w.opts.Stderr, "%s%s\n", protocol.VerdictLine, data)
	}
	if err != nil {
		w.log.Error("the verdict is lost", zap.Error(err))
	}
}

// whileAlive is a context that ends with a process. Slurm tells nobody that a batch script was killed: it kills the
// steps, one after the other, and whoever is hit first would look like the cause. Without such a process, or where it
// cannot be seen, the context goes on.
func whileAlive(ctx context.Context, mark string, log *zap.Logger) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if mark == "" {
		return ctx, func() { cancel(nil) }
	}
	batch, err := supervisor.Follow(mark)
	if err != nil {
		log.Info("the batch script is not watched", zap.Error(err))
		return ctx, func() { cancel(nil) }
	}
	go func() {
		defer func() { _ = batch.Close() }()
		if batch.Wait(ctx) {
			cancel(hub.ErrBatchEnded)
		}
	}()
	return ctx, func() { cancel(nil) }
}
