package supervisor_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/supervisor"
	"github.com/disagg/disagg/test/check"
)

// stuck is a program whose first thread waits for a file that no disk answers for.
func stuck(args []string) int {
	ready()
	_, _ = syscall.Open(args[0], syscall.O_RDONLY, 0)
	return 1
}

// A leader that not even SIGKILL ends holds nobody: it counts as killed, and is told to be left.
func TestLeaderThatCannotBeKilled(t *testing.T) {
	s := check.Supervise(t)
	d := hangingDisk(t, s)
	soon := func(s *supervisor.Spec) { s.StopPolicy.Budget, s.StopPolicy.TreeKill = time.Second/5, time.Second/20 }
	c := run(t, s, soon, "stuck", d.never())
	d.awaitAsked()
	c.Stop("asked")
	o := c.outcome()
	left := func(s supervisor.Survivor) bool { return s.PID == c.PID() && s.State == "D" }
	if o.Signal != "SIGKILL" || o.StopReason != "asked" || !slices.ContainsFunc(o.Survivors, left) {
		t.Errorf("%+v", o)
	}
	d.end()
}

// A helper that cannot be ended, or whose program lies on a disk that does not answer, counts as killed once its time
// is over. Nobody waits for it, nor does another process that is to be stopped meanwhile.
func TestHelperThatCannotBeEnded(t *testing.T) {
	for name, argv := range map[string]func(d disk) []string{
		"it hangs":          func(d disk) []string { return []string{"/proc/self/exe", d.never()} },
		"it is not started": func(d disk) []string { return []string{d.never()} },
	} {
		t.Run(name, func(t *testing.T) {
			s := check.Supervise(t)
			d := hangingDisk(t, s)
			c := run(t, s, nil, "wait")
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan string, 1)
			go func() {
				_, code, err := s.Run(ctx, argv(d), []string{childVar + "=stuck"})
				ended <- fmt.Sprint(code, err)
			}()
			d.awaitAsked()
			c.awaitReady()
			c.Stop("asked")
			if o := c.outcome(); o.StopReason != "asked" || len(o.Survivors) > 0 {
				t.Errorf("%+v", o)
			}
			cancel()
			if got := <-ended; got != "137 <nil>" {
				t.Error(got)
			}
			d.end()
		})
	}
}

// A crash is told while the memory of the process is still written to a file, which takes minutes for a large one: its
// connections stay open meanwhile.
func TestCrashThatIsBeingWritten(t *testing.T) {
	if pattern, _ := os.ReadFile("/proc/sys/kernel/core_pattern"); strings.ContainsAny(string(pattern), "|/") {
		t.Skip("the kernel does not write to the folder of who crashed")
	}
	s := check.Supervise(t)
	d := hangingDisk(t, s)
	inDir := func(s *supervisor.Spec) {
		s.Dir, s.Argv = d.dir, []string{"/bin/sh", "-c", "ulimit -c unlimited; kill -SEGV $$; sleep 600"}
	}
	c := run(t, s, inDir, "")
	begun := time.Now()
	select {
	case <-c.Exited():
	case <-time.After(bound):
		t.Fatal("it is not told")
	}
	if o := c.Ended(); o.Signal != "SIGSEGV" {
		t.Errorf("after %v: %+v", time.Since(begun), o)
	}
	d.letGo()
	if o := c.outcome(); o.Signal != "SIGSEGV" || len(o.Survivors) > 0 {
		t.Errorf("%+v", o)
	}
}

// grouped is a program that ends at once when it is asked, and has a descendant in another group.
func grouped([]string) int {
	c := exec.Command("/proc/self/exe", "15")
	c.Env = append(os.Environ(), childVar+"=polite")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Stdout = os.Stdout
	if err := c.Start(); err != nil {
		panic(err)
	}
	select {}
}

// What is in another group is asked to end too, once its leader has ended.
func TestOtherGroupIsAsked(t *testing.T) {
	c := run(t, check.Supervise(t), nil, "grouped")
	c.awaitReady()
	c.Stop("asked")
	if o := c.outcome(); o.Signal != "SIGTERM" || !strings.Contains(c.output(), "asked 1 times") {
		t.Errorf("%+v: %s", o, c.output())
	}
}
