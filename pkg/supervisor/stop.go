package supervisor

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// StopPolicy is how a process is stopped: asked, then its group and whatever it has started in others are told, then
// killed, all within one budget.
type StopPolicy struct {
	Signal syscall.Signal // how it is asked; SIGTERM if 0
	Leader bool           // ask the leader alone, not its group
	// Match finds whom to ask: the first process whose arguments it takes. Nil, or none is found: see Leader.
	Match    func([]string) bool
	Budget   time.Duration // from the request until SIGKILL; all of it may be used
	Grace    time.Duration // after being asked, before the group gets SIGTERM; cut to the budget
	TreeKill time.Duration // bound on killing what is left of the tree after that; 2 s if 0
}

// target is what a policy acts on.
type target interface {
	signalMatch(func([]string) bool, syscall.Signal) bool // tells whether a process matched
	signalLeader(syscall.Signal)
	signalGroup(syscall.Signal)
	signalOthers(syscall.Signal)      // that are not in the group
	leaderGone(timeout time.Duration) // waits until the leader has ended, or the timeout
	gone(timeout time.Duration) bool  // waits until nothing is left, or the timeout
}

// run asks and escalates until nothing is left or SIGKILL has been sent. The request is answered when the whole tree is
// gone, not the leader alone: a shell that was the leader may be gone long before the server that it started, which may
// be in a group of its own.
func (s StopPolicy) run(t target) {
	begun := time.Now()
	rest := func() time.Duration { return s.Budget - time.Since(begun) }
	toGroup := s.ask(t)
	grace := min(s.Grace, s.Budget)
	if toGroup && s.signal() == unix.SIGTERM {
		t.leaderGone(grace)
		if t.gone(min(settle, rest())) {
			return
		}
	} else {
		if t.gone(grace) {
			return
		}
		t.signalGroup(unix.SIGTERM)
		t.signalGroup(unix.SIGCONT)
	}
	t.signalOthers(unix.SIGTERM)
	if t.gone(rest()) {
		return
	}
	t.signalGroup(unix.SIGKILL)
}

// settle is how long the rest of a tree may take to end by itself once its leader has.
const settle = 100 * time.Millisecond

// ask sends the first signal and tells whether the whole group got it. What stands still is set going, or it could not
// answer.
func (s StopPolicy) ask(t target) (toGroup bool) {
	defer t.signalGroup(unix.SIGCONT)
	switch {
	case s.Match != nil && t.signalMatch(s.Match, s.signal()):
		return false
	case s.Leader:
		t.signalLeader(s.signal())
		return false
	}
	t.signalGroup(s.signal())
	return true
}

func (s StopPolicy) signal() syscall.Signal {
	if s.Signal == 0 {
		return unix.SIGTERM
	}
	return s.Signal
}

func (s StopPolicy) treeKillBound() time.Duration {
	if s.TreeKill == 0 {
		return 2 * time.Second
	}
	return s.TreeKill
}

func (p *Process) leaderGone(timeout time.Duration) { p.happens(p.exited, time.Now().Add(timeout)) }

// gone polls the tree: processes that moved to another group or session give no other sign of their end.
func (p *Process) gone(timeout time.Duration) bool {
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	select {
	case <-p.exited:
	case <-p.hurry:
		return false
	case <-deadline.C:
		return false
	}
	for pause := time.Millisecond; !p.empty(); pause = min(2*pause, 50*time.Millisecond) {
		select {
		case <-time.After(pause):
		case <-p.hurry:
			return false
		case <-deadline.C:
			return false
		}
	}
	return true
}

// killTree ends every descendant: it stops all of them first, so that none can fork while the others are killed, then
// kills and reaps, until none is left or the bound is over.
func (p *Process) killTree(bound time.Duration) []Survivor {
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
		thread, state := d.living()
		list = append(list, Survivor{PID: d.pid, Comm: d.comm, State: string(state), WChan: wchan(thread)})
	}
	return list
}

// wchan is where in the kernel a thread waits, by its folder in /proc; "" if the kernel does not say.
func wchan(thread string) string {
	data, err := os.ReadFile(thread + "wchan")
	if err != nil || string(data) == "0" {
		return ""
	}
	return string(data)
}

func signalName(s syscall.Signal) string { return unix.SignalName(s) }
