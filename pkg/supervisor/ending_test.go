package supervisor_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/test/check"
)

// held is a program that ends as it is told, by a code or "killed", and that nobody can reap: a process of its tree
// traces it, as the kernel keeps one whose driver does not let go of a device.
func held(args []string) int {
	_ = unix.Prctl(unix.PR_SET_PTRACER, ^uintptr(0), 0, 0, 0)
	c := exec.Command(os.Args[0], fmt.Sprint(os.Getpid()))
	c.Env = append(os.Environ(), childVar+"=tracer")
	said, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		return 1
	}
	answer := make([]byte, len("traced"))
	if n, _ := said.Read(answer); string(answer[:n]) != "traced" {
		fmt.Print("not allowed")
		return 1
	}
	ready()
	if args[0] == "killed" {
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	}
	return number(args[0])
}

// tracer traces a process until it is killed itself.
func tracer(args []string) int {
	runtime.LockOSThread() // a tracer is a thread
	pid := number(args[0])
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(pid), 0, 0, 0, 0)
	if errno != 0 {
		fmt.Print("refused")
		return 1
	}
	fmt.Print("traced")
	select {}
}

// leaderless is a program whose first thread ends, on which it is run, while the others go on.
func leaderless([]string) int {
	go func() { ready(); select {} }()
	_, _, _ = unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0)
	return 1
}

// The end of a process that nobody can reap is told, as it was, and a request to stop that comes later is not why.
func TestEndThatNobodyCanCollect(t *testing.T) {
	for how, want := range map[string]struct {
		code   int
		signal string
	}{"7": {7, ""}, "killed": {137, "SIGKILL"}} {
		c := run(t, check.Supervise(t), nil, "held", how)
		select {
		case <-c.Exited():
		case <-time.After(bound):
			t.Fatalf("%s: not told", how)
		}
		told := time.Now()
		c.Stop("too late")
		if strings.Contains(c.output(), "not allowed") {
			t.Skip("processes may not trace each other here")
		}
		o := c.outcome()
		if o.Code != want.code || o.Signal != want.signal || o.StopReason != "" || !o.Started ||
			!o.EndedAt.Before(told) || o.EndedAt.Before(o.StartedAt) {
			t.Errorf("%s: %+v", how, o)
		}
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
