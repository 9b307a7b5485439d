package supervisor_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

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
	if _, err := supervisor.Watch(os.Stdin, args[0]); err != nil {
		return 1
	}
	return 0
}

// dieVar makes the program "supervised" tie its child's life to its own.
const dieVar = "SUPERVISOR_TEST_DIES"

// killSupervisor starts a supervisor of its own, kills it once its child is ready, and waits until nothing of it is left.
func killSupervisor(t *testing.T, variables ...string) {
	t.Helper()
	supervise(t) // what the killed one leaves comes here
	cmd := exec.Command(os.Args[0], filepath.Join(t.TempDir(), "log"), os.Args[0])
	cmd.Env = append(append(os.Environ(), childVar+"=supervised"), variables...)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if line := make([]byte, 6); !readFull(out, line) || string(line) != "ready\n" {
		t.Fatalf("the child is not ready: %q", line)
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
func TestGuard(t *testing.T) { killSupervisor(t, programVar+"=tree", guardVar+"=1") }

// Without a guard, the child itself can still be tied to its supervisor.
func TestDiesWithParent(t *testing.T) { killSupervisor(t, programVar+"=stubborn", dieVar+"=1") }

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
