package dispatch

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/testlist"
)

// Runner makes the runs that were planned.
type Runner struct {
	Parallel    int // how many jobs there are at a time; 0: one
	StopOnError bool
	// Start submits a planned run and watches its job to its end. The entry gets its run directory and job id, its
	// verdict if there is one, and why there is none.
	Start func(ctx context.Context, e *Entry)
	// Done is called with each run that has ended, in the order of their ends. Calls do not overlap.
	Done func(Entry)
}

// Run runs what is planned, and returns when all of it has ended, or when the context has.
func (r Runner) Run(ctx context.Context, entries []Entry) {
	var group errgroup.Group
	group.SetLimit(max(r.Parallel, 1))
	ended := make(chan Entry)
	told := make(chan struct{})
	go func() {
		defer close(told)
		for e := range ended {
			r.Done(e)
		}
	}()
	var failed atomic.Bool
	for i := range entries {
		if entries[i].Status != Planned {
			continue
		}
		group.Go(func() error {
			e := &entries[i]
			if ctx.Err() != nil || r.StopOnError && failed.Load() {
				e.Status, e.Detail = NotRun, "another failed before"
				if ctx.Err() != nil {
					e.Detail = "it was interrupted"
				}
				return nil
			}
			begun := time.Now()
			r.Start(ctx, e)
			e.Took = time.Since(begun)
			e.judge(ctx)
			if e.Fails(false) {
				failed.Store(true)
			}
			ended <- *e
			return nil
		})
	}
	_ = group.Wait() // nobody returns an error
	close(ended)
	<-told
}

// judge decides what became of a test that was started.
func (e *Entry) judge(ctx context.Context) {
	switch {
	case e.Status == Submitted:
		return
	case e.Result != nil && e.Result.Verdict == protocol.Passed:
		e.Status, e.Detail = Passed, ""
		return
	case e.Result != nil && e.Result.FirstCause != nil:
		e.Detail = e.Result.FirstCause.String()
	case e.Result == nil && ctx.Err() != nil && e.JobID != "":
		e.Status = Watching
		return
	}
	e.Status = Failed
	if m := e.Test.Marker; m == testlist.XFail || m == testlist.Unstable {
		e.Status = Excused
		e.Detail = string(m) + ": " + e.Detail
	}
}

// Watched is how a watched job ended, for the entry of its test.
func (e *Entry) Watched(out launch.Outcome, err error) {
	e.Result = out.Result
	if e.Result == nil && err != nil {
		e.Detail = err.Error()
	}
}
