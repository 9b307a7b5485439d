package launch

import (
	"context"
	"fmt"
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

// askBound is how long one question to the scheduler may take.
const askBound = 20 * time.Second

// Run watches until the job has ended and its verdict is there, or nothing more is to be expected. The end of the
// context ends the watch, and nothing else; the error is its cause then.
func (w Watch) Run(ctx context.Context) (Outcome, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := w.begin(ctx)
	news := make(chan seen)
	go w.look(ctx, news)
	timer := time.NewTimer(0)
	defer timer.Stop()
	second, end := w.seconds()
	defer end()
	for {
		if end, over := r.machine.Over(); over {
			r.out.End = end
			return w.conclude(ctx, r.out), nil
		}
		timer.Reset(idle(r.machine.Deadline()))
		select {
		case <-ctx.Done():
			return r.leave(), context.Cause(ctx)
		case s := <-news:
			if r.saw(s) {
				return r.out, nil
			}
		case in := <-r.inputs:
			r.answered(in)
		case <-second:
			w.OnSecond()
		case <-timer.C:
			r.step(watch.Tick{})
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
