package supervisor

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// smallFile is room for most of what is read here, so that it need not grow.
const smallFile = 1024

// readSmall reads a file of /proc into buf, which grows if it is too small. Trees are looked at again and again while
// servers serve, and os.ReadFile takes several times as long for such a file: it asks for its size, and registers it
// with the poller.
func readSmall(name string, buf []byte) ([]byte, error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	for buf = buf[:0]; ; {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, smallFile)
		}
		switch n, err := unix.Read(fd, buf[len(buf):cap(buf)]); {
		case err == unix.EINTR:
		case err != nil:
			return nil, err
		case n == 0:
			return buf, nil
		default:
			buf = buf[:len(buf)+n]
		}
	}
}

// checkProc makes sure that what /proc tells is about the processes that this one sees. In a PID name space whose /proc
// is still that of another, a number there is a stranger's.
func checkProc() error {
	self, err := os.Readlink("/proc/self")
	if err == nil && self != strconv.Itoa(os.Getpid()) {
		err = fmt.Errorf("/proc is that of another PID name space, where this process is %q and not %d: mount it again",
			self, os.Getpid())
	}
	if err != nil {
		return fmt.Errorf("cannot supervise processes: %w", err)
	}
	return nil
}

// procFile is the name of a file of a process in /proc.
func procFile(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/" + name }

// proc is one entry of /proc/<pid>/stat.
type proc struct {
	pid, ppid, pgid int
	comm            string
	state           byte // R S D T Z … of proc(5), of the first thread; ? if it cannot be read
	threads         int  // that have not ended; read only if the first has
}

// firstEnded tells whether the first thread of a process has ended. The others may go on, and do all that it did.
func (p proc) firstEnded() bool { return p.state == 'Z' || p.state == 'X' }

// zombie tells whether nothing of a process runs any more: it only waits to be reaped.
func (p proc) zombie() bool { return p.firstEnded() && p.threads <= 1 }

// readProc reads one process; ok is false if it is gone.
func readProc(pid int) (p proc, ok bool) {
	if p, ok := readStat(procFile(pid, "stat")); ok {
		return p, true
	}
	return hidden(pid)
}

// hidden is a process of which nothing can be read: under hidepid (proc(5)) one that has other rights than this
// process, or that may not be dumped. Often it may be killed nevertheless. Only whether a child has ended is known. ok
// is false if it is gone.
func hidden(pid int) (p proc, ok bool) {
	if errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
		return proc{}, false
	}
	p = proc{pid: pid, state: '?'}
	var ended unix.Siginfo
	err := unix.Waitid(unix.P_PID, pid, &ended, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	if err == nil && ended.Signo == int32(unix.SIGCHLD) {
		p.state, p.ppid = 'Z', os.Getpid()
	}
	return p, true
}

func readStat(file string) (p proc, ok bool) {
	var room [smallFile]byte
	data, err := readSmall(file, room[:])
	if err != nil {
		return proc{}, false
	}
	return parseStat(data)
}

// parseStat reads "pid (comm) state ppid pgrp …". The command may hold blanks and parentheses, so the last one counts.
func parseStat(data []byte) (proc, bool) {
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if open < 1 || end < open {
		return proc{}, false
	}
	state, rest := nextField(data[end+1:])
	parent, rest := nextField(rest)
	group, _ := nextField(rest)
	pid, e1 := strconv.Atoi(string(bytes.TrimSpace(data[:open])))
	ppid, e2 := strconv.Atoi(string(parent))
	pgid, e3 := strconv.Atoi(string(group))
	if len(state) != 1 || e1 != nil || e2 != nil || e3 != nil {
		return proc{}, false
	}
	p := proc{pid: pid, ppid: ppid, pgid: pgid, comm: string(data[open+1 : end]), state: state[0]}
	if fields := bytes.Fields(data[end+1:]); p.firstEnded() && len(fields) > statThreads {
		p.threads = int(number(fields[statThreads]))
	}
	return p, true
}

// living is a thread of a process that has not ended, by its folder in /proc, and its state: the first as a rule.
func (p proc) living() (dir string, state byte) {
	if p.firstEnded() {
		tasks := procFile(p.pid, "task")
		threads, _ := os.ReadDir(tasks)
		for _, t := range threads {
			dir := tasks + "/" + t.Name() + "/"
			if of, ok := readStat(dir + "stat"); ok && !of.firstEnded() {
				return dir, of.state
			}
		}
	}
	return procFile(p.pid, ""), p.state
}

// Places of fields in what follows the command in /proc/<pid>/stat, which begins with the third field (proc(5)).
const (
	statFlags    = 9 - 3
	statTimes    = 14 - 3 // four of them
	statThreads  = 20 - 3
	statStarted  = 22 - 3
	statExitCode = 52 - 3
)

// statFields are the fields of a process or thread after its command; ok is false if it is gone.
func statFields(file string) (fields [][]byte, ok bool) {
	var room [smallFile]byte
	data, err := readSmall(file, room[:])
	if err != nil {
		return nil, false
	}
	fields = bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	return fields, len(fields) > statExitCode
}

// number reads a field; what is no number is 0.
func number(field []byte) int64 {
	n, _ := strconv.ParseInt(string(field), 10, 64)
	return n
}

// nextField cuts the first field off a text of fields with blanks between them.
func nextField(text []byte) (field, rest []byte) {
	text = bytes.TrimLeft(text, " \n")
	if i := bytes.IndexAny(text, " \n"); i >= 0 {
		return text[:i], text[i:]
	}
	return text, nil
}

// children lists the direct children of a process. /proc/<pid>/task/*/children needs a kernel option, so a scan of all
// processes stands in where it is missing.
func children(pid int) (pids []int) {
	tasks := procFile(pid, "task")
	threads, _ := os.ReadDir(tasks)
	var room [smallFile]byte
	read := false
	for _, t := range threads {
		data, err := readSmall(tasks+"/"+t.Name()+"/children", room[:])
		if err != nil {
			continue
		}
		read = true
		for word := range bytes.FieldsSeq(data) {
			if child, err := strconv.Atoi(string(word)); err == nil {
				pids = append(pids, child)
			}
		}
	}
	if !read {
		return childrenByScan(pid)
	}
	return pids
}

func childrenByScan(pid int) []int {
	if _, alive := readProc(pid); !alive {
		return nil
	}
	entries, _ := os.ReadDir("/proc")
	var pids []int
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if p, ok := readProc(child); ok && p.ppid == pid {
			pids = append(pids, child)
		}
	}
	return pids
}

// trees lists processes and all that is below them, parents before children, leaving out the trees of the pids in skip.
func trees(roots []int, skip map[int]bool) []proc {
	var found []proc
	var seen []int
	for queue := roots; len(queue) > 0; queue = queue[1:] {
		pid := queue[0]
		if skip[pid] || slices.Contains(seen, pid) {
			continue
		}
		if p, ok := readProc(pid); ok {
			found = append(found, p)
			seen = append(seen, pid)
			queue = append(queue, children(pid)...)
		}
	}
	return found
}
