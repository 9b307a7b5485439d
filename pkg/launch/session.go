package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/hub"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
)

// Alive lists the servers of an attempt's session that run. An error means that it cannot be found out of some: those
// are listed too.
func Alive(ctx context.Context, s scheduler.Starter, a rundir.Attempt) (alive []roles.Role, err error) {
	steps, seen := map[string]bool{}, map[roles.Role]bool{}
	var errs []error
	for _, p := range rundir.PublishedIn(a) {
		if p.Task.Role == roles.Hub().Role || p.Step == "" {
			continue
		}
		runs, known := steps[p.Step]
		if !known {
			var err error
			if runs, err = s.StepRuns(ctx, p.Step); err != nil {
				runs, errs = true, append(errs, err)
			}
			steps[p.Step] = runs
		}
		if runs && !seen[p.Task.Role] {
			seen[p.Task.Role] = true
			alive = append(alive, p.Task.Role)
		}
	}
	return alive, errors.Join(errs...)
}

// MayMeasure tells whether the step of the benchmark in an attempt's session runs, or nobody can tell.
func MayMeasure(ctx context.Context, s scheduler.Starter, a rundir.Attempt) bool {
	for _, p := range rundir.PublishedIn(a) {
		if p.Task == roles.Hub() && p.Step != "" {
			runs, err := s.StepRuns(ctx, p.Step)
			return runs || err != nil
		}
	}
	return true
}

// place is where a role that is started by hand belongs.
type place struct {
	plan    plan.Plan
	attempt int
}

// join finds the run that a role which is started by hand belongs to, or makes it: the newest in the run directory that
// was asked for, or in those that were made beside it. It joins that if this request leads to the same plan. If it
// leads to another, a run of its own is made, unless servers run that the other plan started.
func (b ByHand) join(ctx context.Context) (place, error) {
	base, err := b.Request.runDir("", "")
	if err != nil {
		return place{}, err
	}
	for tries := 0; ; tries++ {
		dir, next := newest(base)
		at, err := b.joinOrMake(ctx, dir, next)
		if !errors.Is(err, rundir.ErrOccupied) || tries > 2 {
			return at, err
		}
		// Another shell was faster: its plan is there now.
	}
}

// newest is the newest of the run directories that shells have made in one place, "" if there is none, and the one to
// make next.
func newest(base string) (dir, next string) {
	next = base
	for n := 2; ; n++ {
		if _, err := os.Lstat(rundir.Dir(next).Plan()); err != nil {
			return dir, next
		}
		dir, next = next, fmt.Sprintf("%s-%d", base, n)
	}
}

func (b ByHand) joinOrMake(ctx context.Context, dir, next string) (place, error) {
	if dir == "" {
		return b.make(ctx, next, "")
	}
	first, err := rundir.ReadOwnPlan(rundir.Dir(dir).Plan())
	if err != nil {
		return place{}, err
	}
	differences, err := b.Request.differences(ctx, first)
	if err != nil {
		return place{}, err
	}
	last := rundir.Current(rundir.Dir(dir))
	alive, unknown := Alive(ctx, b.Scheduler, last)
	if len(differences) > 0 && len(alive) > 0 && !ofMeasurement(differences) {
		run := plural(len(alive), "runs", "run")
		err = fmt.Errorf("cannot start %s: %s, and %s of the run in %s %s: stop what runs first, or give another "+
			"--run-dir", b.Role, some(differences), names(alive), dir, run)
		return place{}, errors.Join(err, unknown)
	}
	if err := b.vacant(ctx, last); err != nil {
		return place{}, err
	}
	switch {
	case len(differences) == 0, len(alive) > 0 && b.Role != roles.Hub().Role: // what is measured is nothing to a server
		return b.open(ctx, first, last, len(alive) > 0)
	case len(alive) == 0:
		b.Say(fmt.Sprintf("this is another plan than that of %s (%s), and none of its servers runs: "+
			"planned again in %s", dir, some(differences), next))
		return b.make(ctx, next, "")
	}
	b.Say(fmt.Sprintf("another measurement (%s) on the servers of %s: planned in %s", some(differences), dir, next))
	return b.make(ctx, next, last)
}

// A step that has ended may be known for a moment longer: so long that is waited for, and asked so often.
const (
	vacantBound = 5 * time.Second
	vacantEvery = 500 * time.Millisecond
)

// vacant sees to it that nothing runs of what is to be started: a server that is started twice would take the GPUs of
// the first, which nobody could find any more, and of two benchmarks in one attempt one would show the other's results.
func (b ByHand) vacant(ctx context.Context, last rundir.Attempt) error {
	if !b.starts {
		return nil
	}
	for late := time.After(vacantBound); ; {
		r, step := b.running(ctx, last)
		if step == "" {
			return nil
		}
		select {
		case <-time.After(vacantEvery):
		case <-late:
			return fmt.Errorf("cannot start %s: it runs already, in %s: %s", r, last.Dir(), insteadOf(r, last.Dir()))
		case <-ctx.Done():
			return fmt.Errorf("cannot start %s: %w", r, context.Cause(ctx))
		}
	}
}

