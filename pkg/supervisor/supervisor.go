package supervisor

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Supervisor owns the children of this process. There is one in a process.
type Supervisor struct {
	mu      sync.Mutex   // guards tracked, and is held while a child is started so that no child is ever untracked
	tracked map[int]bool // pids that somebody waits for
	orphans []Orphan

	cancel context.CancelFunc
	done   chan struct{}
}

// Orphan is a descendant that outlived its parent and was reaped here.
type Orphan struct {
	PID    int    `json:"pid"`
	Comm   string `json:"comm"`
	Status string `json:"status"` // "exit 0", "signal 9"
}

// New makes this process the reaper of all its descendants. Close ends that.
func New() (*Supervisor, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("cannot become a subreaper: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Supervisor{tracked: map[int]bool{}, cancel: cancel, done: make(chan struct{})}
	go s.reapLoop(ctx)
	return s, nil
}

// Close stops reaping. Processes that still run are left alone.
func (s *Supervisor) Close() {
	s.cancel()
	<-s.done
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
		if got, _ := syscall.Wait4(pid, &ws, syscall.WNOHANG, nil); got == pid {
			s.orphans = append(s.orphans, Orphan{PID: pid, Comm: p.comm, Status: statusText(ws)})
		}
	}
}

func statusText(ws syscall.WaitStatus) string {
	if ws.Signaled() {
		return fmt.Sprintf("signal %d", ws.Signal())
	}
	return fmt.Sprintf("exit %d", ws.ExitStatus())
}

// Orphans lists the descendants that were reaped here so far.
func (s *Supervisor) Orphans() []Orphan {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Orphan(nil), s.orphans...)
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

// others is the set of tracked pids except one.
func (s *Supervisor) others(pid int) map[int]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	set := map[int]bool{}
	for p := range s.tracked {
		if p != pid {
			set[p] = true
		}
	}
	return set
}
