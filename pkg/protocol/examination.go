package protocol

import (
	"encoding/json"
	"fmt"
	"time"
)

// Examination is what disagg-agent examine has found on its node, before any job runs there: facts, which package
// doctor judges.
type Examination struct {
	Schema  int       `json:"schema"` // 1
	Node    string    `json:"node"`
	At      time.Time `json:"at"` // by the node's clock, when this was printed
	Arch    string    `json:"arch"`
	Version string    `json:"version"` // of the agent
	// NoPlan says why the plan could not be read in the run directory; "" if it was. Without it nothing else is known.
	NoPlan string `json:"no_plan,omitempty"`
	// Contents are what is compared with the submitting host, by what it is of: agent, checkout, model.
	Contents map[string]Content `json:"contents,omitempty"`
	Findings []Finding          `json:"findings,omitempty"` // of the preflight
	Host     HostFacts          `json:"host,omitzero"`
	Fabric   Fabric             `json:"fabric,omitzero"`
	// RDMA says that there are network cards that read and write memory by themselves, PeerMemory that a kernel module
	// lets them do so with the GPUs'.
	RDMA       bool      `json:"rdma,omitempty"`
	PeerMemory bool      `json:"peer_memory,omitempty"`
	Programs   []Program `json:"programs,omitempty"`
	Address    string    `json:"address,omitempty"`    // on which the other nodes were let try the way
	NoAddress  string    `json:"no_address,omitempty"` // why there is none
	// Met lists the nodes whose addresses were found in the run directory, Reach says of each of them why it cannot be
	// reached; "" if it can.
	Met   []string          `json:"met,omitempty"`
	Reach map[string]string `json:"reach,omitempty"`
}

// Content is what is at a path: two hosts that see the same have the same digest.
type Content struct {
	Path   string `json:"path"`
	Digest string `json:"digest,omitempty"`
	Fault  string `json:"fault,omitempty"` // why it could not be read
}

// Fabric is the NVLink fabric that a node's GPUs are part of, as nvidia-smi tells it; empty if it tells nothing.
type Fabric struct {
	State  string `json:"state,omitempty"`  // Completed, or what it waits for
	Domain string `json:"domain,omitempty"` // names the GPUs that reach each other by NVLink
}

// Program is one that a role's command starts, as a trial went.
type Program struct {
	Name  string `json:"name"` // with the module that it is to run, if it is an interpreter: python3 -m pytest
	Role  string `json:"role"` // kind of the first role that needs it
	Path  string `json:"path,omitempty"`
	Fault string `json:"fault,omitempty"` // what went wrong; "": nothing
}

// Visitor is nodes/<node>.json: a node that is examined tells the others where it listens.
type Visitor struct {
	Schema  int    `json:"schema"` // 1
	Node    string `json:"node"`
	Address string `json:"address"`
	Done    bool   `json:"done"` // it has tried the way to the others
}

const (
	// ExaminationMark begins every line of an examination.
	ExaminationMark = "disagg-examine "
	// examinationPiece is how much of an examination stands in a line, in bytes. Schedulers pass on what tasks print in
	// pieces of 1 KiB, and mix those of several tasks: a shorter line arrives as a whole.
	examinationPiece = 700
)

// Lines are the examination as it is printed: every line names the node, and holds a part of it.
func (e Examination) Lines() ([]string, error) {
	data, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("cannot print the examination: %w", err)
	}
	var lines []string
	for len(data) > 0 {
		n := min(len(data), examinationPiece)
		lines = append(lines, fmt.Sprintf("%s%q %s", ExaminationMark, e.Node, data[:n]))
		data = data[n:]
	}
	return lines, nil
}
