package control

import (
	"time"

	"github.com/disagg/disagg/pkg/preflight"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/supervisor"
)

// Hello is how an agent presents itself.
type Hello struct {
	Task    roles.Task `json:"task"`
	Session string     `json:"session"` // unique to the agent process
	RunID   string     `json:"run_id"`  // names the attempt
	Node    string     `json:"node"`
	Host    string     `json:"host"`
	PID     int        `json:"pid"`
	Step    string     `json:"step,omitempty"`
	Listen  string     `json:"listen,omitempty"` // of a leader: where peers try whether its host can be reached
}

// EventKind says what happened to an agent's child.
type EventKind string

// The events. A child goes through started, then (its leader) address and ready, then exited and stopped.
const (
	Started EventKind = "started" // the child runs, or could not be started: then Exited follows at once
	Address EventKind = "address" // its service listens
	Ready   EventKind = "ready"   // its service answers
	Unready EventKind = "unready" // why it does not answer yet
	Exited  EventKind = "exited"  // the child itself has ended; descendants may not have
	Stopped EventKind = "stopped" // nothing is left of it
	Release EventKind = "release" // the benchmark no longer needs the servers
	Leaving EventKind = "leaving" // the agent was asked to stop by somebody else than the hub
	Warned  EventKind = "warned"  // Slurm says that the job's time is nearly over

	Unhealthy   EventKind = "unhealthy"   // its service was ready and no longer answers
	Recovered   EventKind = "recovered"   // its service answers again
	Stalled     EventKind = "stalled"     // its service answers, but does not get on with its work
	Unreachable EventKind = "unreachable" // the service of a peer cannot be reached from this host
	Checked     EventKind = "checked"     // the answer to Check: with Detail, what cannot be reached
	Surveyed    EventKind = "surveyed"    // the answer to Look
)

// Event is what an agent tells the hub.
type Event struct {
	At      time.Time           `json:"at"`
	Kind    EventKind           `json:"kind"`
	PID     int                 `json:"pid,omitempty"`
	Address string              `json:"address,omitempty"`
	Detail  string              `json:"detail,omitempty"`
	Outcome *supervisor.Outcome `json:"outcome,omitempty"` // with Exited and Stopped
	Code    int                 `json:"code,omitempty"`    // with Exited: what the agent will end with, unless it is stopped
	Survey  *Survey             `json:"survey,omitempty"`  // with Surveyed
}

// DirectiveKind says what the hub wants.
type DirectiveKind string

// The directives.
const (
	Look  DirectiveKind = "look"  // look at this host, and at the way to its peers, and answer with Surveyed
	Start DirectiveKind = "start" // start the child
	Stop  DirectiveKind = "stop"  // stop the child, then go
	Watch DirectiveKind = "watch" // the benchmark begins: keep an eye on peers and on progress
	Check DirectiveKind = "check" // look at every peer once, now, and answer with Checked
)

// Directive is what the hub tells an agent.
type Directive struct {
	Kind     DirectiveKind     `json:"kind"`
	Peers    map[string]string `json:"peers,omitempty"`    // with Look, Start and Watch: addresses of roles, by role
	Host     bool              `json:"host,omitempty"`     // with Look: look at the host too, not only at the way to its peers
	Reason   string            `json:"reason,omitempty"`   // with Stop
	Finished bool              `json:"finished,omitempty"` // with Stop: the work is done, nothing failed
	Code     int               `json:"code,omitempty"`     // with Stop: what the agent is to end with; 0: what fits the rest
}

// Link is an agent's side of the conversation.
type Link interface {
	// Send queues an event. It never blocks.
	Send(Event)
	// Directives delivers what the hub wants, each once and in order.
	Directives() <-chan Directive
	// Lost is closed when the hub has been silent for too long, or has ended.
	Lost() <-chan struct{}
	// Err tells why the hub is lost, once it is.
	Err() error
	// Close waits until every event has arrived, within the context, and ends the conversation in good order.
	Close()
}

// Survey is what an agent found before anything was started.
type Survey struct {
	Findings []preflight.Finding `json:"findings,omitempty"`
	Reach    map[string]string   `json:"reach,omitempty"` // by role: why it cannot be reached, "" if it can
}

// StepFailure tells that a role's step never started. It comes from the batch script, since there is no agent.
type StepFailure struct {
	Role   roles.Role `json:"role"`
	RunID  string     `json:"run_id"` // names the attempt
	Detail string     `json:"detail"` // in srun's own words
}

// Inbound is what the hub hears. Exactly one of Hello, Event, Bye, Lost and NoStep is set.
type Inbound struct {
	Task  roles.Task
	Hello *Hello // an agent attached for the first time
	Event *Event
	Bye   bool   // it ended the conversation in good order
	Lost  string // why it counts as lost

	NoStep string // why the task's step never started
}
