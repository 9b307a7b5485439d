package simulation

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// Kind is what a fault breaks.
type Kind string

// The kinds of fault. Those of a task break it or its child; those of a host its machine.
const (
	Crash       Kind = "crash"       // the child ends by itself with code 3
	ExitZero    Kind = "exit0"       // the child ends with code 0 before its time
	KillChild   Kind = "kill-child"  // somebody kills the child
	KillAgent   Kind = "kill-agent"  // somebody kills the agent
	PauseAgent  Kind = "pause-agent" // the agent stands still for a while (SIGSTOP)
	Hang        Kind = "hang"        // the child stands still for ever
	Stuck       Kind = "stuck"       // the kernel does not free the child when it ends, if it ends at all (state D)
	TermStep    Kind = "term-step"   // somebody ends a step (SIGTERM)
	LoseHost    Kind = "lose-host"   // the host vanishes
	CutHost     Kind = "cut-host"    // the host is cut from all others for a while, or for ever
	CutPair     Kind = "cut-pair"    // two hosts are cut from each other
	FreezeDisk  Kind = "freeze-disk" // the shared file system stands still
	Cancel      Kind = "cancel"      // somebody ends the job (SIGTERM to everything)
	KillHub     Kind = "kill-hub"    // somebody kills BENCHMARK's agent
	PauseHub    Kind = "pause-hub"   // it stands still for a while, or for ever
	BenchFails  Kind = "bench-fails" // the benchmark ends with code 1
	PointIsLost Kind = "point-lost"  // the benchmark ends well, and leaves no result
	PauseAll    Kind = "pause-all"   // every machine stands still: a snapshot of virtual machines
)

// Fault is one thing that is broken.
type Fault struct {
	Task  roles.Task // or the first of a host's
	Other roles.Task // of the other host, with cut-pair
	Kind  Kind
	For   time.Duration // of what passes; 0: for ever
	// When it happens: a while after a phase has begun.
	Phase protocol.Phase
	After time.Duration

	// At is when it happened; zero: it did not.
	At time.Time
}

// String is the fault in the grammar of scenarios: "GEN_0.1:kill-child@measuring+1.5s".
func (f *Fault) String() string {
	s := fmt.Sprintf("%s:%s", f.Task, f.Kind)
	switch {
	case f.Kind == CutPair:
		s += "=" + f.Other.String()
	case f.For > 0:
		s += "=" + f.For.String()
	}
	return fmt.Sprintf("%s@%s+%v", s, f.Phase, f.After)
}

// ParseFault reads a fault as String writes it.
func ParseFault(text string) (*Fault, error) {
	bad := func(what string) error {
		return fmt.Errorf("cannot read the fault %q: %s: want ROLE.RANK:KIND[=ARGUMENT]@PHASE+TIME", text, what)
	}
	head, when, ok := strings.Cut(text, "@")
	phase, after, ok2 := strings.Cut(when, "+")
	who, kind, ok3 := strings.Cut(head, ":")
	if !ok || !ok2 || !ok3 {
		return nil, bad("a part is missing")
	}
	kind, argument, hasArgument := strings.Cut(kind, "=")
	f := &Fault{Kind: Kind(kind), Phase: protocol.Phase(phase)}
	var err error
	if f.Task, err = parseTask(who); err != nil {
		return nil, bad(err.Error())
	}
	if !slices.Contains(Kinds(), f.Kind) {
		return nil, bad("no such kind")
	}
	if !slices.Contains([]protocol.Phase{protocol.Launching, protocol.Readying, protocol.Measuring}, f.Phase) {
		return nil, bad("no such phase")
	}
	if f.After, err = time.ParseDuration(after); err != nil {
		return nil, bad(err.Error())
	}
	switch {
	case f.Kind == CutPair:
		f.Other, err = parseTask(argument)
	case hasArgument:
		f.For, err = time.ParseDuration(argument)
	}
	if err != nil {
		return nil, bad(err.Error())
	}
	return f, nil
}

// parseTask reads "GEN_0.1".
func parseTask(text string) (roles.Task, error) {
	name, number, ok := strings.Cut(text, ".")
	r, err := roles.ParseRole(name)
	if err != nil {
		return roles.Task{}, err
	}
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n < 0 {
		return roles.Task{}, fmt.Errorf("the rank %q is not a number", number)
	}
	return roles.Task{Role: r, Rank: n}, nil
}

