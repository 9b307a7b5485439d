package supervisor

import (
	"context"
	"time"
)

// Polls for the process that a launcher runs: while it runs, and until it is found. A launcher starts it at once or not
// at all (those of a server's other ranks never do), so it is looked for less often as time passes: an agent that waits
// must cost nothing.
const (
	commandPoll     = 500 * time.Millisecond
	commandFindPoll = 100 * time.Millisecond
	mostFindPoll    = 2 * time.Second
)

// findPoll is the pause before a process is looked for again that has been looked for so long.
func findPoll(looked time.Duration) time.Duration {
	return min(max(looked/20, commandFindPoll), mostFindPoll)
}

// Outlived waits until what the leader runs, a process that match finds by its arguments, has ended for so long without
// the leader ending too: a launcher that waits for ever for what is not there any more. It is false if the leader ends,
// or the context, before that; a process that is never found is waited for.
func (p *Process) Outlived(ctx context.Context, match func([]string) bool, patience time.Duration) bool {
	begun := time.Now()
	tick := time.NewTimer(commandFindPoll)
	defer tick.Stop()
	command, mark := proc{}, "" // what it runs, and since when: numbers are used again
	var gone time.Time          // when it was first found missing
	for {
		select {
		case <-ctx.Done():
			return false
		case <-p.exited:
			return false
		case now := <-tick.C:
			if runs(command.pid) && startTime(command.pid) == mark {
				tick.Reset(commandPoll)
				continue
			}
			was := command.pid > 0
			if command = p.find(match); command.pid > 0 {
				mark, gone = startTime(command.pid), time.Time{}
				tick.Reset(commandPoll)
				continue
			}
			tick.Reset(commandPoll)
			switch {
			case !was && gone.IsZero(): // it has not begun
				tick.Reset(findPoll(now.Sub(begun)))
			case gone.IsZero():
				gone = now
			case now.Sub(gone) >= patience:
				return true
			}
		}
	}
}

// runs tells whether a process has not ended.
func runs(pid int) bool {
	p, ok := readProc(pid)
	return pid > 0 && ok && !p.zombie()
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
