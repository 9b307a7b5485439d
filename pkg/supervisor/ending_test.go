package supervisor_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/logtee"
	"github.com/disagg/disagg/pkg/supervisor"
	"github.com/disagg/disagg/test/check"
)

// ways are those in which a process may end.
var ways = map[string]struct {
	code   int
	signal string
}{"7": {7, ""}, "killed": {137, "SIGKILL"}}

// awaitEnd has it end, waits until that is told, and checks how.
func (h held) awaitEnd(how string) {
	h.t.Helper()
	h.end()
	h.awaitExit()
	told := time.Now()
	if o, want := h.Ended(), ways[how]; o.Code != want.code || o.Signal != want.signal || !o.Started ||
		!o.EndedAt.Before(told) || o.EndedAt.Before(o.StartedAt) {
		h.t.Errorf("%+v", o)
	}
}

// The end of a process that nobody can collect is told, as it was, and a request to stop that comes later is not why.
func TestEndThatNobodyCanCollect(t *testing.T) {
	for how := range ways {
		t.Run(how, func(t *testing.T) {
			h := runHeld(t, how)
			h.awaitEnd(how)
			h.Stop("too late")
			if o := h.outcome(); o.StopReason != "" || o.Code != ways[how].code || len(o.Survivors) > 0 {
				t.Errorf("%+v", o)
			}
		})
	}
}

// The end of a process that the kernel does not free is told too. Whoever asks it to stop waits for it as for any
// other; what the kernel says when it frees it at last completes the outcome, and is counted once.
func TestEndOfWhatIsNotFreed(t *testing.T) {
	for how := range ways {
		t.Run(how, func(t *testing.T) { completedLate(t, how) })
	}
}

func completedLate(t *testing.T, how string) {
	h := runKept(t, how)
	h.awaitEnd(how)
	used := h.Ended().CPU
	h.Stop("too late")
	select {
	case <-h.Done():
		t.Errorf("nobody waits for it to be freed: %+v", h.Outcome())
	case <-time.After(300 * time.Millisecond): // longer than what is left of the tree is killed for
	}
	h.letGo()
	o := h.outcome()
	if o.StopReason != "" || o.Code != ways[how].code || len(o.Survivors) > 0 {
		t.Errorf("%+v", o)
	}
	if o.PeakRSS == 0 || used == 0 || o.CPU < used/2 || o.CPU > used*3/2+20*time.Millisecond {
		t.Errorf("it had used %v when it ended; in all %v, and %d bytes", used, o.CPU, o.PeakRSS)
	}
}

// A process that the kernel takes a while to free ended when it was last seen alive, not when it was freed.
func TestEndBeforeItIsFreed(t *testing.T) {
	h := runKept(t, "7")
	h.end()
	for begun := time.Now(); h.LookForEnd().IsZero() && time.Since(begun) < bound; time.Sleep(time.Millisecond) {
	}
	freed := time.Now()
	go h.letGo()
	for gone := false; !gone; {
		select {
		case <-h.Exited():
			gone = true
		default:
			h.LookForEnd()
		}
	}
	if o := h.outcome(); o.Code != 7 || !o.EndedAt.Before(freed) {
		t.Errorf("ended %v after it was freed: %+v", o.EndedAt.Sub(freed), o)
	}
}

// Who has no patience does not wait for a process that the kernel does not free: it is told to be left.
func TestKillDoesNotWait(t *testing.T) {
	h := runKept(t, "7")
	h.Kill("at once")
	o := h.outcome()
	left := func(s supervisor.Survivor) bool { return s.PID == h.PID() }
	if o.Signal == "" || o.StopReason != "at once" || !slices.ContainsFunc(o.Survivors, left) {
		t.Errorf("%+v", o)
	}
}

// reexec is a program that executes itself so many times from a thread that is not its first, which the kernel ends
// each time, and then waits.
func reexec(args []string) int {
	n := number(args[0])
	if n == 0 {
		ready()
		select {}
	}
	failed := make(chan error)
	go func() {
		runtime.LockOSThread() // the first thread is that of the package's init
		failed <- syscall.Exec("/proc/self/exe", []string{os.Args[0], fmt.Sprint(n - 1)}, os.Environ())
	}()
	panic(<-failed)
}

// A process that has put another program in its place goes on, and can be stopped, whatever a look has seen meanwhile.
func TestExecFromAnotherThread(t *testing.T) {
	c := run(t, check.Supervise(t), nil, "reexec", "30")
	seen := 0
	for isReady := false; !isReady; {
		select {
		case <-c.ready:
			isReady = true
		case <-c.Exited():
			t.Fatalf("%+v; looks that saw it end: %d", c.Ended(), seen)
		default:
			if !c.LookForEnd().IsZero() {
				seen++
			}
		}
	}
	t.Logf("%d looks saw it end", seen)
	if at := c.LookForEnd(); !at.IsZero() {
		t.Errorf("it is still seen to end, since %v", at)
	}
	c.Stop("asked")
	if o := c.outcome(); o.StopReason != "asked" || o.Code == 0 {
		t.Errorf("%+v", o)
	}
}

