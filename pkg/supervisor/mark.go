package supervisor

import (
	"fmt"
	"os"
	"strings"
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
	fields, ok := statFields(procFile(pid, "stat"))
	if !ok {
		return ""
	}
	return string(fields[statStarted])
}

func pidNamespace() string {
	link, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return strings.Trim(strings.TrimPrefix(link, "pid:"), "[]")
}
