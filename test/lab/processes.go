package lab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Process is one process on a host.
type Process struct {
	PID, PPID int
	// Comm is the name of the program, cut to 15 bytes by the kernel.
	Comm string
	// Cmdline is the arguments joined by blanks.
	Cmdline string
	// State is the letter ps shows: R, S, D, T, t, I. A zombie is on no host any more.
	State string
}

// Processes returns every process in the host's network namespace except slurmd and slurmstepd, ordered by PID.
func (l *Lab) Processes(host string) ([]Process, error) {
	if err := l.checkHost(host); err != nil {
		return nil, fmt.Errorf("cannot list processes: %w", err)
	}
	var found []Process
	for _, pid := range members(namespaceAt(l.dir.pin(host, "net"))) {
		p, err := readProcess(pid)
		if err != nil || isDaemon(p.Comm) {
			continue // it ended since, or it is Slurm's own
		}
		found = append(found, p)
	}
	return found, nil
}

func isDaemon(comm string) bool { return comm == "slurmd" || comm == "slurmstepd" }

// readProcess reads /proc/<pid>; the error says that there is no such process.
func readProcess(pid int) (Process, error) {
	folder := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(folder + "/stat")
	if err != nil {
		return Process{}, err
	}
	cmdline, err := os.ReadFile(folder + "/cmdline")
	if err != nil {
		return Process{}, err
	}
	p, err := parseStat(string(stat))
	p.Cmdline = strings.TrimSpace(string(bytes.ReplaceAll(cmdline, []byte{0}, []byte{' '})))
	return p, err
}

// parseStat reads `pid (comm) state ppid …`. The name may hold blanks and parentheses, so the last ")" ends it.
func parseStat(stat string) (Process, error) {
	open, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return Process{}, fmt.Errorf("cannot parse stat %q", stat)
	}
	fields := strings.Fields(stat[end+1:])
	if len(fields) < 2 {
		return Process{}, fmt.Errorf("cannot parse stat %q", stat)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(stat[:open]))
	ppid, err2 := strconv.Atoi(fields[1])
	return Process{PID: pid, PPID: ppid, Comm: stat[open+1 : end], State: fields[0]}, errors.Join(err, err2)
}

// namespace identifies a namespace as the kernel does.
type namespace struct{ dev, ino uint64 }

// namespaceAt returns the namespace that path stands for, a pin or a file below /proc/<pid>/ns. It is the zero
// namespace, which nothing is in, if there is none. A pin that is not mounted gives a file no process can have as its
// namespace.
func namespaceAt(path string) namespace {
	info, err := os.Stat(path)
	if err != nil {
		return namespace{}
	}
	stat := info.Sys().(*syscall.Stat_t)
	return namespace{stat.Dev, stat.Ino}
}

// members returns the processes that are in one of the namespaces, ordered by PID.
func members(of ...namespace) []int {
	entries, _ := os.ReadDir("/proc") // no /proc means no process to be found
	var pids []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil && isMember(pid, of) {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

func isMember(pid int, of []namespace) bool {
	for _, kind := range ownNamespaces {
		ns := namespaceAt(filepath.Join("/proc", strconv.Itoa(pid), "ns", kind))
		if ns != (namespace{}) && slices.Contains(of, ns) {
			return true
		}
	}
	return false
}

// namespaces returns the namespaces of hosts.
func (d dir) namespaces(hosts ...string) []namespace {
	var all []namespace
	for _, host := range hosts {
		for _, kind := range ownNamespaces {
			all = append(all, namespaceAt(d.pin(host, kind)))
		}
	}
	return all
}

const (
	// killTimeout bounds the wait for killed processes to be gone. Freeing much memory takes a moment.
	killTimeout = 10 * time.Second
	killPoll    = 5 * time.Millisecond
)

// killAll ends every process in the namespaces, and those they start meanwhile, and waits until they are gone.
func killAll(of []namespace) error {
	for deadline := time.Now().Add(killTimeout); ; time.Sleep(killPoll) {
		pids := members(of...)
		if len(pids) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("cannot kill processes %v: still there after %s", pids, killTimeout)
		}
		for _, pid := range pids {
			kill(pid, of)
		}
	}
}

// kill sends SIGKILL to a process if it is still in one of the namespaces. Looking again through a pidfd rules out that
// the number has gone to a process of somebody else.
func kill(pid int, of []namespace) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return // it has ended
	}
	defer unix.Close(fd)
	if isMember(pid, of) {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) // it has ended, or the next round reports it
	}
}
