// Package rank decides for one rank: when its child is started and stopped, what the hub is told, and what the agent
// ends with. Like package decide it is pure: inputs and the time go in, effects come out.
//
// The life of a rank:
//
//	waiting ──start──▶ starting ──started──▶ running ──the child ended──▶ ended ──nothing is left──▶ done ──▶ over
//	                      ▲──────── start of another measurement, or of a child with other peers ◀─────┘
//	   │ stop, a signal or a lost hub, from everywhere: the child is stopped; the rank is over once nothing is left
//
// Rules:
//   - The exit code is truthful, and low when others failed: srun reports the highest, so a stopped rank must not hide
//     the cause. The ranks of the role that failed first end with its code.
//   - A rank whose child ended by itself waits for the hub's word, with a bound: Slurm takes the code of a step from
//     whichever of its tasks it likes, so all of them end with the same.
//   - A child that is stopped while the run directory does not answer is killed: it may be waiting for a file, and
//     would not even see the request.
//   - Nothing is started after a request to stop.
//   - A child can be kept: its rank leaves the hub, and waits for the next one. That is told of the child when it asks
//     for a start. A child that was started with other peers than the next hub names is replaced.
package rank

import (
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// Input is something that happened.
type Input interface{ input() }

// The inputs.
type (
	// Begin says that the agent is up.
	Begin struct{}
	// Told says that the hub gave a command.
	Told struct{ Command protocol.Command }
	// Asked says that a signal asks the agent to stop; Name is the signal's.
	Asked struct{ Name string }
	// Warned says that a signal announced that the job's time is nearly over.
	Warned struct{ Name string }
	// HubLost says that the hub is gone.
	HubLost struct{ Why string }
	// Started says that the child runs, or could not be started (then Ended and Done follow).
	Started struct{ PID int }
	// Ended says that the child's leader has ended; descendants may not have.
	Ended struct{ Outcome protocol.Outcome }
	// Outlived says that what the child, a launcher, runs has ended, and the launcher goes on.
	Outlived struct{ Outcome protocol.Outcome }
	// Done says that nothing is left of the child.
	Done struct{ Outcome protocol.Outcome }
	// DiskSilent says that the run directory has not answered this host for a while.
	DiskSilent struct{}
	// Tick says that time has passed.
	Tick struct{}
)

func (Begin) input()      {}
func (Told) input()       {}
func (Asked) input()      {}
func (Warned) input()     {}
func (HubLost) input()    {}
func (Started) input()    {}
func (Ended) input()      {}
func (Outlived) input()   {}
func (Done) input()       {}
func (DiskSilent) input() {}
func (Tick) input()       {}

// Effect is something that is to be done.
type Effect interface{ effect() }

// The effects.
type (
	// Prepare gets the child ready to be started, while others are still to come.
	Prepare struct{}
	// Start starts the child, with the addresses of the roles that it needs; the answer is Started. It is not the first
	// child of the rank if there were measurements before.
	Start struct {
		Peers       map[string]string
		Measurement int
	}
	// Stop asks the child to end. With Finished its work is done, and it may end by itself within Patience first.
	Stop struct {
		Reason   string
		Finished bool
		Patience time.Duration
	}
	// Abandon gives up a child that is still being prepared: the answer is Done, or Started if it came too late.
	Abandon struct{ Reason string }
	// Kill ends the child without any patience.
	Kill struct{ Reason string }
	// EndProbes says that the child no longer has to answer.
	EndProbes struct{}
	// Tell reports an event to the hub.
	Tell struct{ Event protocol.Event }
	// Preflight checks this host, if Host says so, and the way to peers; what is found is reported.
	Preflight struct {
		Peers map[string]string
		Host  bool
	}
	// Watch watches peers and progress from now on.
	Watch struct{ Peers map[string]string }
	// Reach tries whether the hosts of roles answer, and reports those that do not.
	Reach struct{ Peers map[string]string }
	// Check checks every peer once, and reports whom this host cannot reach.
	Check struct{}
	// Part leaves the hub, if there still is one, and keeps the child: the next hub is waited for.
	Part struct{ Reason string }
	// Introduce tells the hub of a child that was there before it: where its service is, and whether that answers.
	Introduce struct{}
)

func (Prepare) effect()   {}
func (Start) effect()     {}
func (Stop) effect()      {}
func (Abandon) effect()   {}
func (Kill) effect()      {}
func (EndProbes) effect() {}
func (Tell) effect()      {}
func (Preflight) effect() {}
func (Watch) effect()     {}
func (Reach) effect()     {}
func (Check) effect()     {}
func (Part) effect()      {}
func (Introduce) effect() {}

// stage is how far a rank's child is.
type stage int

const (
	waiting  stage = iota // nothing was started
	starting              // it is being started
	running
	ended // its leader has ended
	done  // nothing is left of it
)

// Machine is the state of one rank. It is not safe for concurrent use.
type Machine struct {
	plan plan.Plan
	task roles.Task
	spec stopSpec

	stage    stage
	over     bool
	stopped  string // why it was asked to stop; "" if it was not
	asked    bool   // by a signal
	finished bool   // it was asked to stop because the work is done
	code     int    // what it is to end with then
	outcome  protocol.Outcome

	watch       *protocol.Command // whom to watch as soon as the child runs; nil: nobody said so yet
	measurement int               // of the present child, from 0
	next        *protocol.Command // the start of another measurement, for which something is still left of the last

	pid     int
	peers   map[string]string // that the child was started with
	free    bool              // there is no hub, and the next one is waited for
	news    bool              // the hub has not been told of the child: that was started before it
	served  bool              // the child has served a hub that is gone
	replace *protocol.Command // the start of a child with other peers, for which something is still left of this one

	judgeAt time.Time // the child's end is reported then, unless a signal explains it before
	late    time.Time // the hub has taken too long to judge the child's end
	leaveBy time.Time // the child has taken too long to end: the rank leaves without it

	effects []Effect
}

// stopSpec is what the recipe says about the end of this role.
type stopSpec struct {
	alone  bool          // nobody else judges the end of the child
	needs  bool          // it needs other roles before it can be prepared
	follow time.Duration // that this rank may end by itself when the work is done
}

// New is the rank of a task that has not begun.
func New(p plan.Plan, t roles.Task) *Machine {
	spec := p.Spec(t.Role)
	m := &Machine{plan: p, task: t}
	m.free = p.Policy.Keep != "" && t != roles.Hub()
	m.spec.alone = p.Policy.Interactive
	m.spec.needs = len(spec.Needs.Address)+len(spec.Needs.Ready) > 0
	if !t.Leader() && spec.MPI && p.Cluster.MPI != "" { // ranks of an MPI job follow their leader
		m.spec.follow = spec.Stop.Follow.Std()
	}
	return m
}

// Asked tells whether a signal asked the rank to stop.
func (m *Machine) Asked() bool { return m.asked }

// Over tells whether nothing is left to do, and what the agent ends with then.
func (m *Machine) Over() (code int, over bool) {
	if !m.over {
		return 0, false
	}
	o := m.outcome
	switch {
	case m.code != 0:
		return m.code, true
	case m.finished:
		return protocol.ExitPassed, true
	case m.stage != waiting && o.StopReason == "" && (protocol.ChildCode(o) != 0 || m.stopped == ""):
		return protocol.ChildCode(o), true
	}
	return protocol.ExitFailed, true
}

// Deadline is when the machine must be given a Tick at the latest, zero if it has no need of one.
func (m *Machine) Deadline() (first time.Time) {
	for _, at := range []time.Time{m.judgeAt, m.late, m.leaveBy} {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// Stopping tells whether the child was asked to stop, and something may be left of it.
func (m *Machine) Stopping() bool { return m.stopped != "" && (m.stage == running || m.stage == ended) }

// Stage is how far the rank's child is.
func (m *Machine) Stage() protocol.Stage { return protocol.Stages()[m.stage] }

// Stopped is why the rank was asked to stop, "" if it was not.
func (m *Machine) Stopped() string { return m.stopped }
