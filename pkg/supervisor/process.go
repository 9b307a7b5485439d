package supervisor

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/logtee"
)

// Spec is a child to start.
type Spec struct {
	Argv []string
	Dir  string
	Env  []string
	// Output is where its output goes. Its log file is closed when the child is gone, or could not be started.
	Output     logtee.Options
	StopPolicy StopPolicy
	// Fault says that the child could not be prepared, so it is never started.
	Fault error
	// Memory is a bound in bytes that is set otherwise than by a cgroup; 0: none.
	Memory int64
	// DiesWithParent makes the kernel kill the child, and only the child itself, if this process is killed
	// (PR_SET_PDEATHSIG). See [Supervisor.Guard] for the rest of the tree.
	DiesWithParent bool
}

// Process is a child that was started, or that could not be.
type Process struct {
	sup    *Supervisor
	spec   Spec
	proc   *os.Process
	output *logtee.Tee

	stopOnce   sync.Once
	urgentOnce sync.Once
	hurryOnce  sync.Once
	stop       chan struct{} // closed by the first request to stop
	urgent     chan struct{} // closed by the first request that has no patience
	hurry      chan struct{} // closed by Kill
	reason     string        // of the first request; set before stop is closed
	askedAt    time.Time     // of that
	patience   time.Duration // of the first request
	hard       atomic.Bool   // somebody has no patience
	dumps      atomic.Bool   // its end was told while its memory was still being written
	exited     chan struct{} // closed when the leader has ended
	reaped     chan struct{} // closed when the kernel has let go of it
	done       chan struct{} // closed when nothing is left
	stored     chan struct{} // closed when the log is complete, or given up

	oomBefore int64  // kills in the memory cgroup before the start
	orphans   *usage // of descendants that were reaped here
	sampler   *memorySampler
	startedAt time.Time
	ended     Outcome // set before exited is closed
	collected Outcome // by the kernel; set before reaped is closed
	final     Outcome // set before done is closed

	endOnce   sync.Once
	endMu     sync.Mutex // guards what follows
	livedAt   time.Time  // when the leader was last seen alive
	lookedAt  time.Time  // when it was last looked for, and was there
	endsSince time.Time  // when the kernel was first seen to end it
}

// Start starts a child. A child that cannot be started is a Process too: its outcome says why.
func (s *Supervisor) Start(spec Spec) *Process {
	p := &Process{
		sup: s, spec: spec, stop: make(chan struct{}), urgent: make(chan struct{}), exited: make(chan struct{}),
		done: make(chan struct{}), reaped: make(chan struct{}),
		stored: make(chan struct{}), hurry: make(chan struct{}),
	}
	if err := p.start(); err != nil {
		if log := spec.Output.Log; p.output == nil && log != nil {
			_ = log.Close()
		}
		p.ended = notStarted(err, time.Now())
		p.final = p.ended
		close(p.exited)
		close(p.done)
		close(p.stored)
		return p
	}
	go p.supervise()
	return p
}

// own starts the child and waits for it in one goroutine: the kernel sends the signal for the death of a parent when
// the thread that started the child ends, so that thread is kept until the child has gone (golang/go#27505).
func (p *Process) own(path string, stdin, child *os.File, started chan<- error) {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if p.spec.DiesWithParent {
		attr.Pdeathsig = syscall.SIGKILL
		runtime.LockOSThread() // until this goroutine ends, and the thread with it
	}
	var err error
	p.proc, err = p.sup.track(func() (*os.Process, error) {
		return os.StartProcess(path, p.spec.Argv, &os.ProcAttr{
			Dir: p.spec.Dir, Env: p.sup.marked(p.spec.Env), Files: []*os.File{stdin, child, child}, Sys: attr,
		})
	})
	started <- err
	if err == nil {
		p.wait()
	}
}

func (p *Process) start() error {
	if p.spec.Fault != nil {
		return p.spec.Fault
	}
	if p.spec.Output.Log == nil {
		return fmt.Errorf("cannot start: %w", setupError{errors.New("there is no log file")})
	}
	if len(p.spec.Argv) == 0 {
		return errors.New("cannot start: the command is empty")
	}
	if err := checkDir(p.spec.Dir); err != nil {
		return fmt.Errorf("cannot start %s: %w", p.spec.Argv[0], setupError{err})
	}
	path, err := LookPath(p.spec.Argv[0], p.spec.Dir, p.spec.Env)
	if err != nil {
		return fmt.Errorf("cannot start %s: %w", p.spec.Argv[0], err)
	}
	openOnce(path)
	stdin, err := os.Open(os.DevNull)
	if err != nil {
		return fmt.Errorf("cannot start %s: %w", p.spec.Argv[0], setupError{err})
	}
	defer stdin.Close()
	out, child, err := logtee.New(p.spec.Output)
	if err != nil {
		return fmt.Errorf("cannot start %s: %w", p.spec.Argv[0], setupError{err})
	}
	defer child.Close()
	p.oomBefore, _ = p.sup.memory.oomKills()
	p.startedAt = time.Now()
	p.livedAt, p.lookedAt = p.startedAt, p.startedAt
	p.orphans = p.sup.openAccount()
	p.output = out // before the child runs: its end may be told at once
	started := make(chan error, 1)
	go p.own(path, stdin, child, started)
	if err := <-started; err != nil {
		p.sup.closeAccount(p.orphans)
		out.Abandon()
		return fmt.Errorf("cannot start %s: %w", p.spec.Argv[0], err)
	}
	go out.Run()
	go p.watchEnd()
	p.sampler = p.sampleMemory()
	return nil
}

