package supervisor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxOutput is how much of a helper's output is kept, in bytes.
const maxOutput = 64 << 10

const (
	// helperBound is how long what is left of a helper is waited for.
	helperBound = 100 * time.Millisecond
	// giveUpBound is how long a helper that was killed is waited for itself.
	giveUpBound = 5 * helperBound
)

// Run runs a helper, which is not the child and is over soon: it returns the beginning of its output and its exit code,
// as a shell would tell it. The end of the context kills its whole group, and does not wait for a helper that even that
// does not end, or whose program lies on a disk that does not answer: it counts as killed. An error says that it was
// not run.
func (s *Supervisor) Run(ctx context.Context, argv, env []string) (output []byte, code int, err error) {
	out := &firstBytes{}
	code, err = s.RunTo(ctx, out, argv, env)
	return out.data, code, err
}

// Output is Run for a helper that prints its answer on standard output, of which all is returned.
func (s *Supervisor) Output(ctx context.Context, argv, env []string) (stdout []byte, code int, err error) {
	var out bytes.Buffer
	code, err = s.run(ctx, &out, false, argv, env)
	return out.Bytes(), code, err
}

// RunTo is Run for a helper that may go on for long: all that it prints is written to out, from one goroutine, while it
// runs. The end of the context is how it ends.
func (s *Supervisor) RunTo(ctx context.Context, out io.Writer, argv, env []string) (code int, err error) {
	return s.run(ctx, out, true, argv, env)
}

// run runs a helper in a goroutine of its own, which is left to itself if the helper cannot be ended.
func (s *Supervisor) run(ctx context.Context, to io.Writer, stderr bool, argv, env []string) (code int, err error) {
	type result struct {
		code int
		err  error
	}
	results := make(chan result, 1)
	out := &severable{to: to}
	go func() {
		code, err := s.runToEnd(ctx, out, stderr, argv, env)
		results <- result{code, err}
	}()
	select {
	case r := <-results:
		return r.code, r.err
	case <-ctx.Done():
	}
	select {
	case r := <-results:
		return r.code, r.err
	case <-time.After(giveUpBound):
		out.sever()
		return 128 + int(unix.SIGKILL), nil
	}
}

func (s *Supervisor) runToEnd(ctx context.Context, out io.Writer, stderr bool, argv, env []string) (int, error) {
	if len(argv) == 0 {
		return 0, errors.New("cannot run helper: the command is empty")
	}
	path, err := LookPath(argv[0], "", env)
	if err != nil {
		return 0, fmt.Errorf("cannot run %s: %w", argv[0], err)
	}
	openOnce(path)
	cmd := exec.CommandContext(ctx, path, argv[1:]...)
	cmd.Args[0], cmd.Env, cmd.Stdout = argv[0], s.marked(env), out
	if stderr {
		cmd.Stderr = out
	}
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
	return ended(cmd.ProcessState, time.Time{}).Code, nil
}

// severable is a writer that is cut off from another one when nobody looks after that any more.
type severable struct {
	mu sync.Mutex
	to io.Writer
}

func (s *severable) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.to.Write(b)
}

func (s *severable) sever() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to = io.Discard
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
