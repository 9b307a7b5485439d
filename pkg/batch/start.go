package batch

import (
	"context"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// startBound starts a command that is asked to end (SIGTERM) when this process ends, however it does: the step of an
// engineer's shell must not outlive a closed terminal. Ctrl-C in the terminal does not reach it: its agents are asked
// to stop, in order. The command is over when ended is closed.
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
		ctx, cancel := context.WithTimeout(context.Background(), askBound)
		defer cancel()
		b.mu.Lock()
		s := b.running[r]
		b.mu.Unlock()
		if s == nil {
			return
		}
		p, ok := rundir.ReadPublished(b.attempt, roles.Task{Role: r}, b.runID)
		if ok && p.Step != "" && p.Step != b.former[r] {
			if err := b.opts.Starter.StopStep(ctx, p.Step); err != nil {
				b.opts.Say("cannot stop " + r.String() + ": " + err.Error())
			}
			return
		}
		s.signal(syscall.SIGTERM)
	}()
}
