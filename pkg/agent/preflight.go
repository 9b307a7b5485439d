package agent

import (
	"context"

	"github.com/disagg/disagg/pkg/preflight"
	"github.com/disagg/disagg/pkg/protocol"
)

// preflight checks this host, if it is asked to, and the way to its peers, at the same time, and reports what is found.
func (w *worker) preflight(peers map[string]string, host bool) {
	ctx, cancel := context.WithTimeout(context.Background(), w.opts.Plan.Timeouts.Preflight.Std())
	defer cancel()
	found := make(chan protocol.Findings, 1)
	go func() {
		var f protocol.Findings
		if host {
			f.Findings, f.Host = w.host().Check(ctx)
		}
		found <- f
	}()
	reach := preflight.Reach(ctx, w.token, peers)
	f := <-found
	f.Reach = reach
	w.tell(protocol.Event{Kind: protocol.EventPreflight, Findings: &f})
}

// reach tries whether the hosts of roles answer, and reports those that do not.
func (w *worker) reach(addresses map[string]string) {
	w.tell(preflight.Reached(context.Background(), addresses))
}

// host is what this rank's host must have: all that is planned on it, whichever role asks.
func (w *worker) host() preflight.Host {
	p, limits := w.opts.Plan, w.opts.Plan.Cluster.Preflight
	return preflight.Host{
		GPUs: p.GPUsBeside(w.task), RunDir: string(w.attempt), JobVar: w.opts.Identity.JobVar,
		JobID: w.opts.Identity.JobID, Off: limits.Off,
		MinDisk: limits.MinDiskMiB << 20, MinMemory: limits.MinMemoryMiB << 20, MinSharedMemory: limits.MinShmMiB << 20,
		MaxSharedMemory: limits.MaxShmMiB << 20, ModelFolders: w.opts.Plan.ModelFolders(),
		NeedModel: limits.RequireModel,
		Run: func(ctx context.Context, argv ...string) ([]byte, int, error) {
			return w.sup.Run(ctx, argv, w.opts.Environ)
		},
	}
}
