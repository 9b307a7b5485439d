package slurm

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/test/simulation"
)

// happen breaks what a fault is about, if that is still there, and notes when.
func (p *player) happen(f *simulation.Fault) {
	if _, err := os.Stat(filepath.Join(p.attempt(), "result.json")); err == nil {
		return
	}
	at := time.Now()
	if at.Before(p.all) {
		p.do(p.all.Add(300*time.Millisecond), func() { p.happen(f) })
		return // nothing happens while everything stands still
	}
	_, begun := p.actors[f.Task]
	switch {
	case f.Kind.OfAChild() && !begun:
		p.do(at.Add(time.Millisecond), func() { p.happen(f) })
	case p.strike(f):
		f.At = at
	}
}

// childSignals are what the faults of a child are to an actor.
var childSignals = map[simulation.Kind]syscall.Signal{
	simulation.Crash: syscall.SIGUSR2, simulation.ExitZero: syscall.SIGHUP, simulation.BenchFails: syscall.SIGUSR1,
}

// strike does it, and tells whether there was anything to break.
func (p *player) strike(f *simulation.Fault) bool {
	host := p.labHost(f.Task)
	if f.Kind.OfAChild() {
		return !p.dead[f.Task] && p.strikeChild(f, p.actors[f.Task].child)
	}
	switch f.Kind {
	case simulation.KillAgent, simulation.KillHub:
		return p.signal(p.agent(f.Task), syscall.SIGKILL)
	case simulation.PauseAgent, simulation.PauseHub:
		return p.pauseFor(f, p.agent(f.Task))
	case simulation.TermStep:
		p.scancel("--signal=TERM", p.step(f.Task.Role.String()))
	case simulation.Cancel:
		p.scancel(p.id)
	case simulation.LoseHost, simulation.CutHost:
		return p.cut(f, host)
	case simulation.CutPair:
		other := p.labHost(f.Other)
		if other == host {
			return false
		}
		p.must(p.CutBetween(host, other))
		p.healLater(f, func() error { return p.HealBetween(host, other) })
	case simulation.PointIsLost:
		p.must(os.WriteFile(filepath.Join(p.dir, "lose-point"), nil, 0o600))
	case simulation.PauseAll:
		p.all = time.Now().Add(f.For)
		return p.pauseFor(f, p.everybody()...)
	}
	return true
}

func (p *player) strikeChild(f *simulation.Fault, pid int) bool {
	switch f.Kind {
	case simulation.Hang:
		return p.pauseFor(f, pid)
	case simulation.Stuck:
		return p.hold(pid)
	case simulation.KillChild:
		return p.signal(pid, syscall.SIGKILL)
	default: // what stands still does not hear it
		return time.Now().After(p.paused[pid]) && p.signal(pid, childSignals[f.Kind])
	}
}

// labHost is the lab's name of a task's host.
func (p *player) labHost(t roles.Task) string { return strings.Replace(p.hosts[t], "n", "gpu", 1) }

// agent is the process of a task's agent, 0 while it is not known.
func (p *player) agent(t roles.Task) int {
	if a, ok := p.actors[t]; ok {
		return a.agent
	}
	var pub protocol.Published
	data, err := os.ReadFile(filepath.Join(p.attempt(), "agents", t.String()+".json"))
	if err != nil {
		return 0
	}
	mustDecode(p.t, data, &pub)
	return pub.PID
}

// everybody lists all of the job's processes.
func (p *player) everybody() (pids []int) {
	for _, h := range p.Hosts() {
		procs, err := p.Processes(h)
		p.must(err)
		for _, proc := range procs {
			pids = append(pids, proc.PID)
		}
	}
	return pids
}

// pauseFor stops processes for as long as a fault lasts, and notes how long that was.
func (p *player) pauseFor(f *simulation.Fault, pids ...int) bool {
	begun := time.Now()
	if !p.pause(f.For, pids...) {
		return false
	}
	if f.For > 0 {
		p.do(time.Now().Add(f.For), func() { f.For = max(f.For, time.Since(begun)) }) // after the pause itself
	}
	return true
}

