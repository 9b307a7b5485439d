package launch

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/pkg/scheduler/local"
	"github.com/disagg/disagg/pkg/scheduler/slurm"
)

// Schedulers lists every scheduler that jobs can be started with. To add one, write a package below pkg/scheduler and
// add it here.
func Schedulers() []scheduler.Scheduler {
	return []scheduler.Scheduler{slurm.Slurm{}, &local.Local{}, slurm.Held{Jobs: &local.Local{}}}
}

// SchedulerNames lists the names of all schedulers.
func SchedulerNames() (names []string) {
	for _, s := range Schedulers() {
		names = append(names, s.Name())
	}
	return names
}

// SchedulerNamed finds a scheduler by its name.
func SchedulerNamed(name string) (scheduler.Scheduler, error) {
	for _, s := range Schedulers() {
		if s.Name() == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("unknown launcher %q: want %s", name, strings.Join(SchedulerNames(), ", "))
}

// TaskVars lists the variables of every scheduler's tasks; see [scheduler.Identifier].
func TaskVars() (patterns, kept []string) {
	for _, s := range Schedulers() {
		p, k := s.TaskVars()
		patterns, kept = append(patterns, p...), append(kept, k...)
	}
	return patterns, kept
}

// DefaultScheduler is Slurm where there is one, else this machine.
func DefaultScheduler() string {
	if _, err := exec.LookPath("sbatch"); err != nil {
		return local.Name
	}
	return slurm.Name
}

// RunScheduler is what runs a case by default: the allocation that this shell is part of, if there is one.
func RunScheduler() string {
	if name := DefaultScheduler(); name != slurm.Name || !slurm.InAllocation() {
		return name
	}
	return slurm.HeldName
}

// Fit makes a request one that fits into the allocation that it is for, and says what that has: its time, unless
// another is asked for. It is "" for a scheduler that makes an allocation for each job.
func (r *Request) Fit(ctx context.Context) (has string, err error) {
	if r.Scheduler == nil || r.Scheduler.Name() != slurm.HeldName {
		return "", nil
	}
	a, err := r.Scheduler.Allocation(ctx)
	if err != nil {
		return "", err
	}
	if r.Timeouts.Job == 0 && !a.Ends.IsZero() {
		r.Timeouts.Job = roles.Duration(time.Until(a.Ends).Round(time.Second))
	}
	r.nodes = a.Nodes
	return fmt.Sprintf("it runs in allocation %s, of %d %s", a.JobID, a.Nodes, plural(a.Nodes, "node", "nodes")), nil
}

// Prepare makes the run directory: the case's copy, the batch script, a junit.xml in which nothing has run yet, and the
// plan. If it fails it leaves nothing behind that was not there.
func (j Job) Prepare() error {
	if j.Scheduler == nil {
		return errNoScheduler
	}
	script, err := j.Scheduler.Script(j.Plan)
	if err != nil {
		return err
	}
	nothing := protocol.Result{RunID: j.Plan.RunID(0)}
	junit, err := report.JUnit(report.Build(report.Input{Plan: j.Plan, Result: nothing}))
	if err != nil {
		return err
	}
	return rundir.Create(j.Plan, rundir.Start{Case: j.Kept, Script: script, JUnit: junit})
}

// How often a scheduler that takes no jobs for now is asked again, and how long after the time before.
const (
	busyTries = 6
	busyPause = 30 * time.Second
)

// submit submits the job, and waits for a scheduler that is busy. The end of the context ends the waiting, never a
// submission that is under way.
func (j Job) submit(ctx context.Context) (scheduler.Job, error) {
	pause := j.BusyPause
	if pause == 0 {
		pause = busyPause
	}
	for try := 0; ; try++ {
		job, err := j.Scheduler.Submit(context.WithoutCancel(ctx), j.Plan)
		if !errors.Is(err, scheduler.ErrBusy) || try == busyTries {
			return job, err
		}
		if j.OnBusy != nil {
			j.OnBusy(err, pause)
		}
		select {
		case <-ctx.Done():
			return job, fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}

// Submit submits the prepared job, and notes it in the run directory. A scheduler that is busy is waited for. After an
// error with a job that has an id the job runs: only the note is missing.
func (j Job) Submit(ctx context.Context) (scheduler.Job, error) {
	if j.Scheduler == nil {
		return scheduler.Job{}, errNoScheduler
	}
	at := time.Now()
	job, err := j.submit(ctx)
	if err != nil {
		return job, err
	}
	return job, rundir.WriteSubmission(rundir.Dir(j.Plan.RunDir), protocol.Submission{
		At: at, JobID: job.ID, Cluster: job.Cluster, Name: job.Name,
	})
}
