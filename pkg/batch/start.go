package batch

import (
	"context"
	"os/exec"
	"runtime"
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
// nothing to lose: the processes that start it are ended, which its scheduler answers with a kill.
func (b *batch) askToStop(r roles.Role) {
	b.opts.Say("stopping " + r.String())
	go func() {
		if err := b.signalStep(r, b.opts.Starter.StopStep, syscall.SIGTERM); err != nil {
			b.opts.Say("cannot stop " + r.String() + ": " + err.Error())
		}
	}()
}

// killHub ends the hub's step at once, in a goroutine of its own.
func (b *batch) killHub() {
	hub := roles.Hub().Role
	b.opts.Say(hub.String() + " hangs: ending it")
	go func() {
		if err := b.signalStep(hub, b.opts.Starter.KillStep, syscall.SIGKILL); err == nil {
			return
		}
		b.mu.Lock() // there may be no step to speak of
		s := b.running[hub]
		b.mu.Unlock()
		s.signal(syscall.SIGKILL)
	}()
}

// signalStep has the scheduler signal a step, or signals the processes that start it while its agents have not begun.
func (b *batch) signalStep(r roles.Role, send func(context.Context, string) error, sig syscall.Signal) error {
	ctx, cancel := context.WithTimeout(context.Background(), askBound)
	defer cancel()
	b.mu.Lock()
	s := b.running[r]
	b.mu.Unlock()
	if s == nil {
		return nil
	}
	p, ok := rundir.ReadPublished(b.attempt, roles.Task{Role: r}, b.runID)
	if ok && p.Step != "" && p.Step != b.former[r] {
		return send(ctx, p.Step)
	}
	s.signal(sig)
	return nil
}

// hubBound is how long the hub may take to answer.
const hubBound = 3 * time.Second

// askHub asks the hub for a sign of life, in a goroutine of its own.
func (b *batch) askHub() {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), hubBound)
		defer cancel()
		b.in(steps.HubAnswered{OK: b.hub.ask(ctx, protocol.StepReport{Role: roles.Hub().Role, RunID: b.runID}) == nil})
	}()
}
