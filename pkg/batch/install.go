package batch

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/disagg/disagg/pkg/decide/steps"
	"github.com/disagg/disagg/pkg/logtee"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// install prepares the nodes. If that fails the job is over, and has its verdict.
func (b *batch) install(ctx context.Context) (code int, err error) {
	if b.single() {
		return 0, nil
	}
	last, tries := b.tryInstall(ctx)
	if tries == 0 {
		return 0, nil
	}
	b.disk.Touch(rundir.DoneFile(b.attempt.InstallLog()))
	b.installed = time.Now()
	if last.ok() && ctx.Err() == nil {
		return 0, nil
	}
	if last.ended == "" {
		last.ended = b.installEnded()
	}
	cause := protocol.Cause{
		Role: roles.Hub().Role, Kind: protocol.InstallFailed, Detail: last.detail(tries),
	}
	asked := ctx.Err() != nil
	if asked {
		cause.Subject, cause.Kind = protocol.WholeJob, protocol.EndedBy(b.jobEnds(), b.installed)
		cause.Detail = fmt.Sprintf("the job was asked to end while its nodes were prepared: %v", context.Cause(ctx))
	}
	b.disk.Flush(diskPatience)
	b.conclude(steps.Conclude{Cause: cause, Asked: asked})
	return protocol.ExitFailed, <-b.concluded
}

// installEnded is how preparing ended by what an agent has noted, "" if none has: what agents print is lost with the
// step if the scheduler ends it at once.
func (b *batch) installEnded() string {
	noted := make(chan string, 1)
	b.disk.Do("read install.ended", 0, func() error {
		how, err := rundir.ReadRegular(b.attempt.InstallEnded())
		noted <- string(how)
		return err
	}, nil)
	select {
	case how := <-noted:
		return how
	case <-time.After(diskPatience):
		return ""
	}
}

// tryInstall prepares the nodes, again if that never began on any of them and may the next time. It returns the last
// try and how many there were: none if there is nothing to do.
func (b *batch) tryInstall(ctx context.Context) (last installation, tries int) {
	log := b.disk.Append(b.attempt.InstallLog())
	defer func() { _ = log.Close() }()
	for {
		cmd := b.opts.Starter.Install(b.opts.Plan, b.env(roles.Hub().Role))
		if cmd == nil {
			return last, tries
		}
		last = b.installOnce(ctx, cmd, log)
		tries++
		pause, again := steps.Pause(tries)
		if !last.mayPass() || !again || ctx.Err() != nil {
			return last, tries
		}
		b.opts.Say(fmt.Sprintf("preparing the nodes never began: trying again in %v", pause))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return last, tries
		}
	}
}

// installation is one try to prepare the nodes.
type installation struct {
	code  int
	err   error
	said  protocol.Diagnosis // by the scheduler
	began bool               // the install command was run, on some node at least
	ended string             // where, with which code and what last line, as an agent says
	last  string             // the last line that was printed
}

func (b *batch) installOnce(ctx context.Context, cmd *exec.Cmd, log io.Writer) (i installation) {
	reader := b.opts.Starter.Reader()
	lines := logtee.NewSplitter(func(l logtee.Line) {
		text := strings.TrimSpace(l.Text)
		if _, how, ok := strings.Cut(text, protocol.InstallEnded); ok {
			i.ended = cmp.Or(i.ended, how) // then the other nodes are stopped
			return
		}
		reader.Line(l.Text)
		switch {
		case strings.HasPrefix(text, protocol.Installing):
			i.began = true
		case text != "":
			i.last = text
		}
	})
	i.code, i.err = runLogged(ctx, cmd, io.MultiWriter(log, lines))
	lines.End()
	i.said = reader.Diagnosis()
	return i
}

func (i installation) ok() bool { return i.code == 0 && i.err == nil }

// mayPass tells whether the next try may get further than this one. A command that was run is not run again.
func (i installation) mayPass() bool {
	return !i.ok() && !i.began && i.said.Meaning == protocol.Transient
}

// detail says why the nodes could not be prepared: in an agent's words, the scheduler's, or with the log's last line.
func (i installation) detail(tries int) string {
	again := ""
	if tries > 1 {
		again = fmt.Sprintf(" (tried %d times)", tries)
	}
	if i.ended != "" {
		return "installing ended on " + i.ended + again
	}
	detail := fmt.Sprintf("installing ended with code %d%s", i.code, again)
	switch {
	case i.said.Line != "" && !i.said.Vague:
		detail += ": " + i.said.Line
	case i.last != "":
		detail += ": " + i.last
	case i.err != nil:
		detail += ": " + i.err.Error()
	}
	return detail
}

// runLogged runs a command whose whole output goes to one writer.
func runLogged(ctx context.Context, cmd *exec.Cmd, out io.Writer) (code int, err error) {
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = out, out, outputBound // what it leaves running may hold its output
	if err := cmd.Start(); err != nil {
		return protocol.ExitNotStarted, err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	defer stop()
	_ = cmd.Wait() // the code tells
	return exitCode(cmd.ProcessState), nil
}
