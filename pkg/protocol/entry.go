package protocol

import (
	"time"

	"github.com/disagg/disagg/pkg/roles"
)

// Phase is what a job is waiting for.
type Phase string

// The phases, in order.
const (
	Launching Phase = "launching" // agents arrive
	Checking  Phase = "preflight" // hosts are checked before any model is loaded
	Readying  Phase = "readying"  // servers load
	Measuring Phase = "measuring" // the benchmark runs
	Stopping  Phase = "stopping"  // every agent is told to end
	Over      Phase = "over"
)

// Phases lists every phase, in order.
func Phases() []Phase { return []Phase{Launching, Checking, Readying, Measuring, Stopping, Over} }

// EntryKind is what a journal entry reports. An event of an agent is reported under its own kind.
type EntryKind string

// The kinds of entry that are no event of an agent.
const (
	EntryAttached   EntryKind = "attached" // an agent arrived
	EntryLost       EntryKind = "lost"     // an agent counts as lost
	EntryBye        EntryKind = "bye"      // an agent left in good order
	EntryStep       EntryKind = "step"     // what the starter of a step says about it
	EntryStepFailed EntryKind = "step_failed"
	EntryPhase      EntryKind = "phase"
	EntryPoint      EntryKind = "point"
	EntryVerdict    EntryKind = "verdict"
	EntryUpload     EntryKind = "upload"
	EntryDropped    EntryKind = "dropped" // entries that are missing; Detail says how many
	EntryAgain      EntryKind = "again"   // the same servers are measured once more; Detail says how often that was
	// EntryStepTimes has what the logs of the generation servers say of decode's steps, or why that is not known.
	EntryStepTimes EntryKind = "step_times"
	// EntryGPUUse says how GPUs were used in the whole run, by samples of them, or why that is not known.
	EntryGPUUse EntryKind = "gpu_use"
)

// EntryKinds lists every kind of entry, those of events included.
func EntryKinds() []EntryKind {
	list := []EntryKind{
		EntryAttached, EntryLost, EntryBye, EntryStep, EntryStepFailed, EntryPhase, EntryPoint, EntryVerdict,
		EntryUpload, EntryDropped, EntryAgain, EntryStepTimes, EntryGPUUse,
	}
	for _, k := range EventKinds() {
		list = append(list, EntryKind(k))
	}
	return list
}

// StoppedDetail begins the detail of a child that ended because it was asked to.
const StoppedDetail = "stopped: "

// Entry is one line of events.ndjson.
type Entry struct {
	Schema  int         `json:"schema"` // 1
	Seq     int         `json:"seq"`    // from 1, without gaps but for what a `dropped` entry reports
	At      time.Time   `json:"at"`     // by the hub's clock
	Kind    EntryKind   `json:"kind"`
	Role    *roles.Role `json:"role,omitempty"`
	Rank    int         `json:"rank,omitempty"`
	Host    string      `json:"host,omitempty"`
	Phase   Phase       `json:"phase,omitempty"`
	Address string      `json:"address,omitempty"`
	Detail  string      `json:"detail,omitempty"`
	Point   *Point      `json:"point,omitempty"`
	// Progress comes with progress, of a role at most once a minute.
	Progress *Progress `json:"progress,omitempty"`
}

// State is state.json: the hub's view now.
type State struct {
	Schema int         `json:"schema"` // 1
	At     time.Time   `json:"at"`
	Phase  Phase       `json:"phase"`
	Cause  *Cause      `json:"first_cause,omitempty"`
	Roles  []RoleState `json:"roles"`
	Points []Point     `json:"points"`
}

// RoleState is what is known of one role.
type RoleState struct {
	Role     roles.Role `json:"role"`
	Ranks    int        `json:"ranks"`
	Attached int        `json:"attached"`
	Started  int        `json:"started"`
	Ready    bool       `json:"ready"`
	Exited   int        `json:"exited"`
	Gone     int        `json:"gone"`
	Address  string     `json:"address,omitempty"`
	Unready  string     `json:"unready,omitempty"`
	// Progress is how far its first rank is; absent once it is ready, or has ended.
	Progress *Progress `json:"progress,omitempty"`
}

// Published is agents/<role>.<rank>.json: what an agent tells the others of itself through the shared file system.
type Published struct {
	Schema    int        `json:"schema"` // 1
	Task      roles.Task `json:"task"`
	Node      string     `json:"node"`
	Host      string     `json:"host"`
	PID       int        `json:"pid"`
	Step      string     `json:"step,omitempty"`
	Hub       string     `json:"hub,omitempty"`      // host:port of the hub; only BENCHMARK's
	Endpoint  string     `json:"endpoint,omitempty"` // host:port of /status and /metrics, if they are answered
	RunID     string     `json:"run_id"`             // names the attempt: only its own agents count
	StartedAt time.Time  `json:"started_at"`
}

// Submission is submission.json: when and as what a job was submitted.
type Submission struct {
	Schema  int       `json:"schema"` // 1
	At      time.Time `json:"at"`
	JobID   string    `json:"job_id"`
	Cluster string    `json:"cluster,omitempty"` // where the scheduler sent it, if it says so
	Name    string    `json:"name,omitempty"`    // the job's unique name
}
