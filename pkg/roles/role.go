package roles

import (
	"fmt"
	"strconv"
	"strings"
)

// Kind is what a role does. Its text is upstream's, as it stands in DISAGG_SERVING_TYPE.
type Kind string

// The kinds of role.
const (
	Gen         Kind = "GEN"           // decode worker
	Ctx         Kind = "CTX"           // prefill worker
	Coordinator Kind = "DISAGG_SERVER" // routes requests between prefill and decode
	Benchmark   Kind = "BENCHMARK"     // measures the whole, and decides
)

// Kinds lists every kind in the order in which a job names them.
func Kinds() []Kind { return []Kind{Gen, Ctx, Coordinator, Benchmark} }

// Worker tells whether there can be several servers of this kind, each with nodes and GPUs of its own.
func (k Kind) Worker() bool { return k == Gen || k == Ctx }

// Role names one part of a job: a kind and, for workers, which one.
type Role struct {
	Kind  Kind
	Index int // 0 for the coordinator and the benchmark
}

// maxIndex bounds the number in a role's name.
const maxIndex = 99999

// ParseRole reads a role as DISAGG_SERVING_TYPE carries it.
func ParseRole(s string) (Role, error) {
	if s == string(Coordinator) || s == string(Benchmark) {
		return Role{Kind: Kind(s)}, nil
	}
	kind, number, _ := strings.Cut(s, "_")
	i, err := strconv.Atoi(number)
	r := Role{Kind: Kind(kind), Index: i}
	oneSpelling := r.String() == s // no sign, no zero in front
	if err != nil || !r.Kind.Worker() || i < 0 || i > maxIndex || !oneSpelling {
		return Role{}, fmt.Errorf("unknown role %q: want GEN_<i>, CTX_<i>, DISAGG_SERVER or BENCHMARK", s)
	}
	return r, nil
}

// String is the role as ParseRole reads it.
func (r Role) String() string {
	if !r.Kind.Worker() {
		return string(r.Kind)
	}
	return string(r.Kind) + "_" + strconv.Itoa(r.Index)
}

// MarshalText writes the role as ParseRole reads it.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads the role with ParseRole.
func (r *Role) UnmarshalText(text []byte) (err error) {
	*r, err = ParseRole(string(text))
	return err
}

// LogName is upstream's name for the role's log, without the folder and without ".log".
func (r Role) LogName() string {
	switch r.Kind {
	case Gen, Ctx:
		return fmt.Sprintf("%s_server_%d", strings.ToLower(string(r.Kind)), r.Index)
	default:
		return strings.ToLower(string(r.Kind))
	}
}

// Task names one rank of a role: one process of a Slurm step.
type Task struct {
	Role Role `json:"role"`
	Rank int  `json:"rank"`
}

// String is the form that file names and messages use: GEN_0.3.
func (t Task) String() string { return t.Role.String() + "." + strconv.Itoa(t.Rank) }

// Leader tells whether this is the rank that speaks for its role.
func (t Task) Leader() bool { return t.Rank == 0 }

// Hub is the task that every other agent is attached to.
func Hub() Task { return Task{Role: Role{Kind: Benchmark}} }
