package agent

import (
	"context"
	"time"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/preflight"
)

// look looks at this host, if it is told to, and at the way to its peers, at the same time, and tells the hub.
func (w *worker) look(peers map[string]string, host bool) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(w.opts.Plan.Timeouts.Preflight))
	defer cancel()
	found := make(chan []preflight.Finding, 1)
	go func() {
		var list []preflight.Finding
		if host {
			list = w.host().Check(ctx)
		}
		found <- list
	}()
	s := control.Survey{Reach: preflight.Reach(ctx, w.token, peers)}
	s.Findings = <-found
	w.tell(control.Event{Kind: control.Surveyed, Survey: &s})
}

// host is what this rank's host must have.
func (w *worker) host() preflight.Host {
	p, id := w.opts.Plan, w.opts.Identity
	h := preflight.Host{
		RunDir: string(w.attempt), JobID: w.opts.JobID, Off: p.Preflight.Off,
		MinDisk: p.Preflight.MinDiskMiB << 20, MinMemory: p.Preflight.MinMemoryMiB << 20, MaxSharedMemory: p.Preflight.MaxShmMiB << 20,
		Run: func(ctx context.Context, argv ...string) ([]byte, int, error) {
			return w.sup.Run(ctx, argv, w.opts.Environ)
		},
	}
	if pl, ok := p.Layout.Find(id.Task.Role); ok {
		h.GPUs = pl.GPUsOn(id.Task.Rank, p.Layout.GPUsPerNode)
	}
	return h
}
