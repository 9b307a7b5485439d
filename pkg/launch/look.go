package launch

import (
	"context"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
)

// lookEvery is how often the run directory is looked at.
const lookEvery = 100 * time.Millisecond

// seen is what is new in the run directory.
type seen struct {
	attempt rundir.Attempt
	entries []protocol.Entry
	state   *protocol.State // nil: it has not changed
	verdict *protocol.Result
	again   bool // an attempt after the one that had the verdict has begun
	damaged bool // there is a verdict that cannot be read
}

// looker looks at the run directory.
type looker struct {
	dir     rundir.Dir
	journal *rundir.Follower
	// The attempt that was seen last, the one whose verdict was, and the one whose verdict was no good; "": none.
	last, judged, damaged rundir.Attempt
}

// look looks in a goroutine of its own, until the context ends: the run directory may not answer.
func (w Watch) look(ctx context.Context, news chan<- seen) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	l := looker{dir: w.dir(), journal: rundir.Follow(w.dir())}
	for ctx.Err() == nil {
		if now, fresh := l.look(); fresh {
			select {
			case news <- now:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look looks once, and tells whether anything is new.
func (l *looker) look() (now seen, fresh bool) {
	attempt := rundir.Current(l.dir)
	now.attempt = attempt
	// The verdict is written after the journal's last entry: in this order all entries come first.
	if attempt != l.judged && rundir.HasResult(attempt) {
		switch r, err := rundir.ReadResult(attempt); {
		case err == nil:
			now.verdict = &r
		case attempt != l.damaged:
			now.damaged, l.damaged = true, attempt
		}
	}
	_, now.entries = l.journal.Read()
	if s, changed := l.journal.ReadState(); changed {
		now.state = &s
	}
	now.again = l.judged != "" && attempt != l.judged || l.damaged != "" && attempt != l.damaged
	if now.again {
		l.judged, l.damaged = "", ""
	}
	if now.verdict != nil {
		l.judged = attempt
	}
	fresh = attempt != l.last || now.again || now.damaged || now.verdict != nil || now.state != nil ||
		len(now.entries) > 0
	l.last = attempt
	return now, fresh
}
