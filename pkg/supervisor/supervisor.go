package supervisor

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Supervisor owns the children of this process. There is one in a process.
type Supervisor struct {
	mu       sync.Mutex   // guards tracked, and is held while a child is started so that no child is ever untracked
	tracked  map[int]bool // pids that somebody waits for
	orphans  []Orphan
	accounts map[*usage]bool // of those whose descendants these are
	memory   memoryGroup
	guard    *guard // nil if there is none

	closeOnce   sync.Once
	endCatching func()
	cancel      context.CancelFunc
	done        chan struct{}
}

// Orphan is a descendant that outlived its parent and was reaped here.
type Orphan struct {
	PID    int
	Comm   string
	Status string // "exit 0", "signal 9"

	PeakRSS int64 // bytes
	CPU     time.Duration
	At      time.Time // when it was reaped
}

// New makes this process the reaper of all its descendants. Close ends that.
func New() (*Supervisor, error) {
	if err := checkProc(); err != nil {
		return nil, err
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("cannot become a subreaper: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Supervisor{
		tracked: map[int]bool{}, accounts: map[*usage]bool{}, memory: ownMemoryGroup(), cancel: cancel,
		done: make(chan struct{}),
	}
	s.endCatching = catchIgnored()
	go s.reapLoop(ctx)
	return s, nil
}

// closeBound is how long Close waits for a start that is under way: a program may lie on a disk that does not answer.
const closeBound = time.Second

// Close stops reaping and lets the guard go. Processes that still run are left alone, but for one whose start does not
// return: the guard stays, and ends that once this process has. It may be called again.
func (s *Supervisor) Close() {
	s.closeOnce.Do(func() {
		s.cancel()
		select {
		case <-s.done:
		case <-time.After(closeBound):
			return
		}
		s.endCatching()
		if s.guard != nil {
			s.guard.end()
		}
	})
}

func (s *Supervisor) reapLoop(ctx context.Context) {
	defer close(s.done)
	died := make(chan os.Signal, 1)
	signal.Notify(died, syscall.SIGCHLD)
	defer signal.Stop(died)
	for {
		select {
		case <-ctx.Done():
			return
		case <-died:
			s.reapOrphans()
		}
	}
}

// reapOrphans collects the status of dead children that nobody waits for.
func (s *Supervisor) reapOrphans() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pid := range children(os.Getpid()) {
		if s.tracked[pid] {
			continue
		}
		p, ok := readProc(pid)
		if !ok || !p.zombie() {
			continue
		}
		var ws syscall.WaitStatus
		var ru syscall.Rusage
		if got, _ := syscall.Wait4(pid, &ws, syscall.WNOHANG, &ru); got == pid {
			s.note(Orphan{
				PID: pid, Comm: p.comm, Status: statusText(ws), At: time.Now(),
				PeakRSS: ru.Maxrss << 10, CPU: time.Duration(ru.Utime.Nano() + ru.Stime.Nano()),
			})
		}
	}
}

// maxOrphans bounds the evidence: a fork storm leaves thousands, of which the last tell enough.
const maxOrphans = 64

// note keeps an orphan, and charges for it. It must be called under s.mu.
func (s *Supervisor) note(o Orphan) {
	for u := range s.accounts {
		u.add(o.CPU, o.PeakRSS)
	}
	if len(s.orphans) == maxOrphans {
		s.orphans = append(s.orphans[:0], s.orphans[1:]...)
	}
	s.orphans = append(s.orphans, o)
}

func statusText(ws syscall.WaitStatus) string {
	if ws.Signaled() {
		return fmt.Sprintf("signal %d", ws.Signal())
	}
	return fmt.Sprintf("exit %d", ws.ExitStatus())
}

// orphansSince lists the descendants that were reaped here after a moment.
func (s *Supervisor) orphansSince(at time.Time) []Orphan {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Orphan
	for _, o := range s.orphans {
		if o.At.After(at) {
			list = append(list, o)
		}
	}
	return list
}

// marked is an environment with the guard's mark, if there is a guard.
func (s *Supervisor) marked(env []string) []string {
	if s.guard == nil {
		return env
	}
	return s.guard.mark(env)
}

// track starts a child and notes its pid in one step, so that the reaper never takes its status.
func (s *Supervisor) track(start func() (*os.Process, error)) (*os.Process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := start()
	if err == nil {
		s.tracked[p.Pid] = true
	}
	return p, err
}

func (s *Supervisor) untrack(pid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tracked, pid)
}

// descendants lists everything below this process but for the trees of tracked children, one excepted. No child can be
// started meanwhile, which would be nobody's yet.
func (s *Supervisor) descendants(of int) []proc {
	s.mu.Lock()
	defer s.mu.Unlock()
	return trees(children(os.Getpid()), s.others(of))
}

// hasChildren tells whether this process has a child that is not tracked, or the one that is excepted.
func (s *Supervisor) hasChildren(of int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	others := s.others(of)
	return slices.ContainsFunc(children(os.Getpid()), func(pid int) bool { return !others[pid] })
}

// others is the set of tracked pids except one. It must be called under s.mu.
func (s *Supervisor) others(pid int) map[int]bool {
	set := map[int]bool{}
	for p := range s.tracked {
		if p != pid {
			set[p] = true
		}
	}
	return set
}
