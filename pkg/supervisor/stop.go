package supervisor

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Ladder is how a process is stopped: asked, then told, then killed. Its rungs share one budget.
type Ladder struct {
	Signal syscall.Signal      // how it is asked; SIGTERM if 0
	Leader bool                // ask the leader alone, not its group
	Match  func([]string) bool // one that is to end in good order: ask the first process whose arguments match; nil, or none: see Leader
	Budget time.Duration       // from the request until SIGKILL; all of it may be used
	Grace  time.Duration       // after being asked, before the group gets SIGTERM; cut to the budget
	Sweep  time.Duration       // bound on ending what is left after that; 2 s if 0
}

// target is what a ladder acts on.
type target interface {
	signalMatch(func([]string) bool, syscall.Signal) bool // tells whether a process matched
	signalLeader(syscall.Signal)
	signalGroup(syscall.Signal)
	gone(timeout time.Duration) bool // waits until nothing is left, or the timeout
}

// climb asks and escalates until nothing is left or SIGKILL has been sent. The request is answered when the whole tree
// is gone, not the leader alone: a shell that was the leader may be gone long before the server it started.
func (l Ladder) climb(t target) {
	toGroup := l.ask(t)
	grace := min(l.Grace, l.Budget)
	if !toGroup || l.signal() != unix.SIGTERM {
		if t.gone(grace) {
			return
		}
		t.signalGroup(unix.SIGTERM)
		t.signalGroup(unix.SIGCONT)
		grace = l.Budget - grace
	} else {
		grace = l.Budget
	}
	if t.gone(grace) {
		return
	}
	t.signalGroup(unix.SIGKILL)
}

// ask sends the first signal and tells whether the whole group got it. What stands still is set going, or it could not
// answer.
func (l Ladder) ask(t target) (toGroup bool) {
	defer t.signalGroup(unix.SIGCONT)
	switch {
	case l.Match != nil && t.signalMatch(l.Match, l.signal()):
		return false
	case l.Leader:
		t.signalLeader(l.signal())
		return false
	}
	t.signalGroup(l.signal())
	return true
}

func (l Ladder) signal() syscall.Signal {
	if l.Signal == 0 {
		return unix.SIGTERM
	}
	return l.Signal
}

func (l Ladder) sweepBound() time.Duration {
	if l.Sweep == 0 {
		return 2 * time.Second
	}
	return l.Sweep
}

// gone polls the tree: processes that moved to another group or session give no other sign of their end.
func (p *Process) gone(timeout time.Duration) bool {
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	select {
	case <-p.exited:
	case <-deadline.C:
		return false
	}
	for pause := time.Millisecond; !p.empty(); pause = min(2*pause, 50*time.Millisecond) {
		select {
		case <-time.After(pause):
		case <-deadline.C:
			return false
		}
	}
	return true
}

// sweep ends every descendant: it stops all of them first, so that none can fork while the others are killed, then
// kills and reaps, until none is left or the bound is over.
func (p *Process) sweep(bound time.Duration) []Survivor {
	deadline := time.Now().Add(bound)
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		if p.empty() {
			return nil
		}
		left := p.left()
		if time.Now().After(deadline) {
			return survivors(left)
		}
		for _, d := range left {
			_ = syscall.Kill(d.pid, unix.SIGSTOP)
		}
		for _, d := range p.left() { // those forked meanwhile too
			_ = syscall.Kill(d.pid, unix.SIGKILL)
		}
		p.sup.reapOrphans()
		time.Sleep(pause)
	}
}

func survivors(left []proc) []Survivor {
	var list []Survivor
	for _, d := range left {
		list = append(list, Survivor{PID: d.pid, Comm: d.comm, State: string(d.state), WChan: wchan(d.pid)})
	}
	return list
}

// wchan is where in the kernel a process waits; "" if the kernel does not say.
func wchan(pid int) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/wchan", pid))
	if err != nil || string(data) == "0" {
		return ""
	}
	return string(data)
}

func signalName(s syscall.Signal) string { return unix.SignalName(s) }
