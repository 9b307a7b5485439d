package supervisor_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/supervisor"
)

// bound is how long anything may take that should happen at once.
const bound = 20 * time.Second

// child is a supervised child of a test.
type child struct {
	*supervisor.Process
	t     *testing.T
	log   string
	ready chan struct{} // closed when it has printed "ready"
}

// supervise makes this process a supervisor until the test ends, which proves that no process is left.
func supervise(t *testing.T) *supervisor.Supervisor {
	t.Helper()
	s, err := supervisor.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		nothingLeft(t)
	})
	return s
}

// nothingLeft checks that this process has no descendant, not even a zombie.
func nothingLeft(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil || len(files) == 0 {
		t.Skip("this kernel does not list children")
	}
	for _, f := range files {
		pids, _ := os.ReadFile(f)
		for pid := range strings.FieldsSeq(string(pids)) {
			stat, _ := os.ReadFile("/proc/" + pid + "/stat")
			t.Errorf("left: %s", stat)
		}
	}
}

// run starts one of this binary's programs.
func run(t *testing.T, s *supervisor.Supervisor, change func(*supervisor.Spec), name string, args ...string) *child {
	t.Helper()
	c := &child{t: t, log: filepath.Join(t.TempDir(), "child.log"), ready: make(chan struct{})}
	var once sync.Once
	spec := supervisor.Spec{
		Argv: append([]string{os.Args[0]}, args...), Env: append(os.Environ(), childVar+"="+name), Log: c.log,
		OnLine: func(l supervisor.Line) {
			if l.Text == "ready" {
				once.Do(func() { close(c.ready) })
			}
		},
		Ladder: supervisor.Ladder{Budget: bound, Grace: bound},
	}
	if change != nil {
		change(&spec)
	}
	c.Process = s.Start(spec)
	return c
}

func (c *child) awaitReady() {
	c.t.Helper()
	select {
	case <-c.ready:
	case <-time.After(bound):
		c.t.Fatal("the child is not ready")
	}
}

// awaitState waits until the child is in a state of proc(5).
func (c *child) awaitState(state byte) {
	c.t.Helper()
	for deadline := time.Now().Add(bound); ; time.Sleep(time.Millisecond) {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.PID()))
		if i := bytes.LastIndexByte(stat, ')'); i >= 0 && len(stat) > i+2 && stat[i+2] == state {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("the child is not in state %c: %s", state, stat)
		}
	}
}

func (c *child) outcome() supervisor.Outcome {
	c.t.Helper()
	select {
	case <-c.Done():
		return c.Outcome()
	case <-time.After(bound):
		c.t.Fatal("the child is not done")
		return supervisor.Outcome{}
	}
}

func (c *child) output() string {
	c.t.Helper()
	data, err := os.ReadFile(c.log)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(data)
}

// Every exit code comes through, and code and signal are kept apart.
func TestAllExitCodes(t *testing.T) {
	s := supervise(t)
	for code := range 256 {
		c := run(t, s, func(sp *supervisor.Spec) {
			sp.Argv, sp.Env = []string{"/bin/sh", "-c", fmt.Sprintf("exit %d", code)}, nil
		}, "")
		if o := c.outcome(); !o.Started || o.Code != code || o.Signal != "" || o.StopReason != "" || o.Clean() != (code == 0) {
			t.Errorf("exit %d: %+v", code, o)
		}
	}
}

