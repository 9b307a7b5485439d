package supervisor

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Exit codes for a child that never ran, as shells use them.
const (
	CodeNotStarted    = 125
	CodeNotExecutable = 126
	CodeNotFound      = 127
)

// Outcome is how a process ended. Code, signal and the reason it was stopped are facts of their own: a child that ends
// with code 0 because it was told to stop is not one that ended with 0 by itself.
type Outcome struct {
	Started    bool
	Code       int    // exit code; 128+signal if signalled; 125-127 if never started
	Signal     string // "SIGKILL", if a signal ended it; "signal 40" if it has no name
	Error      string // why it was not started
	StopReason string
	StartedAt  time.Time
	EndedAt    time.Time
	// EndedBy is set if its end was not seen for a while, because this process did not run: it ended then at the
	// latest, and at EndedAt at the earliest.
	EndedBy time.Time

	OOM         bool  // the kernel ended it, or a part of it, for want of memory
	MemoryLimit int64 // bytes, with OOM, if known
	// PeakRSS is in bytes, of the tree, sampled: what each process has for itself, and the most that one of them
	// shares. It is at least the peak of the largest process as the kernel tells it. That begins with the memory of
	// whoever forked that process, so one that is smaller than this process counts as large as this one was.
	PeakRSS int64
	CPU     time.Duration // user and system, of the tree

	Tail      []string   // last lines of output
	Orphans   []Orphan   // descendants that outlived their parents
	Survivors []Survivor // descendants that even SIGKILL did not end in time

	LogDropped  int64  // bytes that a slow reader of the copy missed
	LogUnstored int64  // bytes that the log file did not take
	LogFault    string // why the log file is not complete
}

// Survivor is a descendant that could not be ended.
type Survivor struct {
	PID   int
	Comm  string
	State string // letter of proc(5); D means stuck in the kernel, ? that it cannot be read
	WChan string // where in the kernel, if it says
}

// Clean tells whether the process ran and ended with code 0.
func (o Outcome) Clean() bool { return o.Started && o.Code == 0 }

// setupError is a fault of what a child needs, not of its command.
type setupError struct{ error }

func (e setupError) Unwrap() error { return e.error }

// notStarted is the outcome of a command that could not be run.
func notStarted(err error, at time.Time) Outcome {
	code := CodeNotStarted
	var setup setupError
	switch {
	case errors.As(err, &setup):
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		code = CodeNotFound
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.ENOEXEC):
		code = CodeNotExecutable
	}
	return Outcome{Code: code, Error: err.Error(), EndedAt: at}
}

// ended is the outcome of a process that was waited for.
func ended(ps *os.ProcessState, startedAt time.Time) Outcome {
	status, _ := ps.Sys().(syscall.WaitStatus)
	o := outcomeOf(status)
	o.StartedAt, o.CPU = startedAt, ps.UserTime()+ps.SystemTime()
	if ru, ok := ps.SysUsage().(*syscall.Rusage); ok {
		o.PeakRSS = ru.Maxrss << 10
	}
	return o
}

// outcomeOf is what the kernel says of the end of a process.
func outcomeOf(status syscall.WaitStatus) Outcome {
	if status.Signaled() {
		sig := status.Signal()
		return Outcome{Started: true, Signal: cmp.Or(signalName(sig), fmt.Sprint(sig)), Code: 128 + int(sig)}
	}
	return Outcome{Started: true, Code: status.ExitStatus()}
}
