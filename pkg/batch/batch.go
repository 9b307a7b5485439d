package batch

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/disagg/disagg/pkg/decide/steps"
	"github.com/disagg/disagg/pkg/hub"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/pkg/supervisor"
)

// Options is what is to be started.
type Options struct {
	Plan    plan.Plan
	Attempt int
	JobID   string
	Starter scheduler.Starter
	// Roles are those whose steps are started by hand; nil: all of the plan, BENCHMARK first.
	Roles []roles.Role
	// Begun is when the batch script began; zero: now.
	Begun time.Time
	// Uploader is the path of disagg-submit, which sends what is pending, should the hub leave no verdict.
	Uploader string
	// Out gets what the roles print, for the terminal of the person who started them; nil: nobody. Of several roles
	// each line begins with the role's name.
	Out io.Writer
	// Wrap are words that are put before the roles' commands, such as a debugger, as a shell would read them.
	Wrap string
	// OnVerdict is called once the verdict of BENCHMARK's attempt has been looked after, from Run's goroutine; nil:
	// nobody is.
	OnVerdict func(rundir.Attempt)
	// Say is called with short lines for people, from any goroutine; nil: nobody.
	Say func(string)
}

// batch is one run of all steps.
type batch struct {
	opts    Options
	attempt rundir.Attempt
	runID   string
	token   string
	disk    *rundir.Disk
	alone   bool // one role is started, by hand
	machine *steps.Machine
	inputs  chan steps.Input
	output  chan struct{} // holds one token when something arrived from a step
	done    chan struct{} // closed when nobody takes inputs any more
	hub     *hubLine

	printing sync.Mutex // held while a line is written to Out

	mu      sync.Mutex
	verdict *protocol.Result     // that the hub could not write; nil: none
	running map[roles.Role]*step // the present try of each
	ends    time.Time            // when the job's time is over; zero if that is not known

	former    map[string]bool // steps of agents that were here before these, as the scheduler names them
	concluded chan error      // the verdict was looked after; nil while it is not
	installed time.Time       // when preparing the nodes was over; zero if there was nothing to do
}

// Run starts the steps and sees them through. It returns BENCHMARK's exit code, or that of the only role. The end of
// the context asks the hub to cancel the job.
func Run(ctx context.Context, o Options) (int, error) {
	alone := o.Roles != nil
	if !alone {
		o.Roles = allRoles(o.Plan)
	}
	if o.Begun.IsZero() {
		o.Begun = time.Now()
	}
	if o.Say == nil {
		o.Say = func(string) {}
	}
	dir := rundir.Dir(o.Plan.RunDir)
	b := &batch{
		opts: o, attempt: dir.Attempt(o.Attempt), runID: o.Plan.RunID(o.Attempt),
		machine: steps.New(o.Roles, o.Plan.Policy, o.Plan.Timeouts.Launch.Std(), time.Now()),
		inputs:  make(chan steps.Input), output: make(chan struct{}, 1), done: make(chan struct{}),
		running: map[roles.Role]*step{}, former: map[string]bool{}, alone: alone,
	}
	var err error
	if b.token, err = rundir.OpenAttempt(b.attempt, o.Plan.Case.TestID); err == nil && !b.single() {
		err = rundir.Claim(b.attempt, o.JobID)
	}
	if err == nil {
		err = rundir.SetCurrent(dir, o.Attempt)
	}
	if err != nil {
		return protocol.ExitUsage, b.neverBegan(err)
	}
	b.disk = rundir.NewDisk(rundir.DiskOptions{Patience: o.Plan.Timeouts.Disk.Std()})
	defer b.disk.Close(diskPatience)
	defer close(b.done)
	b.hub = newHubLine(b.attempt, b.runID, b.token)
	defer b.hub.close()
	if b.hasHub() {
		go b.findJobEnd()
	}
	if code, err := b.install(ctx); code != 0 || err != nil {
		return code, err
	}
	for _, p := range rundir.PublishedIn(b.attempt) {
		b.former[p.Step] = true
	}
	for _, r := range o.Roles {
		b.start(r)
	}
	if o.Plan.Policy.Keep != "" {
		go b.lookForRequests()
	}
	code := b.see(ctx)
	b.endLeft()
	return code, nil
}

// diskPatience is how long, at the end, a run directory that does not answer is waited for.
const diskPatience = time.Second

