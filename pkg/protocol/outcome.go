package protocol

import "time"

// Outcome is how a rank's child ended. Code, signal and the reason it was stopped are facts of their own: a child that
// ends with code 0 because it was asked to stop is not one that ended with 0 by itself.
type Outcome struct {
	// Started is false if the child never ran; then Error says why.
	Started bool `json:"started"`
	// Code is the exit code; 128+signal if a signal ended it; 125 to 127 if it never ran.
	Code int `json:"code"`
	// Signal is the name of the signal that ended it, such as "SIGKILL".
	Signal     string    `json:"signal,omitempty"`
	Error      string    `json:"error,omitempty"`
	StopReason string    `json:"stop_reason,omitempty"`
	StartedAt  time.Time `json:"started_at,omitzero"`
	EndedAt    time.Time `json:"ended_at"`
	// EndedBy is set if its end was not seen for a while, because its agent stood still: it ended then at the latest,
	// and at EndedAt at the earliest.
	EndedBy time.Time `json:"ended_by,omitzero"`

	// Outlived says that it is the command of a launcher that has ended, while the launcher went on; how it ended is
	// not known then, and Code is 1.
	Outlived bool `json:"outlived,omitempty"`

	// OOM says that it was ended, in whole or in part, for want of memory.
	OOM bool `json:"oom,omitempty"`
	// MemoryLimit in bytes, with OOM, if known.
	MemoryLimit int64 `json:"memory_limit_bytes,omitempty"`
	// PeakRSS in bytes is of the tree, sampled; at least that of its largest process.
	PeakRSS int64 `json:"peak_rss_bytes,omitempty"`
	// CPU is user and system time of the tree.
	CPU time.Duration `json:"cpu_ns,omitempty"`

	// Headline is the line of its output that says why it died.
	Headline string `json:"headline,omitempty"`
	// Excerpt is that line in its context, which may lie far before the end; only the first cause keeps it.
	Excerpt []string `json:"excerpt,omitempty"`
	// Line is the number of the headline's line in the rank's log, ExcerptLine that of the excerpt's first line, from
	// 1; 0: they were not counted.
	Line        int `json:"line,omitempty"`
	ExcerptLine int `json:"excerpt_line,omitempty"`
	// Tail is the last lines of output of a child that failed; only the first cause keeps it.
	Tail []string `json:"tail,omitempty"`
	// Orphans are descendants that outlived their parents.
	Orphans []Orphan `json:"orphans,omitempty"`
	// Survivors are descendants that even SIGKILL did not end in time.
	Survivors []Survivor `json:"survivors,omitempty"`

	// LogDropped is the bytes that a slow reader of the log's copy missed.
	LogDropped int64 `json:"log_dropped_bytes,omitempty"`
	// LogUnstored is the bytes that the log file did not take.
	LogUnstored int64 `json:"log_unstored_bytes,omitempty"`
	// LogFault is why the log file is not complete.
	LogFault string `json:"log_fault,omitempty"`
}

// Clean tells whether the process ran and ended with code 0.
func (o Outcome) Clean() bool { return o.Started && o.Code == 0 }

// Brief is the outcome without its log lines, for whom many outcomes are kept together.
func (o Outcome) Brief() Outcome {
	o.Tail, o.Excerpt, o.Line, o.ExcerptLine = nil, nil, 0, 0
	return o
}

// Orphan is a descendant that outlived its parent and was reaped by the agent.
type Orphan struct {
	PID    int    `json:"pid"`
	Comm   string `json:"comm"`
	Status string `json:"status"` // "exit 0", "signal 9"

	PeakRSS int64         `json:"peak_rss_bytes,omitempty"`
	CPU     time.Duration `json:"cpu_ns,omitempty"`
	At      time.Time     `json:"at"` // when it was reaped
}

// Survivor is a descendant that could not be ended.
type Survivor struct {
	PID   int    `json:"pid"`
	Comm  string `json:"comm"`
	State string `json:"state"`           // letter of proc(5); D means stuck in the kernel
	WChan string `json:"wchan,omitempty"` // where in the kernel, if it says
}
