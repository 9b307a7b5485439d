package batch

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/disagg/disagg/pkg/decide/steps"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// startBound starts a command that is asked to end (SIGTERM) when this process ends, however it does: the step of an
// engineer's shell must not outlive a closed terminal, nor one that its scheduler does not end. Ctrl-C in the terminal
// does not reach it: its agents are asked to stop, in order. The command is over when ended is closed.
func startBound(cmd *exec.Cmd, ended <-chan struct{}) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, syscall.SIGTERM
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the signal comes when the thread that started the command ends
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			<-ended
		}
	}()
	return <-started
}

// askBound is how long asking a step to stop may take.
const askBound = 10 * time.Second

// askToStop asks the agents of a step to stop, in a goroutine of its own. A step whose agents have not begun has
// nothing to lose: the processes that start it are ended, which its scheduler answers with a kill. If it starts again,
// another step takes its place, whose agents are not to be taken for these.
func (b *batch) askToStop(r roles.Role, again bool) {
	b.opts.Say("stopping " + r.String())
	go func() {
		stop := b.opts.Starter.StopStep
		if again {
			stop = func(ctx context.Context, name string) error {
				b.mu.Lock()
				b.former[name] = true
				b.mu.Unlock()
				return b.opts.Starter.StopStep(ctx, name)
			}
		}
		if err := b.signalStep(r, stop, syscall.SIGTERM); err != nil {
			b.opts.Say("cannot stop " + r.String() + ": " + err.Error())
		}
	}()
}

// killHub ends the hub's step at once, in a goroutine of its own.
func (b *batch) killHub() {
	hub := roles.Hub().Role
	b.opts.Say(hub.String() + " hangs: ending it")
	go func() { _ = b.signalStep(hub, b.opts.Starter.KillStep, syscall.SIGKILL) }()
}

// signalStep has the scheduler signal a step, or signals the processes that start it: while its agents have not begun,
// or when the scheduler cannot.
func (b *batch) signalStep(r roles.Role, send func(context.Context, string) error, sig syscall.Signal) error {
	ctx, cancel := context.WithTimeout(context.Background(), askBound)
	defer cancel()
	b.mu.Lock()
	s := b.running[r]
	b.mu.Unlock()
	if s == nil {
		return nil
	}
	names := b.stepsOf(r)
	if len(names) < s.count() { // not all of its agents have begun
		s.signal(sig)
	}
	var errs []error
	for _, name := range names {
		errs = append(errs, send(ctx, name))
	}
	err := errors.Join(errs...)
	if err != nil { // what starts the step reaches its agents without the scheduler
		s.signal(sig)
	}
	return err
}

// lookForRequests takes what people ask of the roles that are started here, and notes that servers that are kept are
// measured, in a goroutine of its own: the run directory may not answer.
func (b *batch) lookForRequests() {
	tick := time.NewTicker(requestPoll)
	defer tick.Stop()
	for {
		select {
		case <-b.done:
			return
		case <-tick.C:
		}
		for _, r := range rundir.TakeRequests(b.attempt, b.opts.Roles) {
			b.in(steps.Wanted{Role: r})
		}
		if b.isMeasured(rundir.Current(rundir.Dir(b.opts.Plan.RunDir))) {
			b.in(steps.InUse{})
		}
	}
}

// isMeasured tells whether servers that are kept are being measured in an attempt: it has no verdict, and its hub
// listens, or has still to appear. One that was killed leaves an attempt that never gets a verdict.
func (b *batch) isMeasured(a rundir.Attempt) bool {
	if a.Number() == b.attempt.Number() || rundir.HasResult(a) {
		return false
	}
	for _, p := range rundir.PublishedIn(a) {
		if p.Task != roles.Hub() || p.Hub == "" {
			continue
		}
		conn, err := net.DialTimeout("tcp", p.Hub, requestPoll)
		if err != nil {
			return false
		}
		_ = conn.Close()
		return true
	}
	info, err := os.Stat(string(a))
	return err == nil && time.Since(info.ModTime()) < b.opts.Plan.Timeouts.Launch.Std()
}

// requestPoll is how often it is looked for what people ask for.
const requestPoll = time.Second

// stepsOf are the scheduler's names of a role's step: more than one where each rank has its own. Those of agents that
// were here before are none of them.
func (b *batch) stepsOf(r roles.Role) (names []string) {
	published := rundir.PublishedIn(b.attempt)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range published {
		if p.Task.Role == r && p.RunID == b.runID && p.Step != "" && !b.former[p.Step] &&
			!slices.Contains(names, p.Step) {
			names = append(names, p.Step)
		}
	}
	return names
}

// hubBound is how long the hub may take to answer.
const hubBound = 3 * time.Second

// askHub asks the hub for a sign of life, in a goroutine of its own.
func (b *batch) askHub() {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), hubBound)
		defer cancel()
		err := b.hub.ask(ctx, protocol.StepReport{Role: roles.Hub().Role, RunID: b.runID})
		b.in(steps.HubAnswered{
			OK: err == nil, Gone: errors.Is(err, syscall.ECONNREFUSED), Absent: errors.Is(err, errNoHub),
		})
	}()
}
