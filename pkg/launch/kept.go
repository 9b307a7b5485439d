package launch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/disagg/disagg/pkg/batch"
	"github.com/disagg/disagg/pkg/hub"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
)

// Bench measures again on the servers that a run has kept.
type Bench struct {
	Plan     plan.Plan            // of that run
	Uploader string               // path of disagg-submit
	Say      func(string)         // gets short lines for people
	OnEntry  func(protocol.Entry) // gets every entry of the journal; not at the same time as Say
}

// keptServers are those of a run that can be measured now.
type keptServers struct {
	in     scheduler.Starter
	last   rundir.Attempt // of their session, as far as the run knows
	next   int            // attempt of the run
	jobID  string
	called string // as people know them
}

// Run begins another attempt of the run, and sees its benchmark through. It returns the attempt, and the benchmark's
// exit code.
func (b Bench) Run(ctx context.Context) (a rundir.Attempt, code int, err error) {
	servers, err := b.servers(ctx)
	if err != nil {
		return "", 0, err
	}
	a = rundir.Dir(b.Plan.RunDir).Attempt(servers.next)
	code, err = b.measure(ctx, b.Plan, a, servers)
	return a, code, err
}

// RunVariant makes the run of a variant of the kept run (see [Bench.Variant]) on its servers, and sees it through.
func (b Bench) RunVariant(ctx context.Context, job Job) (a rundir.Attempt, code int, err error) {
	servers, err := b.servers(ctx)
	if err != nil {
		return "", 0, err
	}
	if err := job.Prepare(); err != nil {
		return "", 0, err
	}
	a = rundir.Dir(job.Plan.RunDir).Attempt(0)
	code, err = b.measure(ctx, job.Plan, a, servers)
	return a, code, err
}

// servers finds the servers that run, which nobody must be measuring.
func (b Bench) servers(ctx context.Context) (k keptServers, err error) {
	s, err := SchedulerNamed(b.Plan.Launcher)
	if err != nil {
		return k, err
	}
	dir := rundir.Dir(b.Plan.RunDir)
	k.in, k.next, k.last = s, firstOpen(dir), rundir.Current(dir)
	if k.next == 0 {
		return k, fmt.Errorf("cannot measure again: the run in %s has no verdict yet: wait for it, or cancel it", dir)
	}
	before, err := rundir.ReadResult(dir.Attempt(k.next - 1))
	if err != nil {
		return k, err
	}
	k.jobID = before.JobID
	if e, ok := s.(scheduler.Enterable); ok {
		k.in = e.Within(k.jobID)
	}
	if measuring(ctx, k.in, k.last) {
		return k, fmt.Errorf("cannot measure again: the servers of %s are being measured: wait for that", dir)
	}
	alive, unknown := Alive(ctx, k.in, k.last)
	if len(alive) == 0 {
		return k, fmt.Errorf("cannot measure again: no server of the run in %s is running: start them by hand, or "+
			"with disagg-submit run --keep", dir)
	}
	if k.called = names(alive); unknown != nil {
		b.Say(unknown.Error())
	} else if gone := absent(b.Plan, alive); len(gone) > 0 {
		b.Say(fmt.Sprintf("%s %s not run: the measurement waits until somebody starts %s", names(gone),
			plural(len(gone), "does", "do"), plural(len(gone), "it", "them")))
	}
	err = settle(ctx, k.in, hub.Orphan{Plan: b.Plan, JobID: k.jobID, Uploader: b.Uploader})
	k.next = firstOpen(dir)
	return k, err
}

// absent are the servers of a plan that are not among those that run.
func absent(p plan.Plan, alive []roles.Role) (list []roles.Role) {
	for _, pl := range p.Layout.Placements {
		if pl.Role != roles.Hub().Role && !slices.Contains(alive, pl.Role) {
			list = append(list, pl.Role)
		}
	}
	return list
}

// measure begins an attempt on the servers, and sees its benchmark through.
func (b Bench) measure(ctx context.Context, p plan.Plan, a rundir.Attempt, on keptServers) (code int, err error) {
	if err := rundir.Continue(a, on.last); err != nil {
		return 0, err
	}
	b.Say(fmt.Sprintf("measuring again on %s, in %s", on.called, a))
	defer following(a, b.OnEntry)()
	return batch.Run(ctx, batch.Options{
		Plan: p, Attempt: a.Number(), JobID: on.jobID, Starter: on.in, Roles: []roles.Role{roles.Hub().Role},
		Uploader: b.Uploader,
	})
}

// measuring tells whether a benchmark runs in an attempt's session.
func measuring(ctx context.Context, s scheduler.Starter, a rundir.Attempt) bool {
	for _, p := range rundir.PublishedIn(a) {
		if p.Task == roles.Hub() && p.Hub != "" && p.Step != "" { // and has not withdrawn
			runs, err := s.StepRuns(ctx, p.Step)
			return runs || err != nil
		}
	}
	return false
}

// following hands on what happens in an attempt, from a goroutine of its own, until the result is called. That waits
// for what is left.
func following(a rundir.Attempt, onEntry func(protocol.Entry)) (end func()) {
	ended, followed := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(followed)
		journal := rundir.FollowAttempt(a)
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for over := false; !over; {
			select {
			case <-tick.C:
			case <-ended:
				over = true
			}
			for _, e := range journal.Read() {
				onEntry(e)
			}
		}
	}()
	return func() { close(ended); <-followed }
}

// requestBound is how long whoever has started a role may take until it takes a request for it.
const requestBound = 5 * time.Second

// Restart asks whoever has started a role of a run to restart it, and waits until that has been taken.
func Restart(ctx context.Context, p plan.Plan, r roles.Role) error {
	switch _, ok := p.Layout.Find(r); {
	case !ok:
		return fmt.Errorf("cannot restart %s: the case has no such role: it has %s", r, roleNames(p.Layout))
	case r == roles.Hub().Role:
		return fmt.Errorf("cannot restart %s, which measures: disagg-submit bench %s does that again", r, p.RunDir)
	case p.Policy.Keep == "":
		return fmt.Errorf("cannot restart %s: the run in %s keeps no servers", r, p.RunDir)
	}
	a := rundir.Current(rundir.Dir(p.RunDir))
	if err := rundir.Request(a, r); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, requestBound)
	defer cancel()
	for rundir.Requested(a, r) {
		select {
		case <-ctx.Done():
			rundir.TakeRequests(a, []roles.Role{r})
			return fmt.Errorf("cannot restart %s: whoever started it is gone: start it in a terminal of the "+
				"allocation: disagg-agent --role %s --config CASE", r, r)
		case <-time.After(lookEvery):
		}
	}
	return nil
}

// Stop asks everything that runs of a run's session to stop, and tells of how many steps that was.
func Stop(ctx context.Context, p plan.Plan) (stopped int, err error) {
	s, err := SchedulerNamed(p.Launcher)
	if err != nil {
		return 0, err
	}
	var errs []error
	asked := map[string]bool{"": true}
	for _, one := range rundir.PublishedIn(rundir.Current(rundir.Dir(p.RunDir))) {
		if asked[one.Step] {
			continue
		}
		asked[one.Step] = true
		runs, err := s.StepRuns(ctx, one.Step)
		if err == nil && runs {
			stopped++
			err = s.StopStep(ctx, one.Step)
		}
		errs = append(errs, err)
	}
	return stopped, errors.Join(errs...)
}
