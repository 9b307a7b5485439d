package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/disagg/disagg/pkg/plan"
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
	if len(differences) == 0 {
		return open(first, last, len(alive) > 0)
	}
	if len(alive) == 0 {
		b.Say(fmt.Sprintf("this is another plan than that of %s (%s), and none of its servers runs: planned anew in %s",
			dir, some(differences), next))
		return b.make(ctx, next, "")
	}
	if ofMeasurement(differences) {
		if b.Role != roles.Hub().Role { // it is a server
			return open(first, last, true)
		}
		b.Say(fmt.Sprintf("another measurement (%s) on the servers of %s: planned in %s", some(differences), dir, next))
		return b.make(ctx, next, last)
	}
	run := plural(len(alive), "runs", "run")
	err = fmt.Errorf("cannot start %s: %s, and %s of the run in %s %s: stop what runs first, or give another --run-dir",
		b.Role, some(differences), names(alive), dir, run)
	return place{}, errors.Join(err, unknown)
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
func open(p plan.Plan, last rundir.Attempt, alive bool) (place, error) {
	at := place{p, firstOpen(rundir.Dir(p.RunDir))}
	if a := rundir.Dir(p.RunDir).Attempt(at.attempt); a != last && alive {
		return at, rundir.Continue(a, last)
	}
	return at, nil
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
