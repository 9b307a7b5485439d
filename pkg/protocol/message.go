package protocol

import (
	"fmt"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/roles"
)

const hubKind = roles.Benchmark

// Hello is how an agent presents itself.
type Hello struct {
	Task    roles.Task `json:"task"`
	Session string     `json:"session"` // unique to the agent process
	RunID   string     `json:"run_id"`  // names the attempt
	Node    string     `json:"node"`    // name of its host
	Host    string     `json:"host"`    // address that peers reach it by
	PID     int        `json:"pid"`
	Step    string     `json:"step,omitempty"`   // the scheduler's name of its step
	Listen  string     `json:"listen,omitempty"` // where peers try whether its host can be reached
	At      time.Time  `json:"at,omitzero"`      // when it was sent, by the agent's clock
	// Booted is when its host's monotonic clock was 0, by the agent's clock: the same for all agents of a host, unless
	// the clock was set before one of them began.
	Booted time.Time `json:"booted,omitzero"`
	// Served says that its child has served an earlier measurement, and was kept.
	Served bool `json:"served,omitempty"`
}

// EventKind says what happened to an agent's child.
type EventKind string

// The events. A child goes through started, then (its leader) address, version and ready, then exited and stopped.
const (
	EventStarted EventKind = "started" // the child runs, or could not be started: then exited follows at once
	EventAddress EventKind = "address" // its service listens
	EventVersion EventKind = "version" // Detail is the version of the engine, as its service says it
	EventReady   EventKind = "ready"   // its service answers
	EventUnready EventKind = "unready" // why it does not answer yet
	EventExited  EventKind = "exited"  // the child itself has ended; descendants may not have
	EventStopped EventKind = "stopped" // nothing is left of it
	EventRelease EventKind = "release" // the benchmark no longer needs the servers
	EventLeaving EventKind = "leaving" // the agent was asked to stop by somebody else than the hub
	EventWarned  EventKind = "warned"  // the scheduler says that the job's time is nearly over

	// EventProgress says how far the child is that loads, or measures, by what it prints.
	EventProgress    EventKind = "progress"
	EventUnhealthy   EventKind = "unhealthy"   // its service was ready and no longer answers
	EventRecovered   EventKind = "recovered"   // its service answers again
	EventStalled     EventKind = "stalled"     // its service answers, but makes no progress
	EventUnreachable EventKind = "unreachable" // the service of a peer cannot be reached from this host
	EventChecked     EventKind = "checked"     // the answer to check
	EventPreflight   EventKind = "preflight"   // the answer to preflight
	EventReached     EventKind = "reached"     // the answer to reach

	EventDiskStuck EventKind = "disk_stuck" // the run directory does not answer this host
	EventDiskBack  EventKind = "disk_back"  // it answers again; Detail says after how long, and what was dropped
)

// EventKinds lists every kind of event.
func EventKinds() []EventKind {
	return []EventKind{
		EventStarted, EventAddress, EventVersion, EventReady, EventUnready, EventExited, EventStopped, EventRelease,
		EventLeaving, EventWarned, EventProgress, EventUnhealthy, EventRecovered, EventStalled, EventUnreachable,
		EventChecked, EventPreflight, EventReached, EventDiskStuck, EventDiskBack,
	}
}

// Event is what an agent reports to the hub.
type Event struct {
	At      time.Time `json:"at"` // by the agent's clock
	Kind    EventKind `json:"kind"`
	PID     int       `json:"pid,omitempty"`
	Address string    `json:"address,omitempty"` // with address: host:port
	Detail  string    `json:"detail,omitempty"`
	// Outcome comes with exited and stopped.
	Outcome *Outcome `json:"outcome,omitempty"`
	// Code comes with exited: what the agent will end with, unless it is stopped.
	Code int `json:"code,omitempty"`
	// Findings come with preflight.
	Findings *Findings `json:"findings,omitempty"`
	// Peers come with unreachable and checked: the roles whose services cannot be reached from this host; and with
	// reached: those whose hosts do not answer at all.
	Peers []roles.Role `json:"peers,omitempty"`
	// Unwell comes with checked: why the rank's own service does not answer; "" if it does.
	Unwell string `json:"unwell,omitempty"`
	// Since comes with unhealthy: when it was first found, by the agent's clock.
	Since time.Time `json:"since,omitzero"`
	// Progress comes with progress.
	Progress *Progress `json:"progress,omitempty"`
}

// Progress is how far a child is that loads or measures, by what it prints.
type Progress struct {
	What    string `json:"what,omitempty"` // is being done, such as "weights"; "": it has printed no progress bar
	Percent int    `json:"percent"`        // of it that is done
	// Output is when the newest output came: in an event by the agent's clock, in a file by the hub's.
	Output time.Time `json:"output,omitzero"`
}

// String is the progress in words: "weights 61 %"; "" if there was no progress bar.
func (p Progress) String() string {
	if p.What == "" {
		return ""
	}
	return fmt.Sprintf("%s %d %%", p.What, p.Percent)
}