func TestAllSignals(t *testing.T) {
	harmless := map[syscall.Signal]bool{unix.SIGCHLD: true, unix.SIGCONT: true, unix.SIGURG: true, unix.SIGWINCH: true}
	stopping := map[syscall.Signal]bool{unix.SIGSTOP: true, unix.SIGTSTP: true, unix.SIGTTIN: true, unix.SIGTTOU: true}
	s := supervise(t)
	for sig := syscall.Signal(1); sig < 32; sig++ {
		c := run(t, s, func(sp *supervisor.Spec) {
			sp.Argv, sp.Env = []string{"/bin/sh", "-c", fmt.Sprintf("ulimit -c 0; echo ready; kill -%d $$; exit 3", sig)}, nil
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

// A child that never runs says why, in the way that shells do.
func TestNeverStarted(t *testing.T) {
	s := supervise(t)
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
		"no such file":    {func(sp *supervisor.Spec) { sp.Argv = []string{filepath.Join(dir, "none")} }, 127},
		"not in PATH":     {func(sp *supervisor.Spec) { sp.Argv = []string{"no-such-program"} }, 127},
		"empty PATH":      {func(sp *supervisor.Spec) { sp.Argv, sp.Env = []string{"sh"}, []string{"PATH="} }, 127},
		"not executable":  {func(sp *supervisor.Spec) { sp.Argv = []string{plain} }, 126},
		"a folder":        {func(sp *supervisor.Spec) { sp.Argv = []string{dir} }, 126},
		"in PATH, denied": {func(sp *supervisor.Spec) { sp.Argv, sp.Env = []string{"plain"}, []string{"PATH=" + dir} }, 126},
		"no program":      {func(sp *supervisor.Spec) { sp.Argv = []string{garbage} }, 126},
		"empty command":   {func(sp *supervisor.Spec) { sp.Argv = nil }, 125},
		"no such folder":  {func(sp *supervisor.Spec) { sp.Dir = filepath.Join(dir, "none") }, 125},
		"no log":          {func(sp *supervisor.Spec) { sp.Log = filepath.Join(plain, "x.log") }, 125},
		"not prepared":    {func(sp *supervisor.Spec) { sp.Fault = os.ErrInvalid }, 125},
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

// Whatever the descendants do to get away, nothing is left.
func TestNothingSurvives(t *testing.T) {
	for _, name := range []string{"wait", "stubborn", "tree", "zombies", "stopped"} {
		t.Run(name, func(t *testing.T) {
			c := run(t, supervise(t), func(sp *supervisor.Spec) {
				sp.Ladder.Budget, sp.Ladder.Grace = 200*time.Millisecond, 100*time.Millisecond
			}, name)
			c.awaitReady()
			c.Stop("the test says so")
			o := c.outcome()
			if o.StopReason != "the test says so" || len(o.Survivors) > 0 || o.Clean() {
				t.Errorf("%+v", o)
			}
		})
	}
}

func TestForkStorm(t *testing.T) {
	c := run(t, supervise(t), func(sp *supervisor.Spec) {
		sp.Ladder.Budget, sp.Ladder.Grace, sp.Ladder.Sweep = 10*time.Millisecond, 10*time.Millisecond, bound
	}, "forkstorm", "300")
	c.awaitReady()
	c.Stop("enough")
	if o := c.outcome(); len(o.Survivors) > 0 {
		t.Errorf("%d survivors", len(o.Survivors))
	}
}

// A child that ends by itself leaves nothing either, its code is its own, and whoever holds its stdout cannot keep it.
func TestLeakedStdout(t *testing.T) {
	c := run(t, supervise(t), nil, "leaver", "3")
	if o := c.outcome(); o.Code != 3 || len(o.Orphans) != 1 || o.Orphans[0].Comm != "sleep" || o.Orphans[0].Status != "signal 9" {
		t.Errorf("%+v", o)
	}
	if got := c.output(); got != "bye\n" {
		t.Errorf("output %q", got)
	}
}

// The leader's end is told at once, while its descendants are still being swept.
func TestExitedBeforeDone(t *testing.T) {
	c := run(t, supervise(t), nil, "leaver", "3")
	select {
	case <-c.Exited():
	case <-time.After(bound):
		t.Fatal("not told")
	}
	if o := c.Ended(); o.Code != 3 || !o.Started {
		t.Errorf("%+v", o)
	}
	c.outcome()
}

// Slurm sends TERM, CONT, TERM: that is one request, whoever passes it on and however often.
func TestStopIsOneRequest(t *testing.T) {
	c := run(t, supervise(t), nil, "polite", fmt.Sprint(int(unix.SIGTERM)))
	c.awaitReady()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() { c.Stop(fmt.Sprint("request ", i)) })
	}
	wg.Wait()
	o := c.outcome()
	c.Stop("after the end")
	if o.Code != 5 || !strings.HasPrefix(o.StopReason, "request ") || c.output() != "ready\nasked 1 times\n" {
		t.Errorf("%+v: %q", o, c.output())
	}
}

// Who is asked first, and how, depends on the role.
func TestAsk(t *testing.T) {
	intToLeader := supervisor.Ladder{Signal: unix.SIGINT, Leader: true, Budget: bound, Grace: bound}
	toGroup := supervisor.Ladder{Budget: bound, Grace: bound}
	matching := supervisor.Ladder{Leader: true, Budget: bound, Grace: bound, Match: func(argv []string) bool {
		return len(argv) > 0 && argv[len(argv)-1] == "inner"
	}}
	// The leader has a child, and that has one; the innermost is the last to be ready.
	script := `trap 'echo the leader; exit 4' TERM INT; (trap 'echo group; exit' TERM; ` +
		`sh -c 'trap "echo inner; exit" TERM; echo ready; while :; do sleep 0.02; done' inner & ` +
		`while :; do sleep 0.02; done) & while :; do sleep 0.02; done`
	tests := map[string]struct {
		ladder supervisor.Ladder
		has    string
		hasNot string
	}{
		"leader":  {intToLeader, "leader", "group"},
		"group":   {toGroup, "group", ""},
		"matched": {matching, "inner", "leader"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := run(t, supervise(t), func(sp *supervisor.Spec) {
				sp.Argv, sp.Env, sp.Ladder = []string{"/bin/sh", "-c", script}, os.Environ(), tt.ladder
				sp.Ladder.Grace = 300 * time.Millisecond
				sp.Ladder.Budget = 600 * time.Millisecond
			}, "")
			c.awaitReady()
			c.Stop("asked")
			c.outcome()
			first, _, _ := strings.Cut(strings.TrimPrefix(c.output(), "ready\n"), "\n")
			if !strings.Contains(c.output(), tt.has) || (tt.hasNot != "" && strings.Contains(first, tt.hasNot)) {
				t.Errorf("output %q", c.output())
			}
		})
	}
}

// One that is expected to end by itself is given the time, unless it becomes urgent.
func TestStopAfter(t *testing.T) {
	s := supervise(t)
	own := run(t, s, func(sp *supervisor.Spec) {
		sp.Argv, sp.Env = []string{"/bin/sh", "-c", "echo ready; sleep 0.2; exit 6"}, nil
		sp.Env = os.Environ()
	}, "")
	own.awaitReady()
	own.StopAfter(bound, "done")
	if o := own.outcome(); o.Code != 6 || o.StopReason != "done" {
		t.Errorf("%+v", o)
	}
	urgent := run(t, s, nil, "wait")
	urgent.awaitReady()
	urgent.StopAfter(time.Hour, "done")
	urgent.Stop("now")
	if o := urgent.outcome(); o.StopReason != "done" || o.Clean() {
		t.Errorf("%+v", o)
	}
}

// A child gets clean signals, no stdin, and the files that its parent was given.
func TestCleanStart(t *testing.T) {
	s := supervise(t)
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
		sp.Argv, sp.Env = []string{"/bin/sh", "-c", fmt.Sprintf("readlink /proc/$$/fd/%d /proc/$$/fd/0", fd)}, os.Environ()
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
	if os.Getenv(guardedVar) != "" {
		if err := guardBy(s); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 70
		}
	}
	if err := os.Setenv(childVar, os.Getenv(guardedVar)); err != nil {
		return 70
	}
	env := os.Environ()
	p := s.Start(supervisor.Spec{Argv: args[1:], Env: env, Log: args[0], Copy: os.Stdout, Ladder: supervisor.Ladder{Budget: bound}})
	<-p.Done()
	return p.Outcome().Code
}

// A supervisor that was started with signals ignored or blocked, as a shell does in the background, does not hand that on.
func TestSignalsAreReset(t *testing.T) {
	supervise(t)
	script := `trap '' INT QUIT HUP PIPE USR1; exec "$@"`
	cmd := exec.Command("/bin/sh", "-c", script, "sh", os.Args[0], filepath.Join(t.TempDir(), "log"), "grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status")
	cmd.Env = append(os.Environ(), childVar+"=supervised")
	out, err := startBlocked(t, cmd)
	want := "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
	if err != nil || out != want {
		t.Errorf("%v: the child has\n%swant\n%s", err, out, want)
	}
}

// startBlocked runs a command as the worst parent does: with SIGTERM and SIGUSR2 blocked, because Go hands on the mask of
// the thread that forks, and by posix_spawn, which ignores the C library's own signal 32.
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

// The raw bytes are all there, whatever they are.
func TestRawLog(t *testing.T) {
	s := supervise(t)
	for name, text := range map[string]string{
		"no last newline": "a\nb", "invalid UTF-8": "\xff\xfe\x00ok\n", "progress bar": "10%\r20%\r100%\n", "long line": strings.Repeat("y", 10<<20) + "\n",
		"empty": "",
	} {
		t.Run(name, func(t *testing.T) {
			in := filepath.Join(t.TempDir(), "in")
			if err := os.WriteFile(in, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			var lines []supervisor.Line
			c := run(t, s, func(sp *supervisor.Spec) {
				sp.Argv, sp.Env = []string{"cat", in}, os.Environ()
				sp.OnLine = func(l supervisor.Line) { lines = append(lines, l) }
			}, "")
			c.outcome()
			if c.output() != text {
				t.Errorf("the file differs: %d bytes, want %d", len(c.output()), len(text))
			}
			total := 0
			for _, l := range lines {
				total += len(l.Text)
				if len(l.Text) > supervisor.MaxLine {
					t.Errorf("a line of %d bytes", len(l.Text))
				}
			}
			if name == "long line" && (len(lines) != 160 || total != 10<<20 || !lines[0].Partial || lines[159].Partial) {
				t.Errorf("%d lines, %d bytes", len(lines), total)
			}
			if name == "progress bar" && (len(lines) != 1 || lines[0].Text != "100%") {
				t.Errorf("lines %+v", lines)
			}
			if _, err := os.Stat(strings.TrimSuffix(c.log, ".log") + ".done"); err != nil {
				t.Error(err)
			}
		})
	}
}

// slow is a reader of the copy that takes its time, or is stuck.
type slow struct {
	unblock chan struct{}
	n       int
}

func (w *slow) Write(b []byte) (int, error) {
	<-w.unblock
	w.n += len(b)
	return len(b), nil
}

// A copy whose reader is stuck neither blocks the child nor loses a byte of the file; what it misses is counted.
func TestStuckCopy(t *testing.T) {
	w := &slow{unblock: make(chan struct{})}
	c := run(t, supervise(t), func(sp *supervisor.Spec) { sp.Copy = w }, "flood", "40")
	select {
	case <-c.Exited():
	case <-time.After(bound):
		t.Fatal("the child is blocked by the copy's reader")
	}
	o := c.outcome()
	if o.Code != 0 || len(c.output()) != 40<<20/(1<<20)*1000*1000 || o.LogDropped == 0 {
		t.Errorf("code %d, %d bytes in the file, %d dropped", o.Code, len(c.output()), o.LogDropped)
	}
	close(w.unblock)
}

// A copy that fails is given up; the file goes on.
func TestFailingCopy(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	c := run(t, supervise(t), func(sp *supervisor.Spec) { sp.Copy = w }, "flood", "5")
	if o := c.outcome(); o.Code != 0 || len(c.output()) != 5_000_000 || o.LogDropped != 5_000_000 {
		t.Errorf("code %d, %d bytes in the file, %d dropped", o.Code, len(c.output()), o.LogDropped)
	}
}

// A file that cannot take more is told, with the number of bytes that are missing; the child goes on.
func TestFullDisk(t *testing.T) {
	var copied bytes.Buffer
	c := run(t, supervise(t), func(sp *supervisor.Spec) { sp.Log, sp.Copy = "/dev/full", &copied }, "print", "hello")
	if o := c.outcome(); o.Code != 0 || o.LogUnstored != 5 || !strings.Contains(o.LogFault, "no space") || copied.String() != "hello" {
		t.Errorf("%+v, copy %q", o, copied.String())
	}
}

func TestSecretsAreHidden(t *testing.T) {
	var copied bytes.Buffer
	c := run(t, supervise(t), func(sp *supervisor.Spec) {
		sp.Copy, sp.Redact = &copied, supervisor.NewRedactor([]string{"X_TOKEN=s3cr3t-value"})
	}, "print", "a s3cr3t-value b\nlast s3cr3t-value")
	o := c.outcome()
	want := "a [redacted] b\nlast [redacted]"
	if copied.String() != want || strings.Join(o.Tail, "\n") != want || strings.Join(c.Tail(), "\n") != want {
		t.Errorf("copy %q, tail %q", copied.String(), o.Tail)
	}
	if !strings.Contains(c.output(), "s3cr3t-value") {
		t.Error("the raw file is not raw")
	}
}

func TestHeadline(t *testing.T) {
	c := run(t, supervise(t), nil, "traceback")
	o := c.outcome()
	if o.Headline != "ValueError: no such model: x" || len(o.Tail) != 6 {
		t.Errorf("headline %q of %d lines", o.Headline, len(o.Tail))
	}
	if o := run(t, supervise(t), nil, "print", "RuntimeError: but it went well").outcome(); o.Headline != "" {
		t.Errorf("a child that ended well has the headline %q", o.Headline)
	}
}

func TestPeakMemoryAndCPU(t *testing.T) {
	c := run(t, supervise(t), nil, "hog", "100")
	if o := c.outcome(); o.PeakRSS < 100<<20 || o.PeakRSS > 1<<30 || o.CPU <= 0 || o.OOM {
		t.Errorf("peak %d MiB, CPU %v, OOM %v", o.PeakRSS>>20, o.CPU, o.OOM)
	}
}

// Other children of the process are left alone, and their status is theirs.
func TestOtherChildrenKeepTheirStatus(t *testing.T) {
	s := supervise(t)
	var wg sync.WaitGroup
	codes := make([]int, 40)
	for i := range codes {
		wg.Go(func() {
			c := run(t, s, func(sp *supervisor.Spec) { sp.Argv, sp.Env = []string{"/bin/sh", "-c", fmt.Sprintf("exit %d", i)}, nil }, "")
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

// guardedVar makes the program "supervised" start a guard, and names the program that it supervises.
const guardedVar = "SUPERVISOR_TEST_GUARDED"

func guardBy(s *supervisor.Supervisor) error {
	if err := os.Setenv(childVar, "guard"); err != nil {
		return err
	}
	return s.Guard(os.Args[0])
}

func guard(args []string) int {
	if _, err := supervisor.Watch(os.Stdin, args[0]); err != nil {
		return 1
	}
	return 0
}

// A supervisor that is killed takes its whole tree with it, wherever the tree has moved to.
func TestGuard(t *testing.T) {
	supervise(t) // what the killed one leaves comes here
	log := filepath.Join(t.TempDir(), "log")
	cmd := exec.Command(os.Args[0], log, os.Args[0])
	cmd.Env = append(os.Environ(), childVar+"=supervised", guardedVar+"=tree")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if line := make([]byte, 6); !readFull(out, line) || string(line) != "ready\n" {
		t.Fatalf("the tree is not ready: %q", line)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for deadline := time.Now().Add(bound); ; time.Sleep(5 * time.Millisecond) {
		if !anyChild(t) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the tree outlives its supervisor") // nothingLeft names it
		}
	}
}

func readFull(r interface{ Read([]byte) (int, error) }, b []byte) bool {
	for n := 0; n < len(b); {
		m, err := r.Read(b[n:])
		if n += m; err != nil {
			return n == len(b)
		}
	}
	return true
}

// anyChild tells whether this process has a child.
func anyChild(t *testing.T) bool {
	t.Helper()
	files, _ := filepath.Glob("/proc/self/task/*/children")
	for _, f := range files {
		if pids, _ := os.ReadFile(f); len(bytes.TrimSpace(pids)) > 0 {
			return true
		}
	}
	return false
}
