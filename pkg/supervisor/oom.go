package supervisor

import (
	"sync"
	"time"
)

// killRecord is when the counter of processes that the kernel ended for want of memory was seen to rise.
type killRecord struct {
	mu    sync.Mutex
	rises []rise // the oldest first
}

// rise is since when a counter is known to be at least so high.
type rise struct {
	n  int64
	at time.Time
}

// maxRises bounds a record: workers that are started again and again may be ended as often. Only what happened shortly
// before an end is asked for.
const maxRises = 64

// enter notes how high the counter is.
func (r *killRecord) enter(n int64, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last := len(r.rises) - 1; last >= 0 && n <= r.rises[last].n {
		return
	}
	if len(r.rises) == maxRises {
		r.rises = append(r.rises[:0], r.rises[1:]...)
	}
	r.rises = append(r.rises, rise{n, now})
}

// by is how high the counter was known to be at a moment. As it is read only now and then it may have been higher: a
// kill counts as later than it was rather than as earlier.
func (r *killRecord) by(at time.Time) (n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rise := range r.rises {
		if !rise.at.After(at) {
			n = rise.n
		}
	}
	return n
}

// shortlyBefore is how long before the end of a process the kernel may have ended a part of its tree, or a process that
// it shares its memory cgroup with, for that to be why it ended. An engine that looks after its workers sees the loss
// at once or by polls and heartbeats of some seconds, and then takes up to some ten to shut down. Whoever notices it
// later does so by a timeout of minutes, as of a collective operation. An end so much later mostly has another reason,
// such as that a helper or a compiler was ended while the model was loaded, and the engine did without.
const shortlyBefore = 30 * time.Second

// nearLimit is the share of the limit from which a killed process counts as one that ran out of memory, where the
// kernel does not say.
const nearLimit = 0.95

// ranOut tells whether a process that ended badly did so for want of memory: the kernel's counter says so, or, where
// there is none, it was killed near the limit. The counter does not say whom the kernel ended, so the end decides which
// kills since the start count. SIGKILL that nobody asked for is what the kernel ends a process with, and it may come
// long after the counter has risen, if the process hangs in a driver; others who send it, as Slurm, end this process
// too. So any counts. An exit code, another signal, or an end that was asked for follows from a kill only if that was
// shortly before.
func ranOut(before, after int64, counted *killRecord, o Outcome, limit int64) bool {
	isKilled := o.Signal == "SIGKILL"
	if counted == nil {
		return isKilled && limit > 0 && float64(o.PeakRSS) >= nearLimit*float64(limit)
	}
	if !isKilled || o.StopReason != "" {
		before = max(before, counted.by(o.EndedAt.Add(-shortlyBefore)))
	}
	return after > before && !o.Clean()
}
