package supervisor

import (
	"context"
	"math"
	"time"
)

// Polls for the process that a launcher runs, until it is found. A launcher starts it at once or not at all, so it is
// looked for less often as time passes: an agent that waits must cost nothing.
const (
	firstFindPoll = 100 * time.Millisecond
	mostFindPoll  = 2 * time.Second
)

// findPoll is the pause before a process is looked for again that has been looked for so long.
func findPoll(looked time.Duration) time.Duration {
	return min(max(looked/20, firstFindPoll), mostFindPoll)
}

// Outlived waits until what the leader runs, a process that match finds by its arguments, has ended for so long without
// the leader ending too: a launcher that waits for ever for what is not there any more. It is false if the leader ends,
// or the context, before that; a process that is never found is waited for.
func (p *Process) Outlived(ctx context.Context, match func([]string) bool, patience time.Duration) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-p.exited:
			cancel()
		case <-ctx.Done():
		}
	}()
	const ever = time.Duration(math.MaxInt64)
	for within := ever; p.sawEnd(ctx, match, within); within = patience { // some start it again
	}
	return ctx.Err() == nil
}

// sawEnd waits for a process whose arguments match, and then for its end. It is false if there is none within a time,
// or if the context ends.
func (p *Process) sawEnd(ctx context.Context, match func([]string) bool, within time.Duration) bool {
	begun := time.Now()
	for looked := time.Duration(0); looked < within; looked = time.Since(begun) {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(findPoll(looked)):
		}
		if found := p.find(match); found.pid > 0 {
			waitEnd(ctx, found.pid)
			return ctx.Err() == nil
		}
	}
	return false
}

// waitEnd waits for the end of a process. Where the kernel cannot follow one it does not wait: who looks again finds it
// again.
func waitEnd(ctx context.Context, pid int) {
	if f, err := follow(pid, startTime(pid)); err == nil {
		f.Wait(ctx)
		_ = f.Close()
	}
}

// find is the outermost process of the tree whose arguments match.
func (p *Process) find(match func([]string) bool) proc {
	for _, d := range p.left() {
		if match(cmdline(d.pid)) {
			return d
		}
	}
	return proc{}
}