// wait collects the leader's status. Its pid stays tracked until that has been read.
func (p *Process) wait() {
	defer close(p.reaped)
	ps, err := p.proc.Wait()
	at := time.Now()
	p.stopOnce.Do(func() {}) // from here on it ended by itself: a later request is not its reason
	p.sup.untrack(p.proc.Pid)
	if err != nil {
		p.collected = Outcome{Started: true, Code: CodeNotStarted, Error: err.Error(), EndedAt: at}
	} else {
		p.collected = ended(ps, p.startedAt)
		p.collected.EndedAt, p.collected.EndedBy = p.endOf(at)
	}
	p.end(p.collected, p.seenEnding())
}

// end notes how the leader ended. Who tells it first is believed. A request to stop that came when the leader had been
// seen to end is not its reason.
func (p *Process) end(o Outcome, since time.Time) {
	p.endOnce.Do(func() {
		p.stopOnce.Do(func() {})
		p.ended = o
		if since.IsZero() || p.askedAt.Before(since) {
			p.ended.StopReason = p.reason
		}
		p.judgeMemory(&p.ended)
		close(p.exited)
	})
}

// judgeMemory tells a process that ran out of memory from one that was killed.
func (p *Process) judgeMemory(o *Outcome) {
	after, counted := p.sup.memory.oomKills()
	limit := p.sup.memory.limit()
	if p.spec.Memory > 0 && (limit == 0 || p.spec.Memory < limit) {
		limit = p.spec.Memory
	}
	if o.OOM = ranOut(p.oomBefore, after, counted, *o, limit); o.OOM {
		o.MemoryLimit = limit
	}
}

// Stop tells the process to end, for a reason that its outcome will carry. Only the first request counts; it returns at
// once. It may be called at any time, from anywhere.
func (p *Process) Stop(reason string) {
	p.hard.Store(true)
	p.request(0, reason)
	p.urgentOnce.Do(func() { close(p.urgent) })
}

// Kill is Stop for a process that is given no time to end: SIGKILL follows at once.
func (p *Process) Kill(reason string) {
	p.Stop(reason)
	p.hurryOnce.Do(func() { close(p.hurry) })
}

// Finish is Stop for a process whose work is done, and that is to end in good order: it is given so long to end by
// itself, and then, if the policy says whom to ask first, only that is asked. A Stop meanwhile ends the patience.
func (p *Process) Finish(patience time.Duration, reason string) { p.request(patience, reason) }

func (p *Process) request(patience time.Duration, reason string) {
	if p.proc != nil {
		p.lookForEnd()
	}
	p.stopOnce.Do(func() {
		p.reason, p.patience, p.askedAt = reason, patience, time.Now()
		close(p.stop)
	})
}

// PID is the leader's process id, 0 if it was never started.
func (p *Process) PID() int {
	if p.proc == nil {
		return 0
	}
	return p.proc.Pid
}

// Exited is closed as soon as the leader has ended. Descendants may still run then.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Done is closed when nothing is left: no descendant, and the log is complete or waits for a disk that does not answer.
func (p *Process) Done() <-chan struct{} { return p.done }

// Stored is closed when the log is complete, or given up. It is not much later than Done, whatever the disk does.
func (p *Process) Stored() <-chan struct{} { return p.stored }

// Ended is how the leader ended, as far as it is known at once: the last of its output may still be on its way. It may
// be called once Exited is closed.
func (p *Process) Ended() Outcome {
	o := p.ended
	o.Tail = p.Tail()
	return o
}

// Outcome is everything about the end. It may be called once Done is closed.
func (p *Process) Outcome() Outcome { return p.final }

// End is the last n bytes of output so far as they are, and when the newest of them came: see [logtee.Tee.End].
func (p *Process) End(n int) ([]byte, time.Time) {
	if p.output == nil {
		return nil, time.Time{}
	}
	return p.output.End(n)
}

// Tail is the last lines of output so far.
func (p *Process) Tail() []string {
	if p.output == nil {
		return nil
	}
	return p.output.Tail()
}

func (p *Process) signalLeader(sig syscall.Signal) { _ = p.proc.Signal(sig) }

// signalMatch signals the outermost process of the tree whose arguments match.
func (p *Process) signalMatch(match func([]string) bool, sig syscall.Signal) bool {
	d := p.find(match)
	if d.pid > 0 {
		_ = syscall.Kill(d.pid, sig)
	}
	return d.pid > 0
}

// signalGroup reaches what is left of the group even when the leader is gone: the kernel does not reuse a pid that
// still names a group.
func (p *Process) signalGroup(sig syscall.Signal) { _ = syscall.Kill(-p.proc.Pid, sig) }

// signalOthers reaches what is left of the tree in other groups.
func (p *Process) signalOthers(sig syscall.Signal) {
	for _, d := range p.left() {
		if d.pgid != p.proc.Pid {
			_ = syscall.Kill(d.pid, sig)
			_ = syscall.Kill(d.pid, unix.SIGCONT)
		}
	}
}

// left lists what is left of the tree, the leader included. While processes die and their children change parents it
// may miss some: who wants to know that nothing is left asks empty.
func (p *Process) left() []proc {
	return slices.DeleteFunc(p.sup.descendants(p.proc.Pid), proc.zombie)
}

// empty tells whether nothing is left of the tree. Whatever loses its parent becomes a child of this process, so a tree
// of which this process has no child, not even a dead one but for the leader, has ended. The kernel's list is only
// exact while nothing changes, hence the second look.
func (p *Process) empty() bool {
	leader := p.proc.Pid
	if of, ok := readProc(leader); ok && of.zombie() {
		leader = 0 // nothing of it is left, though somebody may keep it from being reaped
	}
	for range 2 {
		p.sup.reapOrphans()
		if p.sup.hasChildren(leader) {
			return false
		}
	}
	return true
}
