package hub

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/decide"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/preflight"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// Options is what a hub works on.
type Options struct {
	Plan    plan.Plan
	Attempt rundir.Attempt
	RunID   string
	JobID   string       // the scheduler's, "" elsewhere
	Times   decide.Times // what happened before the hub began
	JobEnds time.Time    // when the scheduler will end the job; zero if unknown
	Results string       // pattern of the benchmark's result files
	// Uploader is the path of disagg-submit, which sends what is pending; "": nobody does.
	Uploader string
	// Run runs a helper and returns its standard output and its exit code. The agent's supervisor does it: it collects
	// every process that it does not know.
	Run    func(ctx context.Context, argv, env []string) (stdout []byte, code int, err error)
	Server *control.Server
	Disk   *rundir.Disk
	// DiskEvents reports that the run directory does not answer the hub, and that it answers again.
	DiskEvents <-chan protocol.Event
	// DiskPatience is how long, once the job is over, a run directory that does not answer may hold the nodes;
	// 0: defaultPatience.
	DiskPatience time.Duration
	Log          *zap.Logger
}

// Hub runs one attempt.
type Hub struct {
	opts    Options
	machine *decide.Machine
	journal *journal
	records rundir.RecordStore

	answers chan decide.Input   // of what takes a while
	follow  chan protocol.Point // points as they are complete; closed when the follower has read everything
	cancel  context.CancelFunc  // ends the follower
	points  []protocol.Point    // of all measurements
	spans   []span              // of the points, at the same places
	since   time.Time           // the end of the last point, or the begin of the present measurement
	steps   *stepLogs           // nil: no benchmark has begun, or nobody generates
	gpus    gpuUse              // empty until the end, or if nobody samples
	begun   time.Time
	number  int          // of the present measurement, from 0
	unsaved atomic.Int32 // points whose records could not be saved
	hasty   bool         // a verdict was to be written before the job is over
	early   atomic.Bool  // it was written, and was the first
}

// New prepares a hub. The attempt's folder must exist.
func New(opts Options) *Hub {
	now := time.Now()
	opts.JobEnds = Anchored(opts.JobEnds)
	if opts.DiskPatience == 0 {
		opts.DiskPatience = defaultPatience
	}
	h := &Hub{
		opts: opts, begun: now, machine: decide.New(opts.Plan, decide.Options{JobEnds: opts.JobEnds}, now),
		records: opts.Attempt.RecordStore(), answers: make(chan decide.Input, 2*opts.Plan.Layout.Tasks()+1),
	}
	h.journal = newJournal(opts.Disk, opts.Attempt)
	return h
}

// Anchored is a time that somebody else's clock tells, or that an environment brings, such that setting this host's
// clock from now on moves it no more. Zero stays zero.
func Anchored(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	now := time.Now()
	return now.Add(t.Sub(now))
}

// Run decides until the job is over and nothing is left of any role, then uploads what was measured and writes the
// verdict. The end of the context is a request to cancel, its cause the reason. The second result tells whether the
// verdict is in the run directory.
func (h *Hub) Run(ctx context.Context) (protocol.Result, bool) {
	cancelled := ctx.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for !h.machine.Over() {
		timer.Reset(h.idle())
		select {
		case in := <-h.opts.Server.Inbound():
			h.received(in)
		case in := <-h.answers:
			h.step(in)
		case pt, more := <-h.follow:
			h.point(pt, more)
		case e := <-h.opts.DiskEvents:
			h.diskEvent(e)
		case <-timer.C:
			h.step(decide.Tick{})
		case <-cancelled:
			cancelled = nil
			over := errors.Is(context.Cause(ctx), ErrBatchEnded)
			h.step(decide.Cancel{Detail: context.Cause(ctx).Error(), All: over})
			if over {
				h.writeBeforehand()
			}
		}
		h.journal.state(h.machine)
	}
	return h.conclude()
}

// View is what state.json shows; nil before it was first written. It may be called from anywhere.
func (h *Hub) View() *protocol.State { return h.journal.view() }

// ErrBatchEnded is a reason to cancel after which nobody waits for the hub: the scheduler ends what is left of the job,
// within milliseconds or seconds.
var ErrBatchEnded = errors.New("the batch script has ended: the scheduler ends what is left of the job")

// mostIdle is how long the hub sleeps when nothing has a bound.
const mostIdle = time.Minute

