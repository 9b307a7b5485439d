package agent

import (
	"context"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/preflight"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/pkg/supervisor"
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
	h := hostOf(w.opts.Plan, w.opts.Identity, string(w.attempt), w.sup, w.opts.Environ)
	h.GPUs = w.opts.Plan.GPUsBeside(w.task)
	return h
}

// hostOf is what a host must have for a plan: as many GPUs as a whole node of it.
func hostOf(p plan.Plan, id scheduler.Identity, runDir string, sup *supervisor.Supervisor, env []string,
) preflight.Host {
	limits := p.Cluster.Preflight
	return preflight.Host{
		GPUs: p.Layout.GPUsPerNode, RunDir: runDir, JobVar: id.JobVar, JobID: id.JobID, Off: limits.Off,
		MinDisk: limits.MinDiskMiB << 20, MinMemory: limits.MinMemoryMiB << 20, MinSharedMemory: limits.MinShmMiB << 20,
		MaxSharedMemory: limits.MaxShmMiB << 20,
		ModelsRoot:      p.Cluster.ModelsRoot, ModelFolders: p.ModelFolders(), NeedModel: limits.RequireModel,
		Run: func(ctx context.Context, argv ...string) ([]byte, int, error) { return sup.Run(ctx, argv, env) },
	}
}
