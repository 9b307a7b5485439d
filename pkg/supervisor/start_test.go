package supervisor_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"github.com/disagg/disagg/test/check"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/logtee"
	"github.com/disagg/disagg/pkg/supervisor"
)

// Every exit code comes through, and code and signal are kept apart.
func TestAllExitCodes(t *testing.T) {
	s := check.Supervise(t)
	for code := range 256 {
		c := run(t, s, func(sp *supervisor.Spec) {
			sp.Argv, sp.Env = []string{"/bin/sh", "-c", fmt.Sprintf("exit %d", code)}, nil
		}, "")
		if o := c.outcome(); !o.Started || o.Code != code || o.Signal != "" || o.StopReason != "" ||
			o.Clean() != (code == 0) {
			t.Errorf("exit %d: %+v", code, o)
		}
	}
}

func TestAllSignals(t *testing.T) {
	harmless := map[syscall.Signal]bool{unix.SIGCHLD: true, unix.SIGCONT: true, unix.SIGURG: true, unix.SIGWINCH: true}
	stopping := map[syscall.Signal]bool{unix.SIGSTOP: true, unix.SIGTSTP: true, unix.SIGTTIN: true, unix.SIGTTOU: true}
	s := check.Supervise(t)
	for sig := syscall.Signal(1); sig < 32; sig++ {
		c := run(t, s, func(sp *supervisor.Spec) {
			sp.Argv, sp.Env = []string{
				"/bin/sh", "-c", fmt.Sprintf("ulimit -c 0; echo ready; kill -%d $$; exit 3", sig),
			}, nil
		}, "")
		want, code := unix.SignalName(sig), 128+int(sig)
		switch {
		case harmless[sig]:
			want, code = "", 3
		case stopping[sig]: // it stands still until it is asked to end
			c.awaitState('T')
			c.Stop("enough")
			want, code = "SIGTERM", 143
		}
		if o := c.outcome(); o.Signal != want || o.Code != code {
			t.Errorf("signal %d: %+v, want %s %d", sig, o, want, code)
		}
	}
}

// A signal that has no name is told by its number.
func TestSignalWithoutAName(t *testing.T) {
	c := run(t, check.Supervise(t), func(sp *supervisor.Spec) {
		sp.Argv = []string{"/bin/sh", "-c", "kill -40 $$; exit 3"}
	}, "")
	if o := c.outcome(); o.Signal != "signal 40" || o.Code != 168 {
		t.Errorf("%+v", o)
	}
}

// A child that never runs says why, in the way that shells do.
func TestNeverStarted(t *testing.T) {
	s := check.Supervise(t)
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	garbage := filepath.Join(dir, "garbage")
	for file, mode := range map[string]os.FileMode{plain: 0o644, garbage: 0o755} {
		if err := os.WriteFile(file, []byte("\x00not a program"), mode); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]struct {
		change func(*supervisor.Spec)
		code   int
	}{
		"no such file": {func(sp *supervisor.Spec) { sp.Argv = []string{filepath.Join(dir, "none")} }, 127},
		"not in PATH": {
			func(sp *supervisor.Spec) { sp.Argv, sp.Env = []string{"no-such-program"}, []string{"PATH=" + dir} }, 127,
		},
		"empty PATH":     {func(sp *supervisor.Spec) { sp.Argv, sp.Env = []string{"sh"}, []string{"PATH="} }, 127},
		"not executable": {func(sp *supervisor.Spec) { sp.Argv = []string{plain} }, 126},
		"a folder":       {func(sp *supervisor.Spec) { sp.Argv = []string{dir} }, 126},
		"in PATH, denied": {
			func(sp *supervisor.Spec) { sp.Argv, sp.Env = []string{"plain"}, []string{"PATH=" + dir} }, 126,
		},
		"no program":     {func(sp *supervisor.Spec) { sp.Argv = []string{garbage} }, 126},
		"empty command":  {func(sp *supervisor.Spec) { sp.Argv = nil }, 125},
		"no such folder": {func(sp *supervisor.Spec) { sp.Dir = filepath.Join(dir, "none") }, 125},
		"no log":         {func(sp *supervisor.Spec) { sp.Output.Log = nil }, 125},
		"not prepared":   {func(sp *supervisor.Spec) { sp.Fault = os.ErrInvalid }, 125},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := run(t, s, tt.change, "exit", "0")
			c.Stop("too late") // before, during, after: it makes no difference
			if o := c.outcome(); o.Started || o.Code != tt.code || o.Error == "" || c.PID() != 0 || c.Tail() != nil {
				t.Errorf("%+v, want code %d", o, tt.code)
			}
		})
	}
}