// idle is how long the hub may sleep: until the next deadline, or until state.json is to be written.
func (h *Hub) idle() time.Duration {
	now := time.Now()
	wait := mostIdle
	if d := h.machine.Deadline(now); !d.IsZero() {
		wait = min(wait, max(d.Sub(now), 0))
	}
	return min(wait, h.journal.due(now))
}

// step hands an input to the judgement and performs what it decides.
func (h *Hub) step(in decide.Input) {
	for _, e := range h.machine.Step(in, time.Now()) {
		h.perform(e)
	}
}

func (h *Hub) perform(e decide.Effect) {
	switch e := e.(type) {
	case decide.Send:
		h.opts.Server.Send(e.Task, e.Command)
	case decide.Drop:
		h.opts.Server.Drop(e.Task)
		h.journal.write(protocol.Entry{
			Kind: protocol.EntryLost, Role: &e.Task.Role, Rank: e.Task.Rank, Host: h.machine.Host(e.Task),
			Detail: e.Why,
		})
	case decide.LookFor:
		go h.lookFor(e.Task)
	case decide.TryHosts:
		go h.tryHosts(e.Peers)
	case decide.Follow:
		h.startFollowing(e.Measurement)
	case decide.Judge:
		go h.judgeEarly()
	case decide.Again:
		h.journal.again(e)
	case decide.EndFollow:
		h.stopFollowing()
	case decide.NeverCame:
		h.journal.write(protocol.Entry{
			Kind: protocol.EntryStepFailed, Role: &e.Task.Role, Rank: e.Task.Rank, Detail: e.Detail,
		})
	case decide.Found:
		h.journal.preflight(e.Preflight)
	}
}

// received takes in what an agent, or the starter of a step, says: the decision comes before the journal.
func (h *Hub) received(in control.Inbound) {
	switch {
	case in.Hello != nil:
		h.step(decide.Attached{Task: in.Task, Hello: *in.Hello})
	case in.Event != nil:
		if p := in.Event.Progress; p != nil && !p.Output.IsZero() { // the age of an output is the same by each clock
			p.Output = time.Now().Add(-max(in.Event.At.Sub(p.Output), 0)).UTC()
		}
		h.step(decide.Reported{Task: in.Task, Event: *in.Event})
	case in.Alive:
		h.step(decide.Alive{Task: in.Task, Sent: in.Sent})
	case in.Broke:
		h.step(decide.Broke{Task: in.Task, Fault: in.Fault, GaveUp: in.GaveUp})
	case in.Back:
		h.step(decide.Back{Task: in.Task})
	case in.Bye:
		h.step(decide.Bye{Task: in.Task})
	case in.Step != nil:
		report := *in.Step
		report.JobEnds = Anchored(report.JobEnds)
		h.step(decide.Step{Report: report})
	}
	h.journal.received(in, h.machine.Host(in.Task))
}

// diskEvent takes in that the run directory does not answer this host, or answers again.
func (h *Hub) diskEvent(e protocol.Event) {
	h.step(decide.Disk{Stuck: e.Kind == protocol.EventDiskStuck, What: e.Detail})
	hub := roles.Hub()
	if e.Kind == protocol.EventDiskBack {
		h.journal.dropped()
	}
	h.journal.write(protocol.Entry{
		Kind: protocol.EntryKind(e.Kind), Role: &hub.Role, Host: h.machine.Host(hub), Detail: e.Detail, At: e.At,
	})
	h.opts.Log.Warn(string(e.Kind), zap.String("detail", e.Detail))
}

// seenBound is how long a shared file system may take to show what another host wrote.
const (
	seenBound = time.Second
	seenPause = 50 * time.Millisecond
)

// tryHosts tries whether the hosts of roles answer.
func (h *Hub) tryHosts(addresses map[string]string) {
	h.answers <- decide.Reported{Task: roles.Hub(), Event: preflight.Reached(context.Background(), addresses)}
}

// lookFor finds out whether what an agent wrote to the run directory is seen here.
func (h *Hub) lookFor(t roles.Task) {
	file := h.opts.Attempt.Agent(t)
	begun := time.Now()
	for {
		_, err := os.Stat(file)
		if err == nil || time.Since(begun) > seenBound {
			h.answers <- decide.Visible{Task: t, OK: err == nil}
			return
		}
		time.Sleep(seenPause)
	}
}
