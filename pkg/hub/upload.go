package hub

import (
	"context"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/disagg/disagg/pkg/plan"
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
	bound := h.uploadBound()
	done := make(chan protocol.UploadReport, 1)
	go func() { done <- drain(h.opts.Uploader, h.opts.Attempt, h.opts.Plan, bound) }()
	late := time.NewTimer(bound + h.opts.DiskPatience)
	defer late.Stop()
	var report protocol.UploadReport
	select {
	case report = <-done:
	case <-late.C:
		report = protocol.UploadReport{
			URL: strings.Join(h.opts.Plan.JobSinks(), " "), Pending: len(h.points),
			Error: "cannot upload: the run directory does not answer",
		}
	}
	if report.Error != "" {
		h.opts.Log.Warn("cannot upload; the records stay pending", zap.String("error", report.Error),
			zap.Int("pending", report.Pending))
	}
	return report
}

// lastCall is how much of its time a drain leaves for giving its report.
const lastCall = 500 * time.Millisecond

// drain sends what is pending of an attempt, in a process of its own, to the sinks that can be reached from here. Of
// the others the submitting side takes care.
func drain(program string, a rundir.Attempt, p plan.Plan, bound time.Duration) protocol.UploadReport {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	var reports []protocol.UploadReport
	if urls := p.JobSinks(); len(urls) > 0 {
		command := []string{
			program, "upload", "drain", "--json", "--job", "--for", max(bound-lastCall, 0).String(), string(a),
		}
		reports = append(reports, upload.DrainBy(ctx, command, a, urls))
	}
	for _, s := range p.Upload.Sinks {
		if slices.Contains(p.JobSinks(), s.URL) {
			continue
		}
		r := protocol.UploadReport{URL: s.URL, Local: true}
		ids, err := a.OpenOutbox(upload.Folder(s.URL)).Pending()
		if r.Pending = len(ids); err != nil {
			r.Error = err.Error()
		}
		reports = append(reports, r)
	}
	return protocol.SumUploads(reports...)
}