// CommandKind says what the hub asks an agent to do.
type CommandKind string

// The commands.
const (
	CommandPreflight CommandKind = "preflight" // check this host, and the way to its peers, and answer with preflight
	CommandStart     CommandKind = "start"     // start the child
	CommandStop      CommandKind = "stop"      // stop the child, then leave
	CommandKeep      CommandKind = "keep"      // leave this hub, keep the child, and wait for the next hub
	CommandWatch     CommandKind = "watch"     // the benchmark begins: watch peers and progress
	CommandReach     CommandKind = "reach"     // try whether the hosts of roles answer, and say so with reached
	CommandCheck     CommandKind = "check"     // ask the own service and every peer once, and answer with checked
)

// CommandKinds lists every kind of command.
func CommandKinds() []CommandKind {
	return []CommandKind{
		CommandPreflight, CommandStart, CommandStop, CommandKeep, CommandWatch, CommandReach, CommandCheck,
	}
}

// Command is what the hub asks an agent to do.
type Command struct {
	Kind CommandKind `json:"kind"`
	// Peers come with preflight, start, watch and reach: addresses of roles, by role.
	Peers map[string]string `json:"peers,omitempty"`
	// Measurement comes with start, for BENCHMARK: how many measurements the same servers have served before.
	Measurement int `json:"measurement,omitempty"`
	// Host comes with preflight: check the host too, not only the way to its peers.
	Host bool `json:"host,omitempty"`
	// Reason comes with stop and keep.
	Reason string `json:"reason,omitempty"`
	// Finished comes with stop: the work is done, nothing failed.
	Finished bool `json:"finished,omitempty"`
	// Code comes with stop: what the agent is to end with; 0: what fits the rest.
	Code int `json:"code,omitempty"`
}

// Meaning is what the scheduler's own messages say about the end of a step.
type Meaning string

// The meanings.
const (
	Unexplained Meaning = ""
	OutOfMemory Meaning = "out_of_memory"
	OutOfTime   Meaning = "out_of_time"
	NodeFailed  Meaning = "node_failed"
	Preempted   Meaning = "preempted"
	Asked       Meaning = "asked"      // somebody asked its tasks to end before they reached the hub
	HubSilent   Meaning = "hub_silent" // its agents heard nothing from the hub
	Transient   Meaning = "transient"  // the step could not be started, and may be if it is tried again
)

// Meanings lists every meaning.
func Meanings() []Meaning {
	return []Meaning{Unexplained, OutOfMemory, OutOfTime, NodeFailed, Preempted, Asked, HubSilent, Transient}
}

// GaveUp tells whether a line is one with which an agent, or the runtime of its language, says why it gives up.
func GaveUp(line string) bool {
	for _, begin := range []string{
		"disagg-agent ", "disagg-agent: ", "fatal error: ", "panic: ",
		"runtime: may need ", // "to increase max user processes (ulimit -u)", before a fatal error that does not tell
	} {
		if strings.HasPrefix(line, begin) {
			return true
		}
	}
	return false
}

// StoppedEarly is what an agent prints that a signal stops before it has reached the hub: nobody else could tell why
// its step has ended.
const StoppedEarly = "a signal stopped it before it reached the hub"

// Installing is how an agent begins to tell that it runs the install command of its node.
const Installing = "installing on "

// InstallEnded is how an agent begins to tell that the install command has failed: on which node, with which code, and
// what it said last.
const InstallEnded = "cannot install: it ended on "

// NoSignOfLife is how an agent begins to tell that it has given the hub up.
const NoSignOfLife = "no sign of life from the hub"

// Diagnosis is what the scheduler says about a step.
type Diagnosis struct {
	Meaning Meaning `json:"meaning,omitempty"`
	Line    string  `json:"line,omitempty"` // the line that says so, else the first error; "" if it says nothing
	// Vague says that the line tells of an error, and not of which.
	Vague bool `json:"vague,omitempty"`
}

// StepReport is what the program that started a role's step knows of it, and no agent can say.
type StepReport struct {
	Role  roles.Role `json:"role"`
	RunID string     `json:"run_id"` // names the attempt
	// Ended says that the step is over, and its last try with it. Otherwise the report only brings the diagnosis.
	Ended bool `json:"ended,omitempty"`
	// Code is what the step ended with.
	Code int `json:"code,omitempty"`
	// Ranks are those that ended with Code although their step goes on.
	Ranks []int `json:"ranks,omitempty"`
	// Detail says in one line what happened.
	Detail    string    `json:"detail,omitempty"`
	Diagnosis Diagnosis `json:"diagnosis,omitzero"`
	// JobEnds is when the job's time is over, as the scheduler has it; with BENCHMARK's step only.
	JobEnds time.Time `json:"job_ends,omitzero"`
	// Cancel says that the job is to end, and why; with BENCHMARK's step only.
	Cancel string `json:"cancel,omitempty"`
}
