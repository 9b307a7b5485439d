package supervisor

import (
	"os"
	"syscall"
	"time"
)

// The kernel tells of the end of a process only once it has freed all that the process had. That may take for ever, as
// when a driver does not let go of a device; what is connected to the process may have failed long before. So a process
// is looked at now and then, and its end is told if it is not to be had otherwise soon.
const (
	endPeriod   = 50 * time.Millisecond  // so well the ends of several processes are told apart
	endPatience = 500 * time.Millisecond // mostly it takes milliseconds
)

// watchEnd looks for the end of the leader until that is known.
func (p *Process) watchEnd() {
	tick := time.NewTicker(endPeriod)
	defer tick.Stop()
	for {
		select {
		case <-p.exited:
			return
		case <-tick.C:
			p.lookForEnd()
		}
	}
}

// lookForEnd looks whether the leader is ending. If it has been for long, at every look, it counts as ended, at the
// time at which it was last seen alive. A single look can be wrong: threads begin and end meanwhile, and a thread that
// is not the first may put another program in place of all.
func (p *Process) lookForEnd() {
	now := time.Now()
	p.endMu.Lock()
	defer p.endMu.Unlock()
	status, isEnding := ending(p.proc.Pid)
	switch {
	case !isEnding:
		p.livedAt, p.endsSince = now, time.Time{}
	case p.endsSince.IsZero():
		p.endsSince = now
	case now.Sub(p.endsSince) >= endPatience && mayInspect(p.proc.Pid):
		o := outcomeOf(status)
		o.StartedAt, o.EndedAt, o.CPU = p.startedAt, p.livedAt, onCPU(p.proc.Pid)
		p.end(o, p.endsSince)
	}
}

// seenEnding is since when the leader has been seen to end; zero: it has not.
func (p *Process) seenEnding() time.Time {
	p.endMu.Lock()
	defer p.endMu.Unlock()
	return p.endsSince
}

// endedBy is when a leader ended that the kernel has let go of now: if it took long to be freed, long before.
func (p *Process) endedBy(now time.Time) time.Time {
	p.endMu.Lock()
	defer p.endMu.Unlock()
	if p.endsSince.IsZero() {
		return now
	}
	return p.livedAt
}

// mayInspect tells whether the kernel shows how a process ended: of one that has other rights it says 0. Its io is
// guarded in the same way (proc(5)).
func mayInspect(pid int) bool {
	var room [smallFile]byte
	_, err := readSmall(procFile(pid, "io"), room[:])
	return err == nil
}

// isReapedBy gives the kernel until a moment to free a leader that has ended: a large process takes seconds.
func (p *Process) isReapedBy(at time.Time) bool {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-p.reaped:
		return true
	case <-p.hurry:
		return false
	case <-timer.C:
		return false
	}
}

// isExiting is the flag of a thread that the kernel is ending (PF_EXITING of include/linux/sched.h).
const isExiting = 0x4

// ending tells whether the kernel is ending a process, all of its threads, and with which status.
func ending(pid int) (status syscall.WaitStatus, is bool) {
	fields, ok := statFields(procFile(pid, "stat"))
	if !ok || number(fields[statFlags])&isExiting == 0 {
		return 0, false
	}
	if number(fields[statThreads]) > 1 { // the first thread may end before the others
		tasks := procFile(pid, "task")
		threads, err := os.ReadDir(tasks)
		if err != nil {
			return 0, false
		}
		for _, t := range threads {
			of, ok := statFields(tasks + "/" + t.Name() + "/stat")
			if ok && number(of[statFlags])&isExiting == 0 {
				return 0, false
			}
		}
	}
	return syscall.WaitStatus(number(fields[statExitCode])), true //nolint:gosec // 16 bits
}
