package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/disagg/disagg/pkg/atomicfile"
	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

// Entry is one line of events.ndjson.
type Entry struct {
	Schema  int            `json:"schema"` // 1
	Seq     int            `json:"seq"`    // from 1, without gaps
	At      time.Time      `json:"at"`
	Kind    string         `json:"kind"` // attached, lost, bye, phase, point, verdict, upload, or a control event
	Role    *roles.Role    `json:"role,omitempty"`
	Rank    int            `json:"rank,omitempty"`
	Host    string         `json:"host,omitempty"`
	Phase   Phase          `json:"phase,omitempty"`
	Address string         `json:"address,omitempty"`
	Detail  string         `json:"detail,omitempty"`
	Point   *results.Point `json:"point,omitempty"`
}

// State is state.json: the hub's view now.
type State struct {
	Schema int             `json:"schema"` // 1
	At     time.Time       `json:"at"`
	Phase  Phase           `json:"phase"`
	Cause  *results.Cause  `json:"first_cause,omitempty"`
	Roles  []RoleState     `json:"roles"`
	Points []results.Point `json:"points"`
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
}

// journal writes events.ndjson and state.json. A fault of the disk must not stop a decision, so the first one is kept
// and told at the end.
type journal struct {
	attempt   roles.Attempt
	events    *os.File
	seq       int
	phase     Phase
	lastState time.Time
	dirty     bool // state.json may be out of date
	fault     error
}

func openJournal(a roles.Attempt) (*journal, error) {
	f, err := os.OpenFile(a.Events(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot open journal: %w", err)
	}
	return &journal{attempt: a, events: f}, nil
}

func (jr *journal) write(e Entry) {
	jr.seq++
	e.Schema, e.Seq = 1, jr.seq
	if e.At.IsZero() {
		e.At = time.Now()
	}
	e.At = e.At.UTC()
	data, err := json.Marshal(e)
	if err == nil {
		_, err = jr.events.Write(append(data, '\n'))
	}
	jr.note(err)
}

func (jr *journal) note(err error) {
	if jr.fault == nil {
		jr.fault = err
	}
}

func (jr *journal) heard(in control.Inbound) {
	e := Entry{Role: &in.Task.Role, Rank: in.Task.Rank}
	switch {
	case in.Hello != nil:
		e.Kind, e.Host = "attached", in.Hello.Node
	case in.Bye:
		e.Kind = "bye"
	case in.NoStep != "":
		e.Kind, e.Detail = "step_failed", in.NoStep
	case in.Lost != "":
		e.Kind, e.Detail = "lost", in.Lost
	case in.Event != nil && in.Event.Survey != nil:
		e.Kind, e.At = "preflight", in.Event.At
		for _, f := range in.Event.Survey.Findings {
			e.Detail += fmt.Sprintf("%s: %s. ", f.Check, f.Detail)
		}
	case in.Event != nil:
		e.Kind, e.At, e.Address, e.Detail = string(in.Event.Kind), in.Event.At, in.Event.Address, in.Event.Detail
		if o := in.Event.Outcome; o != nil && e.Detail == "" {
			e.Detail = "stopped: " + o.StopReason
			if o.StopReason == "" {
				_, e.Detail = describe(&task{Task: in.Task}, *o)
			}
		}
	}
	jr.write(e)
}

func (jr *journal) point(pt results.Point, err error) {
	e := Entry{Kind: "point", Point: &pt, Detail: pt.Invalid}
	if err != nil {
		e.Detail = err.Error()
	}
	jr.write(e)
}

func (jr *journal) verdict(r results.Result) {
	e := Entry{Kind: "verdict", Detail: string(r.Verdict)}
	if r.FirstCause != nil {
		e.Detail += ": " + r.FirstCause.String()
	}
	jr.write(e)
}

func (jr *journal) upload(r results.UploadReport) {
	e := Entry{Kind: "upload", Detail: fmt.Sprintf("%d sent, %d pending", r.Sent, r.Pending)}
	if r.Error != "" {
		e.Detail += ": " + r.Error
	}
	jr.write(e)
}

// stateEvery bounds how often state.json is replaced while a phase lasts.
const stateEvery = 500 * time.Millisecond

// state keeps events.ndjson and state.json up with the job, after something may have changed it. It returns how long it
// may be left alone: what changes right after the file was written is written later, with what else changed meanwhile.
func (jr *journal) state(j *job, changed bool) time.Duration {
	now := time.Now()
	jr.dirty = jr.dirty || changed
	if jr.phase != j.phase {
		jr.write(Entry{Kind: "phase", Phase: j.phase, At: now})
	} else if !jr.dirty {
		return idle
	} else if wait := stateEvery - now.Sub(jr.lastState); wait > 0 {
		return wait
	}
	jr.phase, jr.lastState, jr.dirty = j.phase, now, false
	data, err := json.MarshalIndent(j.view(now), "", "  ")
	if err == nil {
		// It is a view for as long as the hub lives; what must survive is in events.ndjson and result.json.
		err = atomicfile.Show(jr.attempt.State(), append(data, '\n'), 0o644)
	}
	jr.note(err)
	return idle
}

func (j *job) view(now time.Time) State {
	s := State{Schema: 1, At: now.UTC(), Phase: j.phase, Cause: j.firstCause(), Points: append([]results.Point{}, j.points...)}
	for _, pl := range j.plan.Layout.Placements {
		lead := j.leader(pl.Role)
		rs := RoleState{Role: pl.Role, Ranks: pl.Ranks, Ready: lead.ready, Address: lead.address, Unready: lead.unready}
		for _, t := range pl.Tasks() {
			tk := j.tasks[t]
			for n, is := range map[*int]bool{&rs.Attached: tk.hello != nil, &rs.Started: tk.started, &rs.Exited: tk.exited, &rs.Gone: tk.gone} {
				if is {
					*n++
				}
			}
		}
		s.Roles = append(s.Roles, rs)
	}
	return s
}

func (jr *journal) close() error {
	return errors.Join(jr.fault, jr.events.Sync(), jr.events.Close())
}