// pause stops processes for a while; 0: for ever. Whoever is stopped twice goes on when both times are over.
func (p *player) pause(d time.Duration, pids ...int) bool {
	stopped := false
	until := time.Now().Add(d)
	if d == 0 {
		until = time.Now().Add(overWithin)
	}
	for _, pid := range pids {
		stopped = p.signal(pid, syscall.SIGSTOP) || stopped
		if until.After(p.paused[pid]) {
			p.paused[pid] = until
		}
	}
	if d > 0 {
		p.do(until, func() {
			for _, pid := range pids {
				if !time.Now().Before(p.paused[pid]) {
					p.signal(pid, syscall.SIGCONT)
				}
			}
		})
	}
	return stopped
}

// cut takes a host off the network; one that is lost also ends, as when its power fails.
func (p *player) cut(f *simulation.Fault, host string) bool {
	if host == p.labHost(roles.Hub()) {
		return false // with the hub and the batch script: then nobody in the job can say anything
	}
	p.must(p.Cut(host))
	if f.For == 0 {
		p.away[host] = true
		p.vanished(p.hosts[f.Task])
	}
	heal := func() error { return p.Heal(host) }
	if f.Kind == simulation.LoseHost {
		p.must(p.StopNode(host))
		p.healed = append(p.healed, heal, func() error { return p.StartNode(host) })
		return true
	}
	p.healLater(f, heal)
	return true
}

func (p *player) healLater(f *simulation.Fault, heal func() error) {
	once := sync.OnceValue(heal)
	p.healed = append(p.healed, once)
	if f.For > 0 {
		p.do(time.Now().Add(f.For), func() { p.must(once()) })
	}
}

// hold traces a process, so that nobody can reap it when it is killed: whoever waits for it waits until the tracer lets
// go. A process in an uninterruptible wait is the same to its agent. Signals reach it as if nobody traced it.
func (p *player) hold(pid int) bool {
	held, end := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread() // a tracer is a thread
		defer runtime.UnlockOSThread()
		if err := ptrace(unix.PTRACE_SEIZE, pid, 0); err != nil {
			held <- err
			return
		}
		held <- nil
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				passSignal(pid)
				continue
			case <-end:
			}
			break
		}
		_ = ptrace(unix.PTRACE_DETACH, pid, 0)
		var status unix.WaitStatus
		_, _ = unix.Wait4(pid, &status, unix.WALL|unix.WNOHANG, nil)
	}()
	if err := <-held; err != nil {
		p.t.Logf("cannot hold process %d: %v", pid, err)
		return false
	}
	p.release = append(p.release, end)
	return true
}

// passSignal lets a traced process have the signal that it stands still for. Its end is not looked at: that would let
// its parent reap it.
func passSignal(pid int) {
	var info struct {
		signo, errno, code, _, _, _, status int32 // siginfo_t of SIGCHLD
		_                                   [100]byte
	}
	const stops = unix.WSTOPPED | unix.WNOHANG | unix.WALL
	err := unix.Waitid(unix.P_PID, pid, (*unix.Siginfo)(unsafe.Pointer(&info)), stops, nil)
	if err != nil || info.signo == 0 {
		return
	}
	switch sig := info.status & 0xff; {
	case info.status>>8 != unix.PTRACE_EVENT_STOP:
		_ = ptrace(unix.PTRACE_CONT, pid, int(sig))
	case sig == int32(unix.SIGTRAP): // it may go on
		_ = ptrace(unix.PTRACE_CONT, pid, 0)
	default: // it is to stand still
		_ = ptrace(unix.PTRACE_LISTEN, pid, 0)
	}
}

func ptrace(request, pid, data int) error {
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(pid), 0, uintptr(data), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
