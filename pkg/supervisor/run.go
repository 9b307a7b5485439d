package supervisor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxOutput is how much of a helper's output is kept, in bytes.
const maxOutput = 64 << 10

// helperBound is how long what is left of a helper is waited for.
const helperBound = 100 * time.Millisecond

// Run runs a helper, which is not the child and is over soon: it returns the beginning of its output and its exit code,
// as a shell would tell it. The end of the context kills its whole group. An error says that it was not run.
func (s *Supervisor) Run(ctx context.Context, argv, env []string) (output []byte, code int, err error) {
	out := &firstBytes{}
	code, err = s.RunTo(ctx, out, argv, env)
	return out.data, code, err
}

// Output is Run for a helper that prints its answer on standard output, of which all is returned.
func (s *Supervisor) Output(ctx context.Context, argv, env []string) (stdout []byte, code int, err error) {
	var out bytes.Buffer
	code, err = s.run(ctx, &out, nil, argv, env)
	return out.Bytes(), code, err
}

// RunTo is Run for a helper that may go on for long: all that it prints is written to out, from one goroutine, while it
// runs. The end of the context is how it ends.
func (s *Supervisor) RunTo(ctx context.Context, out io.Writer, argv, env []string) (code int, err error) {
	return s.run(ctx, out, out, argv, env)
}

func (s *Supervisor) run(ctx context.Context, stdout, stderr io.Writer, argv, env []string) (code int, err error) {
	if len(argv) == 0 {
		return 0, errors.New("cannot run helper: the command is empty")
	}
	path, err := LookPath(argv[0], "", env)
	if err != nil {
		return 0, fmt.Errorf("cannot run %s: %w", argv[0], err)
	}
	cmd := exec.CommandContext(ctx, path, argv[1:]...)
	cmd.Args[0], cmd.Env, cmd.Stdout, cmd.Stderr = argv[0], s.marked(env), stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	cmd.WaitDelay = helperBound // for whoever left the group and holds the output
	p, err := s.track(func() (*os.Process, error) {
		err := cmd.Start()
		return cmd.Process, err
	})
	if err != nil {
		return 0, fmt.Errorf("cannot run %s: %w", argv[0], err)
	}
	err = cmd.Wait() // mostly the code tells
	s.untrack(p.Pid)
	s.endGroup(p.Pid)
	if cmd.ProcessState == nil {
		return 0, fmt.Errorf("cannot wait for %s: %w", argv[0], err)
	}
	return ended(cmd.ProcessState, time.Time{}, time.Time{}).Code, nil
}

// endGroup kills what is left of a helper's group, and collects it: what was killed takes a moment to end.
func (s *Supervisor) endGroup(group int) {
	for deadline := time.Now().Add(helperBound); ; time.Sleep(time.Millisecond) {
		left := syscall.Kill(-group, unix.SIGKILL) == nil
		s.reapOrphans()
		if !left || time.Now().After(deadline) {
			return
		}
	}
}

// firstBytes keeps the beginning of what is written to it.
type firstBytes struct{ data []byte }

func (f *firstBytes) Write(b []byte) (int, error) {
	f.data = append(f.data, b[:min(len(b), maxOutput-len(f.data))]...)
	return len(b), nil
}

// ShellCode is the exit code of a process that has ended as a shell tells it: 128 and the number of the signal if one
// ended it.
func ShellCode(ps *os.ProcessState) int {
	if ws, ok := ps.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ps.ExitCode()
}
