package launch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/disagg/disagg/pkg/batch"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
)

// Bench measures again on the servers that a run has kept.
type Bench struct {
	Plan     plan.Plan
	Uploader string               // path of disagg-submit
	Say      func(string)         // gets short lines for people
	OnEntry  func(protocol.Entry) // gets every entry of the journal; not at the same time as Say
}

// Run begins another attempt of the run, and sees its benchmark through. It returns the attempt, and the benchmark's
// exit code.
func (b Bench) Run(ctx context.Context) (a rundir.Attempt, code int, err error) {
	s, err := SchedulerNamed(b.Plan.Launcher)
	if err != nil {
		return "", 0, err
	}
	dir := rundir.Dir(b.Plan.RunDir)
	n, last := firstOpen(dir), rundir.Current(dir)
	if n == 0 {
		return "", 0, fmt.Errorf("cannot measure again: the run in %s has no verdict yet: wait for it, or cancel it",
			dir)
	}
	before, err := rundir.ReadResult(dir.Attempt(n - 1))
	if err != nil {
		return "", 0, err
	}
	if e, ok := s.(scheduler.Enterable); ok {
		s = e.Within(before.JobID)
	}
	if measuring(ctx, s, last) {
		return "", 0, fmt.Errorf("cannot measure again: the servers of %s are being measured: wait for that", dir)
	}
	alive, unknown := Alive(ctx, s, last)
	if len(alive) == 0 {
		return "", 0, fmt.Errorf("cannot measure again: no server of the run in %s runs: they are kept by hand, and "+
			"by disagg-submit run --keep", dir)
	}
	if unknown != nil {
		b.Say(unknown.Error())
	}
	a = dir.Attempt(n)
	if err := rundir.Continue(a, last); err != nil {
		return a, 0, err
	}
	b.Say(fmt.Sprintf("measuring again on %s, in %s", names(alive), a))
	defer following(a, b.OnEntry)()
	code, err = batch.Run(ctx, batch.Options{
		Plan: b.Plan, Attempt: n, JobID: before.JobID, Starter: s, Roles: []roles.Role{roles.Hub().Role},
		Uploader: b.Uploader,
	})
	return a, code, err
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

// Restart asks whoever has started a role of a run to start it anew, and waits until that has been taken.
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
