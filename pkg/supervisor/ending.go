package supervisor

import (
	"bytes"
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel tells of the end of a process only once it has freed all that the process had. That may take for ever, as
// when a driver does not let go of a device; what is connected to the process may have failed long before. So a process
// is looked at now and then, and its end is told if it is not to be had otherwise soon.
const (
	endPeriod   = 50 * time.Millisecond  // so well the ends of several processes are told apart
	endPatience = 500 * time.Millisecond // mostly it takes milliseconds
)

// watchEnd looks for the end of the leader until that is known. It waits in the kernel: for every tick of a ticker the
// runtime wakes another thread besides, which doubles the time on a processor that the looks take.
func (p *Process) watchEnd() {
	var leader []unix.PollFd
	if fd, err := unix.PidfdOpen(p.proc.Pid, 0); err == nil { // else only the time is waited for
		defer unix.Close(fd)
		leader = []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	}
	for {
		if n, _ := unix.Poll(leader, int(endPeriod.Milliseconds())); n > 0 {
			leader = nil // whoever waits for it is told now, and better; or never, as a debugger may keep it
			continue
		}
		select {
		case <-p.exited:
			return
		default:
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
	status, how := ending(p.proc.Pid)
	switch {
	case how == unknown: // it is no more, and whoever waits for it knows how it ended; or it is hidden
		if !errors.Is(syscall.Kill(p.proc.Pid, 0), syscall.ESRCH) {
			p.lookedAt = now
		}
	case how == living:
		p.livedAt, p.lookedAt, p.endsSince = now, now, time.Time{}
	case p.endsSince.IsZero():
		p.endsSince = now
	case now.Sub(p.endsSince) >= endPatience && mayInspect(p.proc.Pid):
		p.dumps.Store(how == dumping)
		o := outcomeOf(status)
		o.StartedAt, o.CPU = p.startedAt, onCPU(p.proc.Pid)
		o.EndedAt, o.EndedBy = between(p.livedAt, p.endsSince)
		p.end(o, p.endsSince)
	}
}

// seenEnding is since when the leader has been seen to end; zero: it has not.
func (p *Process) seenEnding() time.Time {
	p.endMu.Lock()
	defer p.endMu.Unlock()
	return p.endsSince
}

// endOf is when a leader ended that the kernel has let go of now. If it took a while to be freed, or this process did
// not run for a while, it was when the leader was last seen alive: whatever failed because of that came later. The
// other moment is zero, or when it had ended for sure, if that is long after the first.
func (p *Process) endOf(now time.Time) (at, by time.Time) {
	p.endMu.Lock()
	defer p.endMu.Unlock()
	switch {
	case !p.endsSince.IsZero():
		return between(p.livedAt, p.endsSince)
	case now.Sub(p.lookedAt) < endPatience:
		return now, time.Time{}
	}
	return between(p.lookedAt, now)
}

// between is when a leader ended that was there at one moment, and had ended at another.
func between(there, ended time.Time) (at, by time.Time) {
	if ended.Sub(there) < endPatience {
		ended = time.Time{}
	}
	return there, ended
}

// mayInspect tells whether the kernel shows how a process ended: of one that has other rights it says 0. The link to
// its program is guarded in the same way (proc(5)), and gone once it has ended.
func mayInspect(pid int) bool {
	_, err := os.Readlink(procFile(pid, "exe"))
	return err == nil || errors.Is(err, os.ErrNotExist)
}

// isExiting is the flag of a thread that the kernel is ending (PF_EXITING of include/linux/sched.h).
const isExiting = 0x4

// stageOfEnd is how far the end of a process has come.
type stageOfEnd int

const (
	living  stageOfEnd = iota
	dumping            // it has crashed, and its memory is written to a file: its connections stay open
	exiting            // the kernel is freeing what it had
	unknown            // nothing of it can be read
)

// ending tells how far the end of a process, of all of its threads, has come, and with which status it ends.
func ending(pid int) (syscall.WaitStatus, stageOfEnd) {
	fields, ok := statFields(procFile(pid, "stat"))
	if !ok {
		return 0, unknown
	}
	status := syscall.WaitStatus(number(fields[statExitCode])) //nolint:gosec // 16 bits
	switch {
	case status != 0 && dumpsCore(pid):
		return status, dumping
	case number(fields[statFlags])&isExiting == 0:
		return 0, living
	case number(fields[statThreads]) > 1: // the first may end before the others
		return status, endingOfThreads(pid)
	}
	return status, exiting
}

func endingOfThreads(pid int) stageOfEnd {
	tasks := procFile(pid, "task")
	threads, err := os.ReadDir(tasks)
	if err != nil {
		return unknown
	}
	for _, t := range threads {
		of, ok := statFields(tasks + "/" + t.Name() + "/stat")
		if ok && number(of[statFlags])&isExiting == 0 {
			return living
		}
	}
	return exiting
}

// dumpsCore tells whether the kernel writes a process's memory to a file (CoreDumping of proc(5)).
func dumpsCore(pid int) bool {
	data, err := readSmall(procFile(pid, "status"), nil)
	return err == nil && bytes.Contains(data, []byte("\nCoreDumping:\t1\n"))
}
