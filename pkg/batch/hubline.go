package batch

import (
	"context"
	"errors"
	"sync/atomic"
	"syscall"
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
	token   string
	address atomic.Pointer[string] // nil while it is not known
}

// reportBound is how long one report may take; maxReports is how many wait at most for a hub that is not there yet.
const (
	reportBound = 5 * time.Second
	reportPause = 200 * time.Millisecond
	maxReports  = 4096
)

func newHubLine(a rundir.Attempt, runID, token string) *hubLine {
	ctx, cancel := context.WithCancel(context.Background())
	h := &hubLine{
		reports: make(chan protocol.StepReport, maxReports), cancel: cancel, ended: make(chan struct{}), token: token,
	}
	go func() {
		defer close(h.ended)
		address, err := rundir.FindHub(ctx, a, runID)
		if err == nil {
			h.address.Store(&address)
		}
		for err == nil {
			select {
			case <-ctx.Done():
				return
			case r := <-h.reports:
				h.deliver(ctx, address, r)
			}
		}
	}()
	return h
}

// deliver reports again and again until the hub answers: it may stand still for a while. One that is gone needs no
// reports.
func (h *hubLine) deliver(ctx context.Context, address string, r protocol.StepReport) {
	for ctx.Err() == nil {
		bounded, done := context.WithTimeout(ctx, reportBound)
		err := control.ReportStep(bounded, address, h.token, r)
		done()
		if err == nil || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, control.ErrRefused) {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(reportPause):
		}
	}
}

var errNoHub = errors.New("no hub was found")

// ask reports at once and waits for the hub's answer: an error means that there was none.
func (h *hubLine) ask(ctx context.Context, r protocol.StepReport) error {
	address := h.address.Load()
	if address == nil {
		return errNoHub
	}
	return control.ReportStep(ctx, *address, h.token, r)
}

// send queues a report. It never blocks.
func (h *hubLine) send(r protocol.StepReport) {
	select {
	case h.reports <- r:
	default:
	}
}

func (h *hubLine) close() { h.cancel() }
