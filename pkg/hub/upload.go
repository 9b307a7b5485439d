package hub

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/upload"
)

// uploadBound is how long the upload may hold the allocation. What was not sent by then stays pending.
func (h *Hub) uploadBound() time.Duration {
	t := h.opts.Plan.Timeouts
	if c := h.machine.Cause(); c != nil && (c.Kind == protocol.CauseCancelled || c.Kind == protocol.TimeLimit) {
		return t.UploadGrace(h.opts.Plan.Cluster.KillWait)
	}
	return t.Upload.Std()
}

// upload sends the records. Looking for them is left behind if the run directory stops answering meanwhile.
func (h *Hub) upload() protocol.UploadReport {
	url, bound := h.opts.Plan.Upload.URL, h.uploadBound()
	done := make(chan protocol.UploadReport, 1)
	go func() { done <- drain(h.opts.Uploader, h.opts.Attempt, url, bound) }()
	late := time.NewTimer(bound + h.opts.DiskPatience)
	defer late.Stop()
	var report protocol.UploadReport
	select {
	case report = <-done:
	case <-late.C:
		report = protocol.UploadReport{
			URL: url, Pending: len(h.points), Error: "cannot upload: the run directory does not answer",
		}
	}
	if report.Error != "" {
		h.opts.Log.Warn("cannot upload; the records stay pending", zap.String("error", report.Error),
			zap.Int("pending", report.Pending))
	}
	return report
}

// drain sends what is pending of an attempt, in a process of its own.
func drain(program string, a rundir.Attempt, url string, bound time.Duration) protocol.UploadReport {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	return upload.Outbox{Outbox: a.OpenOutbox()}.DrainBy(ctx, []string{program, "upload", "drain", "--json", string(a)},
		url)
}
