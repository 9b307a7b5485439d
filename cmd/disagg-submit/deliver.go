package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/upload"
)

// deliver sends what a run's job left to be sent, once: to the sinks that only this side can reach, and to those that
// the job could not reach.
func deliver(ctx context.Context, p plan.Plan, attempts []rundir.Attempt) protocol.UploadReport {
	var urls []string
	for _, s := range p.Upload.Sinks {
		urls = append(urls, s.URL)
	}
	return sinks().DrainRun(ctx, attempts, urls, 0)
}

// Leftovers are looked for in so many of the last runs, for so long.
const (
	leftoverRuns = 50
	leftoverTime = 5 * time.Second
)

// deliverLeftovers sends what earlier runs of this user left to be sent. It tells how many records were sent, and what
// could not be looked at. The run itself is left out.
func deliverLeftovers(ctx context.Context, index rundir.Index, without string) (sent int, err error) {
	ctx, cancel := context.WithTimeout(ctx, leftoverTime)
	defer cancel()
	runs, err := index.Runs()
	if err != nil {
		return 0, err
	}
	var faults []string
	for _, run := range runs[:min(len(runs), leftoverRuns)] {
		if run.Dir == without || ctx.Err() != nil {
			continue
		}
		p, err := rundir.ReadOwnPlan(rundir.Dir(run.Dir).Plan())
		if err != nil {
			continue // it is gone, or being made
		}
		_, attempts, err := upload.Attempts(run.Dir)
		if err != nil {
			continue
		}
		r := deliver(ctx, p, withVerdict(attempts))
		if sent += r.Sent; r.Error != "" {
			faults = append(faults, run.Dir+": "+r.Error)
		}
	}
	if len(faults) > 0 {
		err = errors.New(strings.Join(faults, "; ")) // it is said in one line
	}
	return sent, err
}

// withVerdict are the attempts that are over.
func withVerdict(attempts []rundir.Attempt) (over []rundir.Attempt) {
	for _, a := range attempts {
		if rundir.HasResult(a) {
			over = append(over, a)
		}
	}
	return over
}

// remember adds the submitted job to the list of this user's runs. That it cannot be is not worth failing for.
func (w *watcher) remember() {
	data, err := upload.DataDir()
	if err != nil {
		return
	}
	run := protocol.KnownRun{
		At: time.Now().UTC(), ID: w.plan.ID, Dir: w.plan.RunDir, Case: w.plan.Case.Name, Job: w.job.ID,
	}
	if err := rundir.IndexIn(data).Add(run); err != nil {
		w.progress.Say("%v", err)
		return
	}
	w.listed = true
}

// tidy sends what earlier runs of this user left to be sent.
func (w *watcher) tidy() {
	data, err := upload.DataDir()
	if err != nil {
		return
	}
	ctx, stop := command.UntilSignal(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	sent, err := deliverLeftovers(ctx, rundir.IndexIn(data), w.plan.RunDir)
	if sent > 0 {
		fmt.Fprintf(w.out, "records: %d of earlier runs were sent, too\n", sent)
	}
	if err != nil {
		fmt.Fprintf(w.out, "records: of earlier runs, some are still to be sent: %s\n", report.Printable(err.Error()))
	}
	w.tellLeftovers()
}
