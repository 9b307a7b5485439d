package launch

import (
	"context"
	"hash/fnv"
	"time"

	"github.com/disagg/disagg/pkg/decide/watch"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
)

// watching is a Watch that runs.
type watching struct {
	Watch
	ctx     context.Context
	machine *watch.Machine
	inputs  chan watch.Input // what the scheduler answers
	out     Outcome
	newest  int  // of the attempts that were seen
	kept    bool // there is a verdict, and its servers are kept
}

func (w Watch) begin(ctx context.Context) *watching {
	seed := fnv.New64a()
	_, _ = seed.Write([]byte(w.Job.Name + w.Job.ID))
	job := "job " + w.Job.ID
	if w.Scheduler == nil {
		job = "the run"
	}
	m := watch.New(job, seed.Sum64(), time.Now())
	return &watching{Watch: w, ctx: ctx, machine: m, inputs: make(chan watch.Input)}
}

// leave is what is known when somebody ends the watch.
func (r *watching) leave() Outcome {
	if r.machine.Ended() {
		r.out.End, _ = r.machine.Over()
	}
	return r.out
}

// saw takes in what is new in the run directory, and tells whether that ends the watch.
func (r *watching) saw(s seen) (over bool) {
	r.newest = max(r.newest, s.attempt.Number())
	if s.again {
		r.out.Result = nil
		r.step(watch.NewAttempt{})
	}
	if len(s.entries) > 0 {
		r.step(watch.Began{})
	}
	if s.damaged {
		r.step(watch.Unreadable{})
	}
	for _, e := range s.entries {
		r.OnEntry(e)
	}
	if s.state != nil && r.OnState != nil {
		r.OnState(*s.state)
	}
	if s.verdict == nil {
		return false
	}
	r.out.Result = s.verdict
	r.OnVerdict(*s.verdict, s.attempt)
	r.kept = s.verdict.Kept
	switch {
	case r.GoesOn, r.kept && !r.Stays:
		return true
	case !r.kept:
		r.step(watch.Verdict{})
	}
	return false
}

// answered takes in what the scheduler says.
func (r *watching) answered(in watch.Input) {
	if q, ok := in.(watch.Queue); ok && r.kept && q.State.Phase == protocol.JobEnded {
		r.step(watch.Verdict{}) // it was for the servers that the job went on
	}
	in = r.sift(in)
	if q, ok := in.(watch.Queue); ok && q.Err == nil && r.OnQueue != nil {
		r.OnQueue(q.State)
	}
	r.step(in)
}

// sift drops a note that is no verdict of the newest attempt: a job's comment may be anybody's, and outlives a requeue.
func (r *watching) sift(in watch.Input) watch.Input {
	own := func(s protocol.JobState) protocol.JobState {
		note, err := protocol.ParseNote(s.Note)
		if n, ours := r.Plan.AttemptOf(note.RunID); err != nil || !ours || n < r.newest {
			s.Note = ""
		}
		return s
	}
	switch in := in.(type) {
	case watch.Queue:
		in.State = own(in.State)
		return in
	case watch.History:
		in.State = own(in.State)
		return in
	}
	return in
}

func (r *watching) step(in watch.Input) {
	for _, e := range r.machine.Step(in, time.Now()) {
		r.perform(e)
	}
}

func (r *watching) perform(e watch.Effect) {
	switch e := e.(type) {
	case watch.Say:
		r.Say(e.Text)
	case watch.AskQueue:
		r.ask(func(ctx context.Context) watch.Input {
			s, err := r.state(ctx)
			return watch.Queue{State: s, Err: err}
		})
	case watch.AskOutput:
		r.ask(func(context.Context) watch.Input {
			return watch.Output{NoAgent: rundir.SaysNoAgent(r.dir(), r.Plan.Agent) || rundir.SaysLost(r.dir())}
		})
	case watch.AskHistory:
		r.ask(func(ctx context.Context) watch.Input {
			s, err := r.Scheduler.History(ctx, r.Job)
			return watch.History{State: s, Err: err}
		})
	}
}

// ask puts a question in a goroutine of its own, with a bound.
func (r *watching) ask(question func(context.Context) watch.Input) {
	bound := r.AskBound
	if bound == 0 {
		bound = askBound
	}
	go func() {
		ctx, cancel := context.WithTimeout(r.ctx, bound)
		defer cancel()
		answer := question(ctx)
		select {
		case r.inputs <- answer:
		case <-r.ctx.Done():
		}
	}()
}

// state is the queue's answer. What is started by hand goes on until there is a verdict.
func (r *watching) state(ctx context.Context) (protocol.JobState, error) {
	if r.Scheduler == nil {
		return protocol.JobState{Phase: protocol.JobRunning, Word: "its roles are started by hand"}, nil
	}
	return r.Scheduler.State(ctx, r.Job)
}