// allRoles lists BENCHMARK first: all others look for it.
func allRoles(p plan.Plan) []roles.Role {
	list := []roles.Role{roles.Hub().Role}
	for _, pl := range p.Layout.Placements {
		if pl.Role != roles.Hub().Role {
			list = append(list, pl.Role)
		}
	}
	return list
}

// env is what is added to the environment of a role's tasks.
func (b *batch) env(r roles.Role) []string {
	env := []string{
		protocol.EnvRole + "=" + r.String(), protocol.EnvPlan + "=" + rundir.Dir(b.opts.Plan.RunDir).Plan(),
		protocol.EnvAttempt + "=" + strconv.Itoa(b.opts.Attempt), protocol.EnvBatchStart + "=" + seconds(b.opts.Begun),
	}
	if !b.installed.IsZero() {
		env = append(env, protocol.EnvInstalled+"="+seconds(b.installed))
	}
	if b.opts.Wrap != "" {
		env = append(env, protocol.EnvWrap+"="+b.opts.Wrap)
	}
	if !b.single() { // the end of a shell that started one role says nothing of the others
		env = append(env, protocol.EnvBatch+"="+supervisor.Mark())
	}
	return env
}

// single tells whether one role is started by hand.
func (b *batch) single() bool { return b.alone }

func (b *batch) hasHub() bool { return slices.Contains(b.opts.Roles, roles.Hub().Role) }

func seconds(t time.Time) string { return fmt.Sprintf("%.6f", float64(t.UnixMicro())/1e6) }

// see takes in what happens until it is time to leave.
func (b *batch) see(ctx context.Context) int {
	cancelled := ctx.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := time.Now()
		code, leave := b.machine.Leave(now)
		if leave && b.concluded == nil {
			return code
		}
		timer.Reset(b.idle(now))
		select {
		case in := <-b.inputs:
			b.step(in)
		case <-b.output:
			b.step(steps.Output{})
		case <-timer.C:
			b.step(steps.Tick{})
		case err := <-b.concluded:
			if b.concluded = nil; err != nil {
				b.opts.Say(err.Error())
			}
			if b.opts.OnVerdict != nil {
				b.opts.OnVerdict(b.attempt)
			}
		case <-cancelled:
			cancelled = nil
			b.cancel(context.Cause(ctx))
		}
	}
}

const mostIdle = time.Minute

func (b *batch) idle(now time.Time) time.Duration {
	if d := b.machine.Deadline(); !d.IsZero() {
		return max(d.Sub(now), 0)
	}
	return mostIdle
}

func (b *batch) step(in steps.Input) {
	for _, e := range b.machine.Step(in, time.Now()) {
		switch e := e.(type) {
		case steps.Retry:
			b.opts.Say(fmt.Sprintf("the step of %s never began: trying again in %v", e.Role, e.After))
		case steps.Start:
			b.start(e.Role)
		case steps.Stop:
			b.askToStop(e.Role, e.Restart)
		case steps.Seal:
			b.disk.Touch(rundir.DoneFile(b.attempt.RoleLog(e.Role)))
		case steps.Report:
			e.Report.RunID = b.runID
			b.hub.send(e.Report)
		case steps.AskHub:
			b.askHub()
		case steps.KillHub:
			b.killHub()
		case steps.Conclude:
			b.conclude(e)
		}
	}
}

// in hands over an input from another goroutine.
func (b *batch) in(in steps.Input) {
	select {
	case b.inputs <- in:
	case <-b.done:
	}
}

// cancel asks the hub to end the job; a role that was started by hand is asked itself.
func (b *batch) cancel(why error) {
	kept := b.machine.Kept()
	b.step(steps.Asked{Why: why.Error(), Ends: b.jobEnds()})
	if kept {
		return // everybody was asked
	}
	if b.single() {
		for _, r := range b.opts.Roles {
			b.askToStop(r, false)
		}
		return
	}
	b.hub.send(protocol.StepReport{Role: roles.Hub().Role, RunID: b.runID, Cancel: why.Error()})
}

// findJobEnd finds out when the job's time is over, and lets the hub know.
func (b *batch) findJobEnd() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-b.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	at := b.opts.Starter.JobEnds(ctx)
	if at.IsZero() {
		return
	}
	b.mu.Lock()
	b.ends = hub.Anchored(at)
	b.mu.Unlock()
	b.hub.send(protocol.StepReport{Role: roles.Hub().Role, RunID: b.runID, JobEnds: at})
}

func (b *batch) jobEnds() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ends
}
