package launch

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/disagg/disagg/pkg/decide/watch"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report/gather"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
)

// Watch watches a submitted job to its end.
type Watch struct {
	Plan plan.Plan
	Job  scheduler.Job
	// Scheduler is asked for the job; nil: there is none, roles are started by hand, and the run directory alone tells.
	Scheduler scheduler.Submitter
	// Say is called with short lines for people, OnEntry with every entry of the journal, OnVerdict as soon as the
	// verdict is there, after all entries, with the attempt that it is of ("": its run directory does not answer). All
	// are called from Run's goroutine.
	Say       func(string)
	OnEntry   func(protocol.Entry)
	OnVerdict func(protocol.Result, rundir.Attempt)
	// OnState is called with state.json whenever it has changed, after the entries that came before; OnQueue with what
	// the scheduler says; OnSecond each second. All are called from Run's goroutine; nil: nobody.
	OnState  func(protocol.State)
	OnQueue  func(protocol.JobState)
	OnSecond func()
	// GoesOn says that the job has more to run after this: the watch ends with the verdict.
	GoesOn bool
	// Stays says that servers which are kept end with the person who watches: the watch goes on after their verdict, to
	// those of other measurements. Otherwise it ends with the verdict.
	Stays bool
	// AskBound is how long one question to the scheduler may take; 0: a standard one.
	AskBound time.Duration
}

func (w Watch) dir() rundir.Dir { return rundir.Dir(w.Plan.RunDir) }

// Outcome is how a watched job ended.
type Outcome struct {
	Result *protocol.Result  // nil: it left no verdict
	End    protocol.JobState // as its scheduler tells, as far as that is known
}

// How often the run directory is looked at, and how long one question to the scheduler may take.
const (
	lookEvery = 100 * time.Millisecond
	askBound  = 20 * time.Second
)

// seen is what is new in the run directory.
type seen struct {
	attempt rundir.Attempt
	entries []protocol.Entry
	state   *protocol.State // nil: it has not changed
	verdict *protocol.Result
	again   bool // an attempt after the one that had the verdict has begun
	damaged bool // there is a verdict that cannot be read
}

// Run watches until the job has ended and its verdict is there, or nothing more is to be expected. The end of the
// context ends the watch, and nothing else; the error is its cause then.
func (w Watch) Run(ctx context.Context) (Outcome, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	seed := fnv.New64a()
	_, _ = seed.Write([]byte(w.Job.Name + w.Job.ID))
	job := "job " + w.Job.ID
	if w.Scheduler == nil {
		job = "the run"
	}
	m := watch.New(job, seed.Sum64(), time.Now())
	inputs, news := make(chan watch.Input), make(chan seen)
	go w.look(ctx, news)
	var out Outcome
	newest := 0 // of the attempts that were seen
	kept := false
	timer := time.NewTimer(0)
	defer timer.Stop()
	second, end := w.seconds()
	defer end()
	step := func(in watch.Input) {
		for _, e := range m.Step(in, time.Now()) {
			w.perform(ctx, e, inputs)
		}
	}
	for {
		if end, over := m.Over(); over {
			out.End = end
			return w.conclude(ctx, out), nil
		}
		timer.Reset(idle(m.Deadline()))
		select {
		case <-ctx.Done():
			if m.Ended() {
				out.End, _ = m.Over()
			}
			return out, context.Cause(ctx)
		case s := <-news:
			newest = max(newest, s.attempt.Number())
			if s.again {
				out.Result = nil
				step(watch.NewAttempt{})
			}
			if len(s.entries) > 0 {
				step(watch.Began{})
			}
			if s.damaged {
				step(watch.Unreadable{})
			}
			for _, e := range s.entries {
				w.OnEntry(e)
			}
			if s.state != nil && w.OnState != nil {
				w.OnState(*s.state)
			}
			if s.verdict != nil {
				out.Result = s.verdict
				w.OnVerdict(*s.verdict, s.attempt)
				if kept = s.verdict.Kept; w.GoesOn || kept && !w.Stays {
					return out, nil
				}
				if !kept {
					step(watch.Verdict{})
				}
			}
		case in := <-inputs:
			if q, ok := in.(watch.Queue); ok && kept && q.State.Phase == protocol.JobEnded {
				step(watch.Verdict{}) // it was for the servers that the job went on
			}
			in = w.sift(in, newest)
			if q, ok := in.(watch.Queue); ok && q.Err == nil && w.OnQueue != nil {
				w.OnQueue(q.State)
			}
			step(in)
		case <-second:
			w.OnSecond()
		case <-timer.C:
			step(watch.Tick{})
		}
	}
}

// seconds tells each second, if anybody wants to know.
func (w Watch) seconds() (<-chan time.Time, func()) {
	if w.OnSecond == nil {
		return nil, func() {}
	}
	tick := time.NewTicker(time.Second)
	return tick.C, tick.Stop
}

