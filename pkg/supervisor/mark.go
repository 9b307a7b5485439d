package supervisor

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Mark names this process so that another can wait for its end with [Follow]: its PID, when it was started, and its PID
// name space, joined by colons. A PID alone may belong to another process in another name space, or later.
func Mark() string { return MarkOf(os.Getpid()) }

// MarkOf is the mark of a process that this one can see.
func MarkOf(pid int) string {
	return fmt.Sprintf("%d:%s:%s", pid, startTime(pid), pidNamespace())
}

// startTime is when a process was started, in ticks since the boot (field 22 of /proc/<pid>/stat); "" if it is gone.
func startTime(pid int) string {
	var room [smallFile]byte
	data, err := readSmall(procFile(pid, "stat"), room[:])
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	const starttime = 22 - 3 // the fields behind the command begin with the third
	if len(fields) <= starttime {
		return ""
	}
	return fields[starttime]
}

func pidNamespace() string {
	link, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return strings.Trim(strings.TrimPrefix(link, "pid:"), "[]")
}

// Follow opens the process that a mark names. It fails if this process cannot see it, for instance from a container
// with a PID name space of its own. The result is a pidfd, which the caller closes.
func Follow(mark string) (pidfd int, err error) {
	pidText, rest, _ := strings.Cut(mark, ":")
	started, space, ok := strings.Cut(rest, ":")
	pid, err := strconv.Atoi(pidText)
	if err != nil || !ok || pid <= 0 {
		return 0, fmt.Errorf("cannot follow process %q: it is no mark", mark)
	}
	if own := pidNamespace(); own == "" || own != space {
		return 0, fmt.Errorf("cannot follow process %d: it is in another PID name space", pid)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return 0, fmt.Errorf("cannot follow process %d: %w", pid, err)
	}
	if startTime(pid) != started { // the number is another process's by now
		_ = unix.Close(fd)
		return 0, fmt.Errorf("cannot follow process %d: it has ended", pid)
	}
	return fd, nil
}

// SignalFollowed signals a process that was opened by Follow.
func SignalFollowed(pidfd int, sig unix.Signal) error {
	return unix.PidfdSendSignal(pidfd, sig, nil, 0)
}
