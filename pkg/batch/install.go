package batch

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"os"

	"github.com/disagg/disagg/pkg/logtee"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
)

// install prepares the nodes. If that fails the job is over, and has its verdict.
func (b *batch) install(ctx context.Context) (code int, err error) {
	cmd := b.opts.Starter.Install(b.opts.Plan, b.env(roles.Hub().Role))
	if cmd == nil || b.single() {
		return 0, nil
	}
	log := b.disk.Append(b.attempt.InstallLog())
	reader, last := b.opts.Starter.Reader(), ""
	lines := logtee.NewSplitter(func(l logtee.Line) {
		reader.Line(l.Text)
		if text := strings.TrimSpace(l.Text); text != "" {
			last = text
		}
	})
	code, err = runLogged(ctx, cmd, io.MultiWriter(log, splitterWriter{lines}))
	lines.End()
	_ = log.Close()
	b.disk.Touch(rundir.DoneFile(b.attempt.InstallLog()))
	b.installed = time.Now()
	if code == 0 && err == nil && ctx.Err() == nil {
		return 0, nil
	}
	cause := protocol.Cause{
		Role: roles.Hub().Role, Kind: protocol.InstallFailed, Detail: installDetail(code, err, reader, last),
	}
	if ctx.Err() != nil {
		cause.Kind = protocol.EndedBy(b.jobEnds(), b.installed)
		cause.Detail = fmt.Sprintf("the job was asked to end while its nodes were prepared: %v", context.Cause(ctx))
	}
	b.disk.Flush(diskPatience)
	b.conclude(cause)
	return protocol.ExitFailed, <-b.concluded
}

// installDetail says why the nodes could not be prepared: in the scheduler's words, else with the last line of the log.
func installDetail(code int, err error, reader scheduler.Reader, last string) string {
	detail := fmt.Sprintf("installing ended with code %d", code)
	switch d := reader.Diagnosis(); {
	case d.Line != "" && !d.Vague:
		detail += ": " + d.Line
	case last != "":
		detail += ": " + last
	case err != nil:
		detail += ": " + err.Error()
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

type splitterWriter struct{ *logtee.Splitter }

func (w splitterWriter) Write(b []byte) (int, error) {
	w.Splitter.Write(b)
	return len(b), nil
}

// signalCode is the code of a process that a signal ended, as a shell would tell it.
func signalCode(ps *os.ProcessState) int {
	if ws, ok := ps.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return protocol.ExitFailed
}