// stranger is a program that supervises one that is freed late, and prints what it was told. It is root without the
// right to inspect others, and supervises a process of nobody; or it is nobody itself, as it is told.
func stranger(args []string) int {
	as := args[0]
	switch {
	case as == "nobody":
		if err := syscall.Setuid(65534); err != nil {
			fmt.Print(err)
			return 1
		}
	case len(args) == 1:
		runtime.LockOSThread()
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SYS_PTRACE, 0, 0, 0); err != nil {
			fmt.Print(err)
			return 1
		}
		panic(syscall.Exec("/proc/self/exe", []string{os.Args[0], as, "now"}, os.Environ()))
	}
	fmt.Print(supervising(func(s *supervisor.Supervisor, dir string, log *os.File) error {
		return superviseStranger(s, dir, log, as)
	}))
	return 0
}

func superviseStranger(s *supervisor.Supervisor, dir string, log *os.File, as string) error {
	isReady := make(chan struct{})
	child := "nobody" // what it is
	if as == child {
		child = os.DevNull // it is that already: what it has open
	}
	file := filepath.Join(dir, "end")
	p := s.Start(supervisor.Spec{
		Argv: []string{"/proc/self/exe", file, "7", child}, Env: []string{childVar + "=traceable"},
		Output: logtee.Options{Log: log, OnLine: func(logtee.Line) { close(isReady) }},
	})
	<-isReady
	letGo, err := hold(s, "tracer", fmt.Sprint(p.PID()))
	if err != nil {
		p.Kill(err.Error())
		<-p.Done()
		return err
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return err
	}
	early := false
	select {
	case <-p.Exited():
		early = true
	case <-time.After(time.Second): // twice as long as the end of others is waited for
	}
	letGo()
	<-p.Done()
	return fmt.Errorf("told before it was freed: %t; ended with %d", early, p.Outcome().Code)
}

// The end of a process that may not be inspected is told once the kernel says how it ended: until then it says 0 to
// everybody who may not know. That of one's own process is known, also to somebody who is not root.
func TestEndOfAStranger(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can start a process that it may not inspect")
	}
	for as, want := range map[string]string{
		"root":   "told before it was freed: false; ended with 7",
		"nobody": "told before it was freed: true; ended with 7",
	} {
		t.Run(as, func(t *testing.T) {
			c := run(t, check.Supervise(t), nil, "stranger", as)
			if o := c.outcome(); o.Code != 0 || c.output() != want {
				t.Errorf("%+v: %s", o, c.output())
			}
		})
	}
}

// leaderless is a program whose first thread ends, on which it is run, while the others go on.
func leaderless([]string) int {
	go func() { ready(); select {} }()
	_, _, _ = unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0)
	return 1
}

// headless is a program that has a descendant whose first thread has ended, in a session of its own.
func headless([]string) int {
	_ = os.Setenv(childVar, "leaderless")
	pid, err := syscall.ForkExec("/proc/self/exe", []string{os.Args[0]},
		&syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0}, Sys: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		panic(err)
	}
	for !bytes.Contains(firstThread(pid), []byte(") Z ")) {
		time.Sleep(time.Millisecond)
	}
	ready()
	select {}
}

func firstThread(pid int) []byte {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return stat
}

// A descendant whose first thread has ended is ended like any other.
func TestDescendantWithoutItsFirstThread(t *testing.T) {
	soon := func(s *supervisor.Spec) { s.StopPolicy.Budget = 100 * time.Millisecond }
	c := run(t, check.Supervise(t), soon, "headless")
	c.awaitReady()
	c.Stop("asked")
	if o := c.outcome(); o.StopReason != "asked" || len(o.Survivors) > 0 {
		t.Errorf("%+v", o)
	}
}

// A process whose first thread has ended lives on in the others.
func TestFirstThreadEnds(t *testing.T) {
	c := run(t, check.Supervise(t), nil, "leaderless")
	c.awaitReady()
	c.awaitState('Z')
	select {
	case <-c.Exited():
		t.Fatalf("it has ended: %+v", c.Ended())
	case <-time.After(1200 * time.Millisecond): // several looks
	}
	c.Stop("asked")
	if o := c.outcome(); o.StopReason != "asked" || o.Signal != "SIGTERM" && o.Code == 0 {
		t.Errorf("%+v", o)
	}
	if err := syscall.Kill(c.PID(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("it is still there: %v", err)
	}
}