// running is the first of the roles to be started that runs in an attempt's session, and its step; "" if none does, as
// far as that can be found out.
func (b ByHand) running(ctx context.Context, last rundir.Attempt) (roles.Role, string) {
	for _, p := range rundir.PublishedIn(last) {
		if p.Step == "" || !b.All && p.Task.Role != b.Role {
			continue
		}
		if runs, err := b.Scheduler.StepRuns(ctx, p.Step); runs && err == nil {
			return p.Task.Role, p.Step
		}
	}
	return roles.Role{}, ""
}

// insteadOf is what to do in place of starting a role that runs.
func insteadOf(r roles.Role, dir rundir.Dir) string {
	if r == roles.Hub().Role {
		return "wait until it is over, or end it in its terminal"
	}
	return fmt.Sprintf("end it in its terminal first, or let that restart it: disagg-submit restart %s %s", dir, r)
}

// make makes a run of its own, on the servers of an attempt; "": on its own.
func (b ByHand) make(ctx context.Context, dir string, servers rundir.Attempt) (place, error) {
	r := b.Request
	r.RunDir = dir
	job, err := r.Make(ctx)
	if err == nil {
		err = job.Prepare()
	}
	if err == nil && servers != "" {
		err = rundir.Continue(rundir.Dir(dir).Attempt(0), servers)
	}
	return place{job.Plan, 0}, err
}

// open is the attempt of a run that is under way, or the next, which begins on the servers of the last if they run.
func (b ByHand) open(ctx context.Context, p plan.Plan, last rundir.Attempt, alive bool) (place, error) {
	if b.starts && b.measures() {
		o := hub.Orphan{Plan: p, JobID: b.jobID, Uploader: b.Uploader}
		if err := settle(ctx, b.Scheduler, o); err != nil {
			return place{}, err
		}
	}
	at := place{p, firstOpen(rundir.Dir(p.RunDir))}
	if a := rundir.Dir(p.RunDir).Attempt(at.attempt); a != last && alive {
		return at, rundir.Continue(a, last)
	}
	return at, nil
}

// settle gives the open attempt of a run its verdict if the hub of it is gone, with the terminal that would have done
// so: what two hubs have seen and measured must not stand in one attempt.
func settle(ctx context.Context, s scheduler.Starter, o hub.Orphan) error {
	n := firstOpen(rundir.Dir(o.Plan.RunDir))
	o.Attempt, o.RunID = rundir.Dir(o.Plan.RunDir).Attempt(n), o.Plan.RunID(n)
	seen, err := rundir.ReadState(o.Attempt)
	if err != nil {
		return nil //nolint:nilerr // no hub was there
	}
	for _, p := range rundir.PublishedIn(o.Attempt) {
		if p.Task.Role != roles.Hub().Role || p.Step == "" {
			continue
		}
		switch runs, err := s.StepRuns(ctx, p.Step); {
		case err != nil:
			return fmt.Errorf("cannot measure again: %w", err)
		case runs:
			return fmt.Errorf("cannot measure again: the servers of %s are being measured: wait for that",
				o.Attempt.Dir())
		}
		o.Begun = p.StartedAt
	}
	return o.Conclude(protocol.Cause{
		Role: roles.Hub().Role, Kind: protocol.HubLost, At: seen.At,
		Detail: "it ended without a verdict, and so did the terminal that had started it",
	})
}

// firstOpen is the attempt that is under way: the first without a verdict.
func firstOpen(d rundir.Dir) int {
	for n := 0; ; n++ {
		if !rundir.HasResult(d.Attempt(n)) {
			return n
		}
	}
}

// differences are those between the plan of the shell that was first and what this request leads to. What is left of
// the allocation's time differs between any two shells, and the grace period may be found out by one and not by the
// other.
func (r Request) differences(ctx context.Context, first plan.Plan) ([]plan.Difference, error) {
	asked := r.Timeouts
	r.RunDir, r.grace, r.Timeouts = first.RunDir, first.Cluster.KillWait, first.Timeouts
	own, err := r.Make(ctx)
	if err != nil {
		return nil, err
	}
	list := plan.Differ(first, own.Plan)
	for _, limit := range []struct {
		path       string
		has, wants roles.Duration
	}{
		{"timeouts.ready", first.Timeouts.Ready, asked.Ready},
		{"timeouts.benchmark", first.Timeouts.Benchmark, asked.Benchmark},
	} {
		if limit.wants > 0 && limit.wants != limit.has {
			list = append(list, plan.Difference{Path: limit.path, A: limit.has.String(), B: limit.wants.String()})
		}
	}
	return Shown(list), nil
}

func ofMeasurement(list []plan.Difference) bool {
	for _, d := range list {
		if !plan.OfMeasurement(d.Path) {
			return false
		}
	}
	return true
}

// mostNamed is how many differences between two plans are named.
const mostNamed = 3

// some names the first differences.
func some(list []plan.Difference) string {
	var parts []string
	for _, d := range list[:min(len(list), mostNamed)] {
		parts = append(parts, d.String())
	}
	text := strings.Join(parts, "; ")
	if more := len(list) - mostNamed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func names(list []roles.Role) string {
	var texts []string
	for _, r := range list {
		texts = append(texts, r.String())
	}
	return strings.Join(texts, ", ")
}

func plural(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}
