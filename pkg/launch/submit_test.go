package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/pkg/scheduler/fake"
	"github.com/disagg/disagg/pkg/scheduler/local"
	"github.com/disagg/disagg/pkg/scheduler/slurm"
	"github.com/disagg/disagg/test/check"
)

// prepared is a job whose run directory is there, and its scheduler.
func prepared(t *testing.T) (Job, *fake.Scheduler) {
	t.Helper()
	r := request(t)
	job, err := r.Make(t.Context())
	if err == nil {
		err = job.Prepare()
	}
	if err != nil {
		t.Fatal(err)
	}
	return job, r.Scheduler.(*fake.Scheduler)
}

// A prepared run directory holds the plan, the batch script and the case as it was found. It holds one run for good.
func TestPrepare(t *testing.T) {
	job, _ := prepared(t)
	d := rundir.Dir(job.Plan.RunDir)
	if p, err := rundir.ReadPlan(d.Plan()); err != nil || p.ID != job.Plan.ID {
		t.Errorf("%+v, %v", p.ID, err)
	}
	script, err := os.ReadFile(d.Script())
	if want := fmt.Sprintf("# %s\n", job.Plan.JobName()); err != nil || string(script) != want {
		t.Errorf("%q, %v", script, err)
	}
	if data, err := os.ReadFile(job.Plan.Case.File); err != nil || string(data) != string(job.Kept) {
		t.Errorf("%q, %v", data, err)
	}
	if err := job.Prepare(); !errors.Is(err, rundir.ErrOccupied) {
		t.Errorf("%v", err)
	}
}

// noScript is a scheduler that cannot render a batch script.
type noScript struct{ *fake.Scheduler }

func (noScript) Script(plan.Plan) (string, error) { return "", errors.New("cannot render script") }

// A preparation that fails leaves nothing behind.
func TestPrepareFails(t *testing.T) {
	r := request(t)
	r.RunDir = filepath.Join(t.TempDir(), "runs", "run")
	job, err := r.Make(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	job.Scheduler = noScript{&fake.Scheduler{}}
	fails(t, job.Prepare(), "cannot render script")
	if _, err := os.Lstat(filepath.Dir(r.RunDir)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something is left: %v", err)
	}
}

// A plan of which there can be no batch script is refused when it is made: nothing was submitted before it.
func TestMakeWithoutScript(t *testing.T) {
	r := request(t)
	r.Scheduler = noScript{&fake.Scheduler{}}
	_, err := r.Make(t.Context())
	fails(t, err, "cannot render script")
}

// A submitted job is noted with everything that names it.
func TestSubmit(t *testing.T) {
	job, _ := prepared(t)
	got, err := job.Submit(t.Context())
	if got != theJob || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	s, err := rundir.ReadSubmission(rundir.Dir(job.Plan.RunDir))
	if err != nil || s.JobID != "7" || s.Cluster != "east" || s.Name != theJob.Name || s.At.IsZero() {
		t.Errorf("%+v, %v", s, err)
	}
}

// A job whose submission cannot be noted runs all the same: its id is not lost.
func TestSubmissionCannotBeNoted(t *testing.T) {
	job, _ := prepared(t)
	if err := os.Mkdir(rundir.Dir(job.Plan.RunDir).Submission(), 0o755); err != nil {
		t.Fatal(err)
	}
	got, err := job.Submit(t.Context())
	if got != theJob {
		t.Errorf("%+v", got)
	}
	fails(t, err, "cannot note the submission")
}

// A submission that fails leaves no note; what is known of the job is passed on.
func TestSubmitFails(t *testing.T) {
	job, f := prepared(t)
	f.SubmitErr, f.SubmitJob = scheduler.ErrUnavailable, scheduler.Job{Name: "n"}
	got, err := job.Submit(t.Context())
	if got.Name != "n" || !errors.Is(err, scheduler.ErrUnavailable) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := rundir.ReadSubmission(rundir.Dir(job.Plan.RunDir)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a note: %v", err)
	}
}

// busyFor is a scheduler that is busy so many times.
type busyFor struct {
	*fake.Scheduler
	times, asked int
}

func (b *busyFor) Submit(ctx context.Context, p plan.Plan) (scheduler.Job, error) {
	if b.asked++; b.asked <= b.times {
		return scheduler.Job{}, fmt.Errorf("%w: %w", scheduler.ErrUnavailable, scheduler.ErrBusy)
	}
	return b.Scheduler.Submit(ctx, p)
}

// A scheduler that takes no jobs for now is asked again, a few times; a person can end the waiting.
func TestBusyScheduler(t *testing.T) {
	for times, want := range map[int]int{0: 1, 2: 3, 100: 7} {
		job, f := prepared(t)
		b := &busyFor{Scheduler: f, times: times}
		told := 0
		job.Scheduler, job.BusyPause, job.OnBusy = b, time.Millisecond, func(error, time.Duration) { told++ }
		got, err := job.Submit(t.Context())
		if b.asked != want || told != want-1 || (err == nil) != (times < 7) || (got.ID != "") != (err == nil) {
			t.Errorf("busy %d times: asked %d times, told %d times, %+v, %v", times, b.asked, told, got, err)
		}
	}
	job, f := prepared(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	job.Scheduler, job.BusyPause = &busyFor{Scheduler: f, times: 1}, time.Hour
	job.OnBusy = func(error, time.Duration) { cancel(errors.New("interrupted")) }
	_, err := job.Submit(ctx)
	if !errors.Is(err, scheduler.ErrUnavailable) || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("%v", err)
	}
}

// Every scheduler is found by its name, and without Slurm's commands a job runs on this machine.
func TestSchedulers(t *testing.T) {
	for _, s := range Schedulers() {
		if got, err := SchedulerNamed(s.Name()); err != nil || got.Name() != s.Name() {
			t.Errorf("%s: %v, %v", s.Name(), got, err)
		}
	}
	_, err := SchedulerNamed("pbs")
	fails(t, err, `unknown launcher "pbs": want slurm, local, allocation`)
	t.Setenv("PATH", t.TempDir())
	if got := DefaultScheduler(); got != local.Name {
		t.Error(got)
	}
	pretend(t, "sbatch", "exit 1")
	if got := DefaultScheduler(); got != slurm.Name {
		t.Error(got)
	}
}

// pretend puts a command into the way.
func pretend(t *testing.T, name, script string) {
	t.Helper()
	dir := t.TempDir()
	check.Script(t, filepath.Join(dir, name), "#!/bin/sh\n"+script+"\n")
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}
