package launch

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// A series has a run directory for each part, whose plan is an earlier one's with an identity of its own; the first one
// has the job, which holds the largest part and the time of all.
func TestSeries(t *testing.T) {
	job, f := prepared(t)
	large := job.Plan
	large.Layout.TotalNodes = job.Plan.Layout.TotalNodes + 2
	known := &protocol.Result{Phases: protocol.PhaseTimes{Ready: 100, Benchmark: 40}}
	folder := filepath.Join(t.TempDir(), "series")
	s, err := NewSeries(folder, []Part{
		{Plan: job.Plan, Name: "a", Measurements: 2, Known: known}, {Plan: large, Name: "b"},
	}, 0, f)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Prepare(); err != nil {
		t.Fatal(err)
	}
	got, err := s.Submit(t.Context(), nil)
	if got != theJob || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	dirs := []string{filepath.Join(folder, "01-a"), filepath.Join(folder, "02-b")}
	want := &plan.Series{
		Runs: dirs[1:], Nodes: large.Layout.TotalNodes,
		Time: roles.Duration((100+2*40)*1.5*float64(time.Second)) + roles.Duration(2*time.Minute) + large.Timeouts.Job,
	}
	for i, dir := range dirs {
		p, err := rundir.ReadPlan(rundir.Dir(dir).Plan())
		if err != nil {
			t.Fatal(err)
		}
		sub, err := rundir.ReadSubmission(rundir.Dir(dir))
		if err != nil || sub.JobID != "7" || p.RunDir != dir || p.ID == job.Plan.ID || p.Gate.Mode != plan.GateOff {
			t.Errorf("%s: %+v, %v", dir, sub, err)
		}
		if i == 1 {
			want = nil
		}
		if diff := cmp.Diff(want, p.Series); diff != "" || p.Followed != (i == 0) {
			t.Errorf("followed: %v %s", p.Followed, diff)
		}
	}
	if p := s.Plans()[0]; p.Timeouts.Benchmark != 2*job.Plan.Timeouts.Benchmark || p.Policy.Measurements != 2 {
		t.Errorf("%+v", p.Timeouts)
	}
}

// What cannot be run in one job is refused before anything is written.
func TestSeriesFaults(t *testing.T) {
	job, f := prepared(t)
	for name, tt := range map[string]struct {
		change func(*plan.Plan)
		want   string
	}{
		"by hand":         {func(p *plan.Plan) { p.Policy.Interactive = true }, "roles that are started by hand"},
		"other scheduler": {func(p *plan.Plan) { p.Launcher = "other" }, "one is for fake, the other for other"},
		"other nodes":     {func(p *plan.Plan) { p.Layout.GPUsPerNode++ }, "one is for nodes of 4 GPUs, the other for"},
		"other partition": {
			func(p *plan.Plan) { p.Cluster.Partition = "b" }, `one is for partition "", the other for "b"`,
		},
		"no case": {func(p *plan.Plan) { p.Case.Name = "gone" }, "cannot read the case of b"},
	} {
		other := job.Plan
		tt.change(&other)
		_, err := NewSeries(t.TempDir(), []Part{{Plan: job.Plan, Name: "a"}, {Plan: other, Name: "b"}}, 0, f)
		if err == nil {
			t.Errorf("%s: it was planned", name)
			continue
		}
		fails(t, err, tt.want)
	}
	if _, err := NewSeries(t.TempDir(), nil, 0, f); err == nil {
		t.Error("an empty series was planned")
	}
}

// The time of a part is never longer than its limits, and they are taken where nothing is known.
func TestEstimate(t *testing.T) {
	p := plan.Plan{Timeouts: roles.Timeouts{
		Job: roles.Duration(time.Hour), Benchmark: roles.Duration(30 * time.Minute),
	}}
	slow := &protocol.Result{Phases: protocol.PhaseTimes{Ready: 3000, Benchmark: 3000}}
	for name, tt := range map[string]struct {
		part Part
		want time.Duration
	}{
		"nothing is known":   {Part{Plan: p}, time.Hour},
		"it never measured":  {Part{Plan: p, Known: &protocol.Result{}, Measurements: 2}, 90 * time.Minute},
		"longer than it may": {Part{Plan: p, Known: slow}, time.Hour},
	} {
		if got := tt.part.estimate(); got.Std() != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
