package protocol

import (
	"time"

	"github.com/disagg/disagg/pkg/roles"
)

// Stage is how far a rank's child is.
type Stage string

// The stages, in order.
const (
	StageWaiting  Stage = "waiting"  // nothing was started
	StageStarting Stage = "starting" // it is being started
	StageRunning  Stage = "running"
	StageEnded    Stage = "ended" // it has ended itself; something may be left of it
	StageDone     Stage = "done"  // nothing is left of it
)

// Stages lists every stage, in order.
func Stages() []Stage {
	return []Stage{StageWaiting, StageStarting, StageRunning, StageEnded, StageDone}
}

// RankStatus is what /status of an agent shows: its rank now. Times are by the clock of its host.
type RankStatus struct {
	Schema int        `json:"schema"` // 1
	At     time.Time  `json:"at"`
	RunID  string     `json:"run_id"` // names the attempt
	Case   string     `json:"case"`
	Role   roles.Role `json:"role"`
	Rank   int        `json:"rank"`
	Node   string     `json:"node"` // name of its host
	Host   string     `json:"host"` // address that peers reach it by
	PID    int        `json:"pid"`  // of the agent
	Tool   string     `json:"tool"` // version of disagg that made the plan
	Stage  Stage      `json:"stage"`
	// Stopped is why the rank was asked to stop.
	Stopped string `json:"stopped,omitempty"`
	// Child is absent if none was started.
	Child *ChildStatus `json:"child,omitempty"`
	// Service is what the rank knows of its role's service, if the role has one and the rank leads it.
	Service *ServiceStatus `json:"service,omitempty"`
	// GPUs are those of its host that are planned for, if this agent samples them.
	GPUs []GPUStatus `json:"gpus,omitempty"`
	// Job is the hub's view of the whole job, as state.json shows it; of BENCHMARK's agent alone.
	Job *State `json:"job,omitempty"`
	// Points is how many points the case asks for; with job.
	Points int `json:"points,omitempty"`
}

// ChildStatus is a rank's child now, or as it ended.
type ChildStatus struct {
	PID       int       `json:"pid"`
	StartedAt time.Time `json:"started_at"`
	Uptime    float64   `json:"uptime_seconds"`
	// OutputBytes is how much it has printed; OutputAt is when the newest of that came, OutputAge how long ago.
	OutputBytes int64     `json:"output_bytes"`
	OutputAt    time.Time `json:"output_at,omitzero"`
	OutputAge   float64   `json:"output_age_seconds,omitempty"`
	// Progress is the last progress bar at the end of its output.
	Progress *Progress `json:"progress,omitempty"`
	// RSS is the resident memory of its process tree in bytes, CPU the time on a processor of all that it was made of.
	RSS int64   `json:"rss_bytes"`
	CPU float64 `json:"cpu_seconds"`
}

// ServiceStatus is what a role's first rank knows of the service.
type ServiceStatus struct {
	Address string `json:"address,omitempty"` // host:port
	Version string `json:"version,omitempty"` // of the engine
	Ready   bool   `json:"ready"`             // it has been
	// Probe is the last answer to a probe.
	Probe *ProbeStatus `json:"probe,omitempty"`
}

// ProbeStatus is the answer to a probe.
type ProbeStatus struct {
	At      time.Time `json:"at"`
	Healthy bool      `json:"healthy"`
	Detail  string    `json:"detail,omitempty"` // why it is not healthy
}
