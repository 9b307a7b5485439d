package decide

import (
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// Input is something that happened.
type Input interface{ input() }

// The inputs.
type (
	// Attached says that an agent arrived.
	Attached struct {
		Task  roles.Task
		Hello protocol.Hello
	}
	// Alive says that an agent gave a sign of life.
	Alive struct {
		Task roles.Task
		Sent time.Time // by the agent's clock; zero: that is not known
	}
	// Broke says that the connection of an agent ended without a goodbye.
	Broke struct {
		Task roles.Task
		// Fault is what was wrong with a message that it sent: then it is not let in again. "": it may come back.
		Fault string
		// GaveUp says that it had lost patience with the hub, and does not come back.
		GaveUp bool
	}
	// Back says that an agent whose connection had ended has connected again.
	Back struct{ Task roles.Task }
	// Bye says that an agent left in good order.
	Bye struct{ Task roles.Task }
	// Reported is an event that an agent reported.
	Reported struct {
		Task  roles.Task
		Event protocol.Event
	}
	// Step is a report about a role's step, by what started it.
	Step struct{ Report protocol.StepReport }
	// Measured says that the benchmark has ended, and all that it left was read.
	Measured struct{ Points []protocol.Point }
	// Judged is the answer to Judge: whether what was measured is suspicious.
	Judged struct{ Suspicious bool }
	// Visible says whether what an agent wrote to the run directory is seen by the hub.
	Visible struct {
		Task roles.Task
		OK   bool
	}
	// Disk says that the run directory does not answer the hub (Stuck), or answers again.
	Disk struct {
		Stuck bool
		What  string // the operation that is not answered
	}
	// Cancel says that the hub is asked to end, which is a request to end the job.
	Cancel struct {
		Detail string
		All    bool // it is known that all of the job is meant, not the benchmark's step alone
	}
	// Tick says that time has passed.
	Tick struct{}
)

func (Attached) input() {}
func (Alive) input()    {}
func (Broke) input()    {}
func (Back) input()     {}
func (Bye) input()      {}
func (Reported) input() {}
func (Step) input()     {}
func (Measured) input() {}
func (Judged) input()   {}
func (Visible) input()  {}
func (Disk) input()     {}
func (Cancel) input()   {}
func (Tick) input()     {}

// Effect is something that is to be done.
type Effect interface{ effect() }

// The effects.
type (
	// Send gives an agent a command.
	Send struct {
		Task    roles.Task
		Command protocol.Command
	}
	// Drop says that an agent counts as lost: should it come back, it is refused.
	Drop struct {
		Task roles.Task
		Why  string
	}
	// LookFor asks whether what an agent wrote to the run directory is seen here; the answer is Visible.
	LookFor struct{ Task roles.Task }
	// TryHosts tries from the hub's host whether those of roles answer; the answer is an EventReached of BENCHMARK's.
	TryHosts struct{ Peers map[string]string }
	// Follow begins to read the benchmark's results. Measurement is how many measurements there were before.
	Follow struct{ Measurement int }
	// Again says that the benchmark is started once more, on the same servers: it is measurement Number, from 0.
	Again struct{ Number, Of int }
	// Judge compares what was measured with earlier runs, while the servers are still there. The answer is Judged.
	Judge struct{}
	// EndFollow says that the benchmark has ended: the rest is to be read, and the answer is Measured.
	EndFollow struct{}
	// NeverCame says that the step of an agent ended before the agent arrived.
	NeverCame struct {
		Task   roles.Task
		Detail string
	}
	// Found keeps what the preflight found.
	Found struct{ Preflight protocol.Preflight }
)

func (Send) effect()      {}
func (Drop) effect()      {}
func (LookFor) effect()   {}
func (TryHosts) effect()  {}
func (Follow) effect()    {}
func (Again) effect()     {}
func (Judge) effect()     {}
func (EndFollow) effect() {}
func (NeverCame) effect() {}
func (Found) effect()     {}
