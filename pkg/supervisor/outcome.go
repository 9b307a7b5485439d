package supervisor

import (
	"errors"
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
	Started    bool      `json:"started"`
	Code       int       `json:"code"`             // exit code; 128+signal if signalled; 125-127 if never started
	Signal     string    `json:"signal,omitempty"` // "SIGKILL", if a signal ended it
	Error      string    `json:"error,omitempty"`  // why it was not started
	StopReason string    `json:"stop_reason,omitempty"`
	StartedAt  time.Time `json:"started_at,omitzero"`
	EndedAt    time.Time `json:"ended_at"`

	OOM         bool          `json:"oom,omitempty"`                // the kernel ended it, or a part of it, for want of memory
	MemoryLimit int64         `json:"memory_limit_bytes,omitempty"` // with OOM, if known
	PeakRSS     int64         `json:"peak_rss_bytes,omitempty"`     // of the tree, looked at now and then; at least that of its largest process
	CPU         time.Duration `json:"cpu_ns,omitempty"`             // user and system, of the tree

	Headline  string     `json:"headline,omitempty"`  // the line of its output that says why it died
	Tail      []string   `json:"tail,omitempty"`      // last lines of output
	Orphans   []Orphan   `json:"orphans,omitempty"`   // descendants that outlived their parents
	Survivors []Survivor `json:"survivors,omitempty"` // descendants that even SIGKILL did not end in time

	LogDropped  int64  `json:"log_dropped_bytes,omitempty"`  // that a slow reader of the copy missed
	LogUnstored int64  `json:"log_unstored_bytes,omitempty"` // that the log file did not take
	LogFault    string `json:"log_fault,omitempty"`          // why the log file is not complete
}

// Survivor is a descendant that could not be ended.
type Survivor struct {
	PID   int    `json:"pid"`
	Comm  string `json:"comm"`
	State string `json:"state"`           // letter of proc(5); D means stuck in the kernel
	WChan string `json:"wchan,omitempty"` // where in the kernel, if it says
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
func ended(ps *os.ProcessState, startedAt, at time.Time) Outcome {
	o := Outcome{Started: true, StartedAt: startedAt, EndedAt: at, Code: ps.ExitCode(), CPU: ps.UserTime() + ps.SystemTime()}
	if ws, ok := ps.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		o.Signal, o.Code = signalName(ws.Signal()), 128+int(ws.Signal())
	}
	if ru, ok := ps.SysUsage().(*syscall.Rusage); ok {
		o.PeakRSS = ru.Maxrss << 10
	}
	return o
}
