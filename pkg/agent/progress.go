package agent

import (
	"time"

	"github.com/disagg/disagg/pkg/progressbar"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/supervisor"
)

const (
	progressEvery = 3 * time.Second // the hub is not told more often how far a child is
	progressEnd   = 64 << 10        // bytes at the end of its output in which a bar is looked for
)

// tellProgress tells the hub how far the child is by what it prints, until its service is ready or it is to end. What
// the hub knows already it is not told again.
func (s *service) tellProgress(p *supervisor.Process) {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	var told protocol.Progress
	for {
		select {
		case <-s.loading.Done():
			return
		case <-tick.C:
		}
		end, at := p.End(progressEnd)
		now := s.progress(told, end, at)
		if now == told {
			continue
		}
		told = now
		s.tell(protocol.Event{Kind: protocol.EventProgress, Progress: &now})
	}
}

// progress is how far the child is by the end of its output, or by what was known before: a bar scrolls away.
func (s *service) progress(before protocol.Progress, end []byte, at time.Time) protocol.Progress {
	now := before
	now.Output = at
	if bar, ok := progressbar.Last(end, s.hide); ok {
		now.What, now.Percent = bar.What, bar.Percent
	}
	return now
}
