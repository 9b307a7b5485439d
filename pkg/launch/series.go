package launch

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
)

// Part is one run of a series: that of an earlier plan, once more.
type Part struct {
	Plan         plan.Plan
	Name         string // of its folder
	Measurements int    // on the same servers
	// Known is the verdict of an earlier run of the plan, by which its time is estimated; nil: its limit is taken.
	Known *protocol.Result
}

// Series is runs that one job makes one after the other.
type Series struct {
	jobs []Job
}

// NewSeries plans a series in a folder, one run directory a part. All parts must be for the same kind of node. A limit
// of 0 is estimated.
func NewSeries(folder string, parts []Part, limit roles.Duration, s scheduler.Scheduler) (Series, error) {
	if len(parts) == 0 {
		return Series{}, errors.New("cannot plan a series: it has no run")
	}
	folder, err := (Request{RunDir: folder}).runDir("", "")
	if err != nil {
		return Series{}, err
	}
	var series Series
	for i, part := range parts {
		if err := fits(parts[0].Plan, part.Plan); err != nil {
			return Series{}, fmt.Errorf("cannot measure %s and %s in one job: %w", parts[0].Name, part.Name, err)
		}
		j, err := part.job(filepath.Join(folder, fmt.Sprintf("%02d-%s", i+1, part.Name)), s)
		if err != nil {
			return Series{}, err
		}
		series.jobs = append(series.jobs, j)
	}
	series.jobs[0].Plan.Series = series.whole(parts, limit)
	return series, nil
}

// job is the part in a run directory of its own.
func (part Part) job(runDir string, s scheduler.Scheduler) (Job, error) {
	kept, err := rundir.ReadRegular(rundir.Dir(part.Plan.RunDir).Case(part.Plan.Case.Name))
	if err != nil {
		return Job{}, fmt.Errorf("cannot read the case of %s: %w", part.Name, err)
	}
	return Job{Plan: part.renewed(runDir), Kept: kept, Scheduler: s}, nil
}

// whole is what the one job of all parts needs.
func (s Series) whole(parts []Part, limit roles.Duration) *plan.Series {
	whole := plan.Series{Time: limit}
	for i, j := range s.jobs {
		whole.Nodes = max(whole.Nodes, j.Plan.Layout.TotalNodes)
		if limit == 0 {
			whole.Time += parts[i].estimate()
		}
		s.jobs[i].Plan.Followed = i < len(parts)-1
		if i > 0 {
			whole.Runs = append(whole.Runs, j.Plan.RunDir)
		}
	}
	return &whole
}

// fits tells why two plans cannot be run in one job, nil if they can.
func fits(a, b plan.Plan) error {
	switch {
	case a.Policy.Interactive || b.Policy.Interactive:
		return errors.New("roles that are started by hand are no part of a job")
	case a.Launcher != b.Launcher:
		return fmt.Errorf("one is for %s, the other for %s", a.Launcher, b.Launcher)
	case a.Layout.GPUsPerNode != b.Layout.GPUsPerNode:
		return fmt.Errorf("one is for nodes of %d GPUs, the other for nodes of %d", a.Layout.GPUsPerNode,
			b.Layout.GPUsPerNode)
	case a.Cluster.Partition != b.Cluster.Partition:
		return fmt.Errorf("one is for partition %q, the other for %q", a.Cluster.Partition, b.Cluster.Partition)
	}
	return nil
}

// renewed is the part's plan for another run. It is compared with no earlier runs, and its records are sent nowhere:
// they are an experiment's.
func (part Part) renewed(runDir string) plan.Plan {
	p := part.Plan
	p.ID, p.CreatedAt, p.RunDir, p.Series, p.Followed = uuid.NewString(), time.Now().UTC(), runDir, nil, false
	p.Provenance.RunDir = runDir
	p.Gate, p.Upload = plan.Gate{Mode: plan.GateOff}, plan.Upload{Sinks: []plan.Sink{}}
	more := p.Timeouts.Benchmark * roles.Duration(max(part.Measurements, 1)-1)
	p.Timeouts.Benchmark += more
	p.Timeouts.Job += more
	p.Policy.Measurements = part.Measurements
	return p
}

// spare is how much longer a part may take than it did, and reserve what comes on top of that.
const spare, reserve = 1.5, 2 * time.Minute

// estimate is the time that a part may take: by what it took before, at most by its limits.
func (part Part) estimate() roles.Duration {
	most := part.renewed("").Timeouts.Job
	if part.Known == nil || part.Known.Phases.Benchmark == 0 {
		return most
	}
	t := part.Known.Phases
	seconds := t.Install + t.Launch + t.Preflight + t.Ready + t.Stop + t.Benchmark*float64(max(part.Measurements, 1))
	return min(most, roles.Duration(seconds*spare*float64(time.Second))+roles.Duration(reserve))
}

// Plans are the plans of the runs, in their order.
func (s Series) Plans() (list []plan.Plan) {
	for _, j := range s.jobs {
		list = append(list, j.Plan)
	}
	return list
}

// Prepare makes all run directories.
func (s Series) Prepare() error {
	for _, j := range s.jobs {
		if err := j.Prepare(); err != nil {
			return err
		}
	}
	return nil
}

// Submit submits the job, and notes it in every run directory.
func (s Series) Submit(ctx context.Context, onBusy func(error, time.Duration)) (scheduler.Job, error) {
	first := s.jobs[0]
	first.OnBusy = onBusy
	job, err := first.Submit(ctx)
	if job.ID == "" {
		return job, err
	}
	for _, j := range s.jobs[1:] {
		err = errors.Join(err, rundir.WriteSubmission(rundir.Dir(j.Plan.RunDir), protocol.Submission{
			At: time.Now(), JobID: job.ID, Cluster: job.Cluster, Name: job.Name,
		}))
	}
	return job, err
}
