package agent

import (
	"time"

	"github.com/disagg/disagg/pkg/decide/rank"
	"github.com/disagg/disagg/pkg/supervisor"
)

// While a child is stopped, a run directory that does not answer is noticed within half a second.
const (
	diskAsked   = 200 * time.Millisecond // after the request to stop
	diskSilence = 300 * time.Millisecond
	diskPoll    = 50 * time.Millisecond
)

// watchDisk makes the run directory answer while a child is being stopped, and tells if it does not. It runs in a
// goroutine of its own.
func (w *worker) watchDisk(child *supervisor.Process) {
	tick := time.NewTicker(diskPoll)
	defer tick.Stop()
	ask := time.NewTimer(diskAsked)
	defer ask.Stop()
	for {
		select {
		case <-w.over:
			return
		case <-child.Done():
			return
		case <-ask.C:
			w.log.Info("waiting for the end of the child") // a write
		case <-tick.C:
			if w.opts.Disk.Silence() > diskSilence {
				w.in(rank.DiskSilent{})
				return
			}
		}
	}
}
