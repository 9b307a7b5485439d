// Package steps decides what the starter of a job's steps does about their ends: whether a step is tried again, what
// the hub is told, and when the starter leaves, which is the end of the job. Like package decide it is pure.
//
// Rules:
//   - A step that ends is reported when it ends, whatever its code: only the hub knows whether its agents had arrived.
//   - A step that never began for a reason that may pass is tried again, a few times. Once the job is over, or somebody
//     wants the end, nothing is started any more.
//   - The end of the hub's own step is the end of the job. If it left no verdict one is given in its place.
//   - Whoever is left then is waited for only as long as something still arrives from it.
//   - Where servers are kept (policy keep) the job goes on after that, until somebody asks for its end, nobody has
//     used them for long enough, or none is left. Meanwhile a role can be restarted.
package steps

import (
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// Input is something that happened.
type Input interface{ input() }

// The inputs.
type (
	// Said is what the scheduler says about a step, when that has changed.
	Said struct {
		Role      roles.Role
		Diagnosis protocol.Diagnosis
		Ranks     map[int][]int // that ended, by exit code
	}
	// Ended says that a step is over.
	Ended struct {
		Role  roles.Role
		Code  int
		Began Answer // whether any of its agents ran
	}
	// Output says that something arrived from a step.
	Output struct{}
	// HubAnswered says whether the hub answered when it was last asked.
	HubAnswered struct {
		OK     bool
		Gone   bool // nobody listens any more where it did
		Absent bool // it is not known yet where it listens
	}
	// Asked says that the starter was asked to end, by a person or by the scheduler.
	Asked struct {
		Why  string
		Ends time.Time // when the job's time is over; zero if that is not known
	}
	// Wanted says that somebody wants a role to be restarted.
	Wanted struct{ Role roles.Role }
	// InUse says that servers that are kept are being measured.
	InUse struct{}
	// Tick says that time has passed.
	Tick struct{}
)

func (Said) input()        {}
func (Ended) input()       {}
func (Output) input()      {}
func (HubAnswered) input() {}
func (Asked) input()       {}
func (Wanted) input()      {}
func (InUse) input()       {}
func (Tick) input()        {}

// Answer is yes, no, or that it cannot be found out.
type Answer string

// The answers.
const (
	Yes      Answer = "yes"
	No       Answer = "no"
	NotKnown Answer = ""
)

// Effect is something that is to be done.
type Effect interface{ effect() }

// The effects.
type (
	// Retry says that a role's step will be started once more, after a pause; people may want to know.
	Retry struct {
		Role  roles.Role
		After time.Duration
	}
	// Start starts a role's step once more, now.
	Start struct{ Role roles.Role }
	// Stop asks the agents of a role's step to stop. With Restart another step is started after it.
	Stop struct {
		Role    roles.Role
		Restart bool
	}
	// Seal says that a role's step is over for good, and so is its log.
	Seal struct{ Role roles.Role }
	// Report tells the hub about a step. RunID is left to the caller.
	Report struct{ Report protocol.StepReport }
	// AskHub asks the hub for a sign of life; the answer is HubAnswered. When the end is wanted, it tells a hub that
	// had ended before: Slurm takes up to a second to see that nothing is left of its step.
	AskHub struct{}
	// KillHub ends the hub's step at once: it hangs, and nobody is left whom it could tell to stop.
	KillHub struct{}
	// Conclude makes sure that there is a verdict; if the hub left none, this is the cause.
	Conclude struct {
		Cause protocol.Cause
		Asked bool // all of the job was asked to end: see Knew
	}
)

func (Retry) effect()    {}
func (Start) effect()    {}
func (Stop) effect()     {}
func (Seal) effect()     {}
func (Report) effect()   {}
func (AskHub) effect()   {}
func (KillHub) effect()  {}
func (Conclude) effect() {}

// mostTries is how often a step is tried that never begins for a reason that may pass.
const mostTries = 3

// Pause is the time before the next try of a step that was tried so often; again is false if that was enough.
func Pause(tries int) (pause time.Duration, again bool) {
	return time.Second << (tries - 1), tries < mostTries
}
