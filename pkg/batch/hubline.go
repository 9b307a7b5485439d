package batch

import (
	"context"
	"time"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
)

// hubLine is the way to the hub, which is found, and told what there is to tell, in a goroutine of its own.
type hubLine struct {
	reports chan protocol.StepReport
	cancel  context.CancelFunc
	ended   chan struct{}
}

// reportBound is how long one report may take; maxReports is how many wait at most for a hub that is not there yet.
const (
	reportBound = 5 * time.Second
	maxReports  = 4096
)

func newHubLine(a rundir.Attempt, runID, token string) *hubLine {
	ctx, cancel := context.WithCancel(context.Background())
	h := &hubLine{reports: make(chan protocol.StepReport, maxReports), cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(h.ended)
		address, err := rundir.FindHub(ctx, a, runID)
		for err == nil {
			select {
			case <-ctx.Done():
				return
			case r := <-h.reports:
				bounded, done := context.WithTimeout(ctx, reportBound)
				_ = control.ReportStep(bounded, address, token, r) // a hub that is gone needs no reports
				done()
			}
		}
	}()
	return h
}

// send queues a report. It never blocks.
func (h *hubLine) send(r protocol.StepReport) {
	select {
	case h.reports <- r:
	default:
	}
}

func (h *hubLine) close() { h.cancel() }
