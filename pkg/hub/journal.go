package hub

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/decide"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// journal keeps events.ndjson and state.json up with the job. It never waits: what the run directory does not take in
// time is counted.
type journal struct {
	disk      *rundir.Disk
	attempt   rundir.Attempt
	events    *rundir.Appender
	begun     time.Time
	seq       int
	reported  int // how many entries that did not arrive were reported
	phase     protocol.Phase
	cause     *protocol.Cause // that state.json tells
	lastState time.Time
	dirty     bool                     // state.json may be out of date
	moved     bool                     // it is out of date in how far children are, and may be so for a while
	told      map[roles.Role]time.Time // when an entry told last how far a role is
	shown     atomic.Pointer[[]byte]   // state.json as it was last written; nil: it was not
}

func newJournal(d *rundir.Disk, a rundir.Attempt) *journal {
	return &journal{
		disk: d, attempt: a, events: d.Append(a.Events()), told: map[roles.Role]time.Time{}, begun: time.Now(),
	}
}

// now is the time by a clock that nobody sets, as those of the judgement are: all that is told of a job has an order.
func (j *journal) now() time.Time { return j.begun.Add(time.Since(j.begun)) }

func (j *journal) write(e protocol.Entry) {
	j.seq++
	e.Schema, e.Seq = 1, j.seq
	if e.At.IsZero() {
		e.At = j.now()
	}
	e.At = e.At.UTC()
	data, err := json.Marshal(e)
	if err != nil { // it has nothing that does not encode
		return
	}
	_, _ = j.events.Write(append(data, '\n'))
	j.dirty = true
}

// received notes what came from outside.
func (j *journal) received(in control.Inbound, host string) {
	e := protocol.Entry{Role: &in.Task.Role, Rank: in.Task.Rank, Host: host}
	switch {
	case in.Hello != nil:
		e.Kind = protocol.EntryAttached
	case in.Bye:
		e.Kind = protocol.EntryBye
	case in.Step != nil: // the end of a step is news only if its agents never came
		if e.Kind, e.Detail = protocol.EntryStep, in.Step.Diagnosis.Line; e.Detail == "" || in.Step.Ended {
			return
		}
	case in.Event != nil:
		e.Kind, e.Address, e.Detail = protocol.EntryKind(in.Event.Kind), in.Event.Address,
			eventDetail(in.Task, *in.Event)
		if e.Progress = in.Event.Progress; in.Event.Kind == protocol.EventProgress && !j.tells(in.Task.Role) {
			return
		}
	default:
		return // signs of life
	}
	j.write(e)
}

// progressEvery bounds how often an entry tells how far a role is.
const progressEvery = time.Minute

// tells decides whether an entry is to tell how far a role is. state.json does so all the same.
func (j *journal) tells(r roles.Role) bool {
	j.moved = true
	now := time.Now()
	if last := j.told[r]; !last.IsZero() && now.Sub(last) < progressEvery {
		return false
	}
	j.told[r] = now
	return true
}

func eventDetail(t roles.Task, e protocol.Event) string {
	if e.Findings != nil {
		text := ""
		for _, f := range e.Findings.Findings {
			text += fmt.Sprintf("%s: %s. ", f.Check, f.Detail)
		}
		return text
	}
	if o := e.Outcome; o != nil && e.Detail == "" {
		if o.StopReason != "" {
			return protocol.StoppedDetail + o.StopReason
		}
		if o.Clean() { // whether that was too early is the judgement's
			return "exited with code 0"
		}
		_, text := decide.Describe(t, *o)
		return text
	}
	return e.Detail
}

func (j *journal) point(pt protocol.Point) {
	j.write(protocol.Entry{Kind: protocol.EntryPoint, Point: &pt, Detail: pt.Invalid})
}

func (j *journal) again(a decide.Again) {
	j.write(protocol.Entry{
		Kind: protocol.EntryAgain, Detail: fmt.Sprintf("measurement %d of %d, on the same servers", a.Number+1, a.Of),
	})
}

func (j *journal) verdict(r protocol.Result) {
	e := protocol.Entry{Kind: protocol.EntryVerdict, Detail: string(r.Verdict)}
	if r.FirstCause != nil {
		e.Detail += "; first cause: " + r.FirstCause.String()
	}
	j.write(e)
}

func (j *journal) upload(r protocol.UploadReport) {
	e := protocol.Entry{Kind: protocol.EntryUpload, Detail: fmt.Sprintf("%d sent, %d pending", r.Sent, r.Pending)}
	if local := r.LocalPending(); local > 0 {
		e.Detail = fmt.Sprintf("%d sent, %d pending, %d left to disagg-submit", r.Sent, r.Pending-local, local)
	}
	if r.Error != "" {
		e.Detail += ": " + r.Error
	}
	j.write(e)
}

func (j *journal) preflight(p protocol.Preflight) {
	data, err := json.MarshalIndent(p, "", "  ")
	if err == nil {
		j.disk.Replace(j.attempt.Preflight(), append(data, '\n'), true, nil)
	}
}

// stateEvery bounds how often state.json is replaced while a phase lasts, movedEvery how often if children have only
// gone on with what they do.
const (
	stateEvery = 500 * time.Millisecond
	movedEvery = 2 * time.Second
)

// due is how long state.json may be left alone: what changes right after it was written is written later, with what
// else changed meanwhile.
func (j *journal) due(now time.Time) time.Duration {
	switch {
	case j.dirty:
		return max(stateEvery-now.Sub(j.lastState), 0)
	case j.moved:
		return max(movedEvery-now.Sub(j.lastState), 0)
	}
	return mostIdle
}

// state notes a new phase, and writes state.json if it is due. A phase and a cause are told at once: they are what is
// left if the hub is killed.
func (j *journal) state(m *decide.Machine) {
	now := j.now()
	if phase := m.Phase(); phase != j.phase {
		j.phase = phase
		j.write(protocol.Entry{Kind: protocol.EntryPhase, Phase: phase, At: now})
	} else if m.Cause() == j.cause && j.due(now) > 0 {
		return
	}
	j.lastState, j.dirty, j.moved, j.cause = now, false, false, m.Cause()
	data, err := json.MarshalIndent(m.View(now), "", "  ")
	if err == nil {
		j.shown.Store(&data)
		// It is a view for as long as the hub lives; what must survive is in events.ndjson and result.json.
		j.disk.Replace(j.attempt.State(), append(data, '\n'), false, nil)
	}
}

// view is what state.json shows; nil before it was first written. It may be called from any goroutine.
func (j *journal) view() *protocol.State {
	data := j.shown.Load()
	if data == nil {
		return nil
	}
	var s protocol.State
	if err := json.Unmarshal(*data, &s); err != nil { // it was encoded here
		return nil
	}
	return &s
}

// dropped reports entries that did not arrive, and why, in the journal itself: their numbers are missing there.
func (j *journal) dropped() {
	n, why := j.events.Lost()
	if n == j.reported {
		return
	}
	j.write(protocol.Entry{
		Kind: protocol.EntryDropped, Detail: fmt.Sprintf("%d entries could not be written: %v", n-j.reported, why),
	})
	j.reported = n
}

// close completes the journal.
func (j *journal) close() {
	j.dropped()
	_ = j.events.Sync()
	_ = j.events.Close()
}
