package main

import (
	"context"
	"errors"

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
	w.progress.Say("run directory %s", job.Plan.RunDir)
	job.OnBusy = w.sayBusy
	w.plan = job.Plan
	takeHistory(ctx, w.plan, w.progress.Say)
	if w.job, err = job.Submit(ctx); w.job.ID == "" {
		if errors.Is(err, scheduler.ErrUnavailable) {
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
			return launch.Outcome{}, err
		}
		out, err := w.follow(ctx)
		host, broken := launch.Infrastructure(out)
		if err != nil || !broken || try > retries {
			return out, err
		}
		var exclude []string
		without := ""
		if host != "" {
			exclude, without = []string{host}, " without "+host
		}
		w.progress.Say("it ended because of a machine: trying again%s, %d of %d", without, try, retries)
		if job, err = job.Again(ctx, try, exclude); err == nil {
			err = job.Prepare()
		}
		if err != nil {
			w.progress.Say("cannot try again: %v", err)
			return out, nil
		}
		w.progress.Restart(job.Plan.Layout)
	}
}
