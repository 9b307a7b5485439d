package main

import (
	"context"
	"errors"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/scheduler"
)

// submissionError says that a job was not submitted, or that nobody knows whether it was.
type submissionError struct {
	code int
	err  error
}

// Error implements error.
func (e *submissionError) Error() string { return e.err.Error() }

// submit submits a prepared job. A job with an id runs, whatever else went wrong.
func (w *watcher) submit(ctx context.Context, job launch.Job) (err error) {
	w.progress.Say("run directory %s", command.ShortPath(job.Plan.RunDir))
	job.OnBusy = w.sayBusy
	w.plan = job.Plan
	takeHistory(ctx, w.plan, w.progress.Say)
	if ctx.Err() != nil {
		w.progress.Say("nothing was submitted; what was prepared stays in %s", command.ShortPath(job.Plan.RunDir))
		return &submissionError{protocol.ExitCancelled, context.Cause(ctx)}
	}
	if w.job, err = job.Submit(ctx); w.job.ID == "" {
		if errors.Is(err, scheduler.ErrUnavailable) {
			w.progress.Say("nothing was submitted; what was prepared stays in %s", command.ShortPath(job.Plan.RunDir))
			return &submissionError{protocol.ExitUnavailable, err}
		}
		return &submissionError{protocol.ExitPending, err}
	}
	w.progress.Say("job %s is submitted", w.job.ID)
	w.remember()
	if err != nil {
		w.progress.Say("%v: the job runs all the same", err)
	}
	_, w.tied = w.scheduler.(scheduler.Tied)
	return nil
}

// tries submits a prepared job and follows it to its end, and once more, up to so many times, if it ended because of a
// machine: then without the node that failed.
func (w *watcher) tries(ctx context.Context, job launch.Job, retries int) (launch.Outcome, error) {
	for try := 1; ; try++ {
		if err := w.submit(ctx, job); err != nil {
			w.tellNotSubmitted(err)
			return launch.Outcome{}, err
		}
		out, err := w.follow(ctx)
		next, again := job, false
		if err == nil && try <= retries {
			next, again = w.another(ctx, job, out, try, retries)
		}
		w.tell(out, err, !again)
		if !again {
			return out, err
		}
		job = next
		w.progress.Restart(job.Plan.Layout)
	}
}

// another prepares a job that takes the place of one that ended because of a machine; ok is false if this one did not,
// or if there can be no other.
func (w *watcher) another(ctx context.Context, job launch.Job, out launch.Outcome, try, retries int,
) (next launch.Job, ok bool) {
	host, broken := launch.Infrastructure(out)
	if !broken {
		return job, false
	}
	var exclude []string
	without := ""
	if host != "" {
		exclude, without = []string{host}, " without "+host
	}
	w.progress.Say("it ended because of a machine: trying again%s, %d of %d", without, try, retries)
	next, err := job.Again(ctx, try, exclude)
	if err == nil {
		err = next.Prepare()
	}
	if err != nil {
		w.progress.Say("cannot try again: %v", err)
	}
	return next, err == nil
}