// idle is how long there is nothing to do, should nothing happen.
func idle(until time.Time) time.Duration {
	if until.IsZero() {
		return time.Hour
	}
	return max(time.Until(until), 0)
}

// perform asks the scheduler in a goroutine of its own, with a bound.
func (w Watch) perform(ctx context.Context, e watch.Effect, inputs chan<- watch.Input) {
	bound := w.AskBound
	if bound == 0 {
		bound = askBound
	}
	ask := func(do func(context.Context) watch.Input) {
		go func() {
			bounded, cancel := context.WithTimeout(ctx, bound)
			defer cancel()
			in := do(bounded)
			select {
			case inputs <- in:
			case <-ctx.Done():
			}
		}()
	}
	switch e := e.(type) {
	case watch.Say:
		w.Say(e.Text)
	case watch.AskQueue:
		ask(func(ctx context.Context) watch.Input {
			s, err := w.state(ctx)
			return watch.Queue{State: s, Err: err}
		})
	case watch.AskOutput:
		ask(func(context.Context) watch.Input {
			return watch.Output{NoAgent: rundir.SaysNoAgent(w.dir(), w.Plan.Agent) || rundir.SaysLost(w.dir())}
		})
	case watch.AskHistory:
		ask(func(ctx context.Context) watch.Input {
			s, err := w.Scheduler.History(ctx, w.Job)
			return watch.History{State: s, Err: err}
		})
	}
}

// state is the queue's answer. What is started by hand goes on until there is a verdict.
func (w Watch) state(ctx context.Context) (protocol.JobState, error) {
	if w.Scheduler == nil {
		return protocol.JobState{Phase: protocol.JobRunning, Word: "its roles are started by hand"}, nil
	}
	return w.Scheduler.State(ctx, w.Job)
}

// look looks at the run directory in a goroutine of its own: it may not answer.
func (w Watch) look(ctx context.Context, news chan<- seen) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	journal := rundir.Follow(w.dir())
	var last, judged, damaged rundir.Attempt // the one that was seen, whose verdict was, and was no good; "": none
	for ctx.Err() == nil {
		attempt := rundir.Current(w.dir())
		now := seen{attempt: attempt}
		// The verdict is written after the journal's last entry: in this order all entries come first.
		if attempt != judged && rundir.HasResult(attempt) {
			switch r, err := rundir.ReadResult(attempt); {
			case err == nil:
				now.verdict = &r
			case attempt != damaged:
				now.damaged, damaged = true, attempt
			}
		}
		_, now.entries = journal.Read()
		if s, changed := journal.ReadState(); changed {
			now.state = &s
		}
		now.again = judged != "" && attempt != judged || damaged != "" && attempt != damaged
		if now.again {
			judged, damaged = "", ""
		}
		if now.verdict != nil {
			judged = attempt
		}
		if attempt != last || now.again || now.damaged || now.verdict != nil || now.state != nil ||
			len(now.entries) > 0 {
			last = attempt
			select {
			case news <- now:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// sift drops a note that is no verdict of the newest attempt: a job's comment may be anybody's, and outlives a requeue.
func (w Watch) sift(in watch.Input, newest int) watch.Input {
	own := func(s protocol.JobState) protocol.JobState {
		note, err := protocol.ParseNote(s.Note)
		if n, ours := w.Plan.AttemptOf(note.RunID); err != nil || !ours || n < newest {
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

// conclude finds the verdict of a job whose hub could not write it: it was left with the scheduler.
func (w Watch) conclude(ctx context.Context, out Outcome) Outcome {
	note, err := protocol.ParseNote(out.End.Note)
	if out.Result != nil || err != nil {
		return out
	}
	r := note.Result()
	r.JobID, r.Case, r.TestID = w.Job.ID, w.Plan.Case.Name, w.Plan.Case.TestID
	out.Result = &r
	w.OnVerdict(r, "")
	type done struct {
		in  rundir.Attempt
		err error
	}
	kept := make(chan done, 1)
	go func() { a := rundir.Current(w.dir()); kept <- done{a, keep(w.Plan, a, r)} }()
	select {
	case now := <-kept:
		if now.err != nil {
			w.Say(fmt.Sprintf("the verdict was left with the scheduler, and cannot be kept: %v", now.err))
		} else {
			w.Say(fmt.Sprintf("the run directory answers again, and has the verdict: %s", now.in))
		}
	case <-time.After(keepBound):
		w.Say("the verdict was left with the scheduler; the run directory still does not answer")
	case <-ctx.Done():
	}
	return out
}

// keep writes a verdict that was left with the scheduler into the run directory, with the points that were recorded.
func keep(p plan.Plan, a rundir.Attempt, r protocol.Result) error {
	for _, rec := range a.RecordStore().All() {
		r.Add(rec.Point)
	}
	return gather.Keep(p, a, r)
}

// keepBound is how long keeping a verdict that was left with the scheduler may take: who waits for the exit code waits
// as long for a run directory that does not answer.
const keepBound = 10 * time.Second
