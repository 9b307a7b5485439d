package supervisor_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/disagg/disagg/test/check"

	"github.com/disagg/disagg/pkg/supervisor"
)

// programVar names what the program "supervised" supervises; guardVar makes it start a guard first.
const (
	programVar = "SUPERVISOR_TEST_PROGRAM"
	guardVar   = "SUPERVISOR_TEST_GUARDED"
)

func guardBy(s *supervisor.Supervisor) error {
	if err := os.Setenv(childVar, "guard"); err != nil {
		return err
	}
	return s.Guard(os.Args[0])
}

func guard(args []string) int {
	if _, err := supervisor.Watch(os.Stdin, supervisor.Left{Mark: args[0], Kin: args[1:]}); err != nil {
		return 1
	}
	return 0
}

// dieVar makes the program "supervised" tie its child's life to its own.
const dieVar = "SUPERVISOR_TEST_DIES"

// selfVar names a copy of this program that is to be the supervisor.
const selfVar = "SUPERVISOR_TEST_SELF"

// killSupervisor starts a supervisor of its own, kills it once its child is ready, and waits until nothing of it is
// left.
func killSupervisor(t *testing.T, before func(supervisor int), variables ...string) {
	t.Helper()
	check.Supervise(t) // what the killed one leaves comes here
	self := os.Args[0]
	if other := os.Getenv(selfVar); other != "" {
		self = other
	}
	cmd := exec.Command(self, filepath.Join(t.TempDir(), "log"), os.Args[0])
	cmd.Env = append(append(os.Environ(), childVar+"=supervised"), variables...)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }() // if the test fails before it does so
	if line := make([]byte, 6); !readFull(out, line) || string(line) != "ready\n" {
		t.Fatalf("the child is not ready: %q", line)
	}
	if before != nil {
		before(cmd.Process.Pid)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for deadline := time.Now().Add(bound); anyChild(t); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the child outlives its supervisor") // nothingLeft names it
		}
	}
}

// A supervisor that is killed takes its whole tree with it, wherever the tree has moved to.
func TestGuard(t *testing.T) { killSupervisor(t, nil, programVar+"=tree", guardVar+"=1") }

// One whose first thread has ended is found as well.
func TestGuardFindsWhatHasNoFirstThread(t *testing.T) {
	killSupervisor(t, nil, programVar+"=headless", guardVar+"=1")
}

// Slurm may send the guard what it sends to everybody before it kills.
func TestGuardHeedsNoSignal(t *testing.T) {
	signalled := 0
	killSupervisor(t, func(supervisor int) {
		for _, pid := range check.ChildrenOf(supervisor) {
			// Not by its name: what the tree forks is a shell too, until it has become what it is to run.
			if argv, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline",
				pid)); strings.Contains(string(argv), "\x00guard\x00") {
				signalled++
				awaitIgnored(t, pid, syscall.SIGUSR1)
				for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1} {
					if err := syscall.Kill(pid, sig); err != nil {
						t.Error(err)
					}
				}
			}
		}
	}, programVar+"=tree", guardVar+"=1")
	if signalled != 1 {
		t.Errorf("%d guards were signalled, want 1", signalled)
	}
}

// Without a guard, the child itself can still be tied to its supervisor.
func TestDiesWithParent(t *testing.T) { killSupervisor(t, nil, programVar+"=stubborn", dieVar+"=1") }

// awaitIgnored waits until a process ignores a signal.
func awaitIgnored(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	for deadline := time.Now().Add(bound); ; time.Sleep(time.Millisecond) {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		_, after, _ := strings.Cut(string(status), "SigIgn:")
		mask, _ := strconv.ParseUint(strings.TrimSpace(strings.SplitN(after, "\n", 2)[0]), 16, 64)
		if mask&(1<<(sig-1)) != 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d does not ignore %v", pid, sig)
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
	return len(check.ChildrenOf(os.Getpid())) > 0
}
