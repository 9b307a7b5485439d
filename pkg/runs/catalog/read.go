package catalog

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/runs"
	"github.com/disagg/disagg/pkg/scheduler"
)

// Reader reads what is known of runs.
type Reader struct {
	// Scheduler finds the scheduler of a plan, by its name; see [launch.SchedulerNamed].
	Scheduler func(name string) (scheduler.Scheduler, error)
}

// askBound is how long asking for one job may take, and atOnce how many runs are read at a time.
const (
	askBound = 20 * time.Second
	atOnce   = 8
)

// AttemptOf is the newest attempt of a run directory, or the attempt whose folder is named.
func AttemptOf(dir string) rundir.Attempt {
	if a := rundir.Attempt(filepath.Clean(dir)); a.Number() >= 0 {
		return a
	}
	return rundir.Current(rundir.Dir(dir))
}

// Read reads a run directory, or one attempt of it, and asks its scheduler if there is no verdict, or if servers were
// kept. Of a run that was started by hand there is no job: its steps are asked for.
func (r Reader) Read(ctx context.Context, dir string) (runs.Facts, error) {
	a := AttemptOf(dir)
	p, err := rundir.ReadPlan(a.Dir().Plan())
	if err != nil {
		return runs.Facts{}, err
	}
	f := runs.Facts{Dir: string(a.Dir()), Plan: p, Records: a.RecordStore().All()}
	if s, err := rundir.ReadSubmission(a.Dir()); err == nil {
		f.Submission = &s
	}
	if h, err := rundir.ReadState(a); err == nil {
		f.Hub = &h
	}
	err = readResult(a, &f)
	if err != nil {
		return f, err
	}
	if f.Submission == nil {
		return f, r.askSteps(ctx, a, &f)
	}
	if f.Result != nil && !f.Result.Kept {
		return f, nil
	}
	r.ask(ctx, &f)
	if f.Result != nil {
		return f, nil
	}
	if f.Job.Phase == protocol.JobEnded { // it may have been about to leave its verdict
		if err := readResult(a, &f); err != nil || f.Result != nil {
			return f, err
		}
		f.Lost = launch.NoVerdict(a.Dir(), f.Job).Error()
	}
	return f, nil
}

func readResult(a rundir.Attempt, f *runs.Facts) error {
	res, err := rundir.ReadResult(a)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		f.Result = &res
	}
	return err
}

// askSteps asks for the servers of a run that was started by hand and, if its hub has begun and left no verdict, for
// the benchmark. Servers that were started in another run are that one's.
func (r Reader) askSteps(ctx context.Context, a rundir.Attempt, f *runs.Facts) error {
	if !f.Plan.Policy.Interactive || a.Home().Dir() != a.Dir() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askBound)
	defer cancel()
	s, err := r.Scheduler(f.Plan.Launcher)
	if err == nil {
		f.Serving, err = launch.Alive(ctx, s, a)
	}
	if err != nil {
		f.Fault = err.Error()
		return nil
	}
	if f.Result != nil || f.Hub == nil || launch.MayMeasure(ctx, s, a) {
		return nil
	}
	f.Lost = "its benchmark has ended, and so has the terminal in which it was started: start BENCHMARK again"
	return readResult(a, f) // that may just have been left
}

// ask asks the scheduler of a run for its job.
func (r Reader) ask(ctx context.Context, f *runs.Facts) {
	ctx, cancel := context.WithTimeout(ctx, askBound)
	defer cancel()
	s, err := r.Scheduler(f.Plan.Launcher)
	if err == nil {
		f.Job, err = launch.Ask(ctx, s, launch.JobOf(*f.Submission))
	}
	if err != nil {
		f.Job, f.Fault = protocol.JobState{}, err.Error()
	} else if f.Job.Phase == protocol.JobUnknown {
		f.Fault = "its scheduler does not tell"
	}
}

// Summaries reads runs, in their order. A run that cannot be read is told so.
func (r Reader) Summaries(ctx context.Context, known []protocol.KnownRun) []runs.Summary {
	list := make([]runs.Summary, len(known))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i, k := range known {
		group.Go(func() error {
			f, err := r.Read(ctx, k.Dir)
			if list[i] = runs.Summarize(f); err != nil {
				list[i] = runs.Unreadable(k, report.Printable(err.Error()))
			}
			return nil
		})
	}
	_ = group.Wait() // no error
	return list
}