// Kinds lists every kind of fault.
func Kinds() []Kind {
	return []Kind{
		Crash, ExitZero, KillChild, KillAgent, PauseAgent, Hang, Stuck, TermStep, LoseHost, CutHost, CutPair,
		FreezeDisk, Cancel, KillHub, PauseHub, BenchFails, PointIsLost, PauseAll,
	}
}

// OfAChild tells whether a fault is of what an agent supervises, and has to wait until that has started.
func (k Kind) OfAChild() bool {
	return slices.Contains([]Kind{Crash, ExitZero, KillChild, Hang, Stuck, BenchFails}, k)
}

// ofTheJob tells whether a fault is of the whole job, whatever has become of its task.
func (k Kind) ofTheJob() bool {
	return k == FreezeDisk || k == Cancel || k == PauseAll || k == PointIsLost
}

// happen breaks what is to be broken, unless that has ended.
func (j *job) happen(f *Fault) {
	a := j.agents[f.Task]
	if j.now.Before(j.standsStill) {
		j.at(j.standsStill.Add(j.between(time.Millisecond, 2*time.Second)), func() { j.happen(f) })
		return
	}
	if j.result != nil || a.proc.dead && !f.Kind.ofTheJob() {
		return
	}
	if !j.strike(f, a) {
		return
	}
	f.At = j.now
	j.tell("fault: %s", f)
}

// strike does it, and tells whether there was anything to break.
func (j *job) strike(f *Fault, a *agent) bool {
	if f.Kind.OfAChild() {
		return j.strikeChild(f, a.child)
	}
	switch f.Kind {
	case KillAgent, KillHub:
		a.killed()
	case PauseAgent, PauseHub:
		a.proc.pause(f.For)
	case TermStep:
		j.signal(f.Task.Role)
	case LoseHost:
		if a.proc.host == j.hosts[0] {
			return false // with the hub and the batch script: then nobody in the job can say anything
		}
		a.proc.host.dead = true
		j.vanished(a.proc.host)
	case CutHost:
		if a.proc.host == j.hosts[0] {
			return false
		}
		j.net.cut(a.proc.host, nil)
		j.healLater(f, func() { j.net.heal(a.proc.host, nil) })
		if f.For == 0 {
			j.vanished(a.proc.host)
		}
	case CutPair:
		other := j.agents[f.Other].proc.host
		if other == a.proc.host {
			return false
		}
		j.net.cut(a.proc.host, other)
		j.healLater(f, func() { j.net.heal(a.proc.host, other) })
	case FreezeDisk:
		j.disk.freeze(f.For)
	case Cancel:
		j.cancel()
	case PointIsLost:
		if j.pointsRead { // what is left to lose is what another measurement brings, if there is one
			return false
		}
		j.lostPoint = true
	case PauseAll:
		j.pauseAll(f.For)
	}
	return true
}

// strikeChild breaks a child; one that has not started yet is broken as soon as it has.
func (j *job) strikeChild(f *Fault, c *child) bool {
	if !c.started {
		c.atStart = append(c.atStart, func() { j.happen(f) })
	}
	leaves := f.Kind == ExitZero && j.released // as all servers do once the measurement has ended
	deaf := c.stuck && j.scenario.deaf && f.Kind != Hang && f.Kind != Stuck
	if !c.started || c.over() || leaves || deaf {
		return false
	}
	switch f.Kind {
	case Crash:
		c.end(3, "", "")
	case ExitZero:
		c.end(0, "", "")
	case KillChild:
		c.end(137, "SIGKILL", "")
	case Hang:
		c.hung, c.hungAt = true, j.now
	case Stuck:
		c.stuck = true
	case BenchFails:
		c.end(1, "", "")
	}
	return true
}

func (j *job) healLater(f *Fault, heal func()) {
	if f.For > 0 {
		j.after(f.For, heal)
	}
}

// signal sends SIGTERM to the agents of a role, as scancel does with a step.
func (j *job) signal(r roles.Role) {
	for _, t := range j.order {
		if t.Role == r {
			a := j.agents[t]
			a.proc.timer(j.between(0, 20*time.Millisecond), a.asked)
		}
	}
}