// What is relative in PATH is so to the folder that the child runs in, where there may be another program of that name.
func TestRelativePath(t *testing.T) {
	s := check.Supervise(t)
	here, dir := t.TempDir(), t.TempDir()
	t.Chdir(here)
	for file, says := range map[string]string{
		filepath.Join(here, "tool"): "here", filepath.Join(dir, "tool"): "there",
		filepath.Join(dir, "bin", "other"): "below",
	} {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("#!/bin/sh\necho "+says), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ path, name, want string }{
		{".:/bin", "tool", "there\n"}, {"/bin::/usr/bin", "tool", "there\n"}, {"bin", "other", "below\n"},
	} {
		c := run(t, s, func(sp *supervisor.Spec) {
			sp.Argv, sp.Dir, sp.Env = []string{tt.name}, dir, []string{"PATH=" + tt.path}
		}, "")
		if o := c.outcome(); o.Code != 0 || c.output() != tt.want {
			t.Errorf("PATH=%s, %s: %q, %+v", tt.path, tt.name, c.output(), o)
		}
	}
}

// A child gets clean signals, no stdin, and the files that its parent was given.
func TestCleanStart(t *testing.T) {
	s := check.Supervise(t)
	c := run(t, s, nil, "stdin")
	if c.outcome(); c.output() != "0 bytes" {
		t.Errorf("stdin held %q", c.output())
	}
	inherited, err := os.Open(filepath.Join("/", "etc", "hostname"))
	if err != nil {
		t.Fatal(err)
	}
	defer inherited.Close()
	fd, err := unix.Dup(int(inherited.Fd())) // without close-on-exec, as if it had been there from the start
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	c = run(t, s, func(sp *supervisor.Spec) {
		sp.Argv, sp.Env = []string{
			"/bin/sh", "-c", fmt.Sprintf("readlink /proc/$$/fd/%d /proc/$$/fd/0", fd),
		}, os.Environ()
	}, "")
	if c.outcome(); c.output() != "/etc/hostname\n/dev/null\n" {
		t.Errorf("files %q", c.output())
	}
}

// supervised is a program that supervises another: what it is told to run, with its own environment and signals.
func supervised(args []string) int {
	if err := supervisor.CleanMask(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 70
	}
	s, err := supervisor.New()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 70
	}
	defer s.Close()
	if os.Getenv(guardVar) != "" {
		if err := guardBy(s); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 70
		}
		go noteTold(s)
	}
	if err := os.Setenv(childVar, os.Getenv(programVar)); err != nil {
		return 70
	}
	env := os.Environ()
	log, err := os.OpenFile(args[0], os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 70
	}
	p := s.Start(supervisor.Spec{
		Argv: args[1:], Env: env, Output: logtee.Options{
			Log: log, Copy: os.Stdout,
		}, StopPolicy: supervisor.StopPolicy{Budget: bound},
		DiesWithParent: os.Getenv(dieVar) != "",
	})
	<-p.Done()
	return p.Outcome().Code
}

// A supervisor that was started with signals ignored or blocked, as a shell does in the background, does not hand that
// on.
func TestSignalsAreReset(t *testing.T) {
	check.Supervise(t)
	script := `trap '' INT QUIT HUP PIPE USR1; exec "$@"`
	cmd := exec.Command("/bin/sh", "-c", script, "sh", os.Args[0], filepath.Join(t.TempDir(), "log"), "grep", "-E",
		"^Sig(Ign|Blk)", "/proc/self/status")
	cmd.Env = append(os.Environ(), childVar+"=supervised")
	out, err := startBlocked(t, cmd)
	want := "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
	if err != nil || out != want {
		t.Errorf("%v: the child has\n%swant\n%s", err, out, want)
	}
}

// startBlocked runs a command as the worst parent does: with SIGTERM and SIGUSR2 blocked, because Go hands on the mask
// of the thread that forks, and by posix_spawn, which ignores the C library's own signal 32.
func startBlocked(t *testing.T, cmd *exec.Cmd) (string, error) {
	t.Helper()
	var buf bytes.Buffer
	cmd.Stdout, cmd.Stderr = &buf, &buf
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is needed to block signals")
	}
	block := `import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR2])
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`
	cmd.Args = append([]string{python, "-c", block}, append([]string{cmd.Path}, cmd.Args[1:]...)...)
	cmd.Path = python
	err = cmd.Run()
	return buf.String(), err
}

// Other children of the process are left alone, and their status is theirs.
func TestOtherChildrenKeepTheirStatus(t *testing.T) {
	s := check.Supervise(t)
	var wg sync.WaitGroup
	codes := make([]int, 40)
	for i := range codes {
		wg.Go(func() {
			c := run(t, s, func(sp *supervisor.Spec) {
				sp.Argv, sp.Env = []string{
					"/bin/sh", "-c", fmt.Sprintf("exit %d", i),
				}, nil
			}, "")
			<-c.Done()
			codes[i] = c.Outcome().Code
		})
	}
	wg.Wait()
	want := make([]int, len(codes))
	for i := range want {
		want[i] = i
	}
	if diff := cmp.Diff(want, codes); diff != "" {
		t.Error(diff)
	}
	runtime.KeepAlive(s)
}
