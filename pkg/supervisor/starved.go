package supervisor

import (
	"os"
	"time"
)

// thread is what a thread has had of the processors: its state in /proc/<pid>/task/<tid>/stat, and the first two fields
// of schedstat there, which the kernel brings up to date when the thread gets a processor or gives it up.
type thread struct {
	runnable bool          // it runs, or would if it got a processor
	ran      time.Duration // on a processor
	waited   time.Duration // for one
}

// Starved begins to look at the whole tree of a process. What it returns tells whether one of its threads could not do
// its work since, because it got no processor: it waited for one most of the time, or has not run and waits for one
// now. A thread that sleeps, or spins, is not starved. Where the kernel does not count (schedstat of proc(5)), nobody
// is.
func (p *Process) Starved() (starved func() bool) {
	if p.PID() == 0 {
		return func() bool { return false }
	}
	begun, before := time.Now(), p.threads()
	return func() bool { return starving(before, p.threads(), time.Since(begun)) }
}

// starving compares two looks at threads.
func starving(before, now map[string]thread, between time.Duration) bool {
	for name, n := range now {
		b, known := before[name]
		if known && (n.waited-b.waited > between/2 || n.runnable && n.ran == b.ran) {
			return true
		}
	}
	return false
}

// threads looks at all threads of the tree, by the names of their folders.
func (p *Process) threads() map[string]thread {
	all := map[string]thread{}
	for _, d := range p.sup.descendants(p.proc.Pid) {
		tasks := procFile(d.pid, "task")
		entries, _ := os.ReadDir(tasks)
		for _, e := range entries {
			if t, ok := readThread(tasks + "/" + e.Name()); ok {
				all[tasks+"/"+e.Name()] = t
			}
		}
	}
	return all
}

// readThread reads one thread; ok is false if it is gone, or the kernel does not count.
func readThread(folder string) (t thread, ok bool) {
	var room [smallFile]byte
	stat, err := readSmall(folder+"/stat", room[:])
	if err != nil {
		return thread{}, false
	}
	p, ok := parseStat(stat)
	if !ok {
		return thread{}, false
	}
	counts, err := readSmall(folder+"/schedstat", room[:])
	if err != nil {
		return thread{}, false
	}
	ran, rest := nextField(counts)
	waited, _ := nextField(rest)
	t = thread{runnable: p.state == 'R', ran: time.Duration(number(ran)), waited: time.Duration(number(waited))}
	return t, true
}
