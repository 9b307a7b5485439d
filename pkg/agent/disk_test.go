package agent

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/logtee"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/supervisor"
	"github.com/disagg/disagg/test/check"
)

// fullPipe puts a pipe in the place of a file that takes nothing any more: whoever writes to it waits until the test
// ends.
func fullPipe(t *testing.T, file string) {
	t.Helper()
	if err := unix.Mkfifo(file, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer f.Close()
		check.Eventually(t, "nobody waits any more", func() bool {
			_ = f.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			_, _ = f.Read(make([]byte, 1<<20))
			stacks := make([]byte, 1<<20)
			return !bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("logtee.(*Tee).Run("))
		})
	})
}

// While the run directory does not answer, which it never does here, neither the agent's own log nor its child's keeps
// the end of the child from being reported, or the agent from being stopped in time.
func TestRunDirectoryHangs(t *testing.T) {
	for name, script := range map[string]string{
		"the child ends":        "head -c 300000 /dev/zero; exit 7",
		"the child has to stop": "head -c 300000 /dev/zero; touch printed; exec sleep 600",
	} {
		t.Run(name, func(t *testing.T) {
			disk := rundir.NewDisk(rundir.DiskOptions{})
			gate := make(chan struct{})
			a := prepareAgent(t, gen0, script, func(a *agent) {
				a.opts.Log = diskLog(disk, filepath.Join(t.TempDir(), "agent.log"))
			})
			t.Cleanup(func() { disk.Close(bound) })
			t.Cleanup(func() { close(gate) })
			fullPipe(t, a.w.attempt.RankLog(gen0))
			disk.Do("hang", 0, func() error { <-gate; return nil }, nil)
			a.live()
			a.tell(protocol.CommandStart)
			a.until(protocol.EventStarted)
			if name == "the child ends" {
				if e := a.until(protocol.EventExited); e.Outcome.Code != 7 {
					t.Errorf("%+v", e.Outcome)
				}
			} else {
				a.await("what it prints", func() bool {
					_, err := os.Stat(filepath.Join(a.w.attempt.Work(gen0), "printed"))
					return err == nil
				})
			}
			a.signals <- syscall.SIGTERM
			a.until(protocol.EventLeaving)
			o := a.until(protocol.EventStopped).Outcome
			if o.LogFault == "" || o.LogUnstored == 0 {
				t.Errorf("the log is said to be complete: %+v", o)
			}
			select {
			case <-a.code:
			case <-time.After(bound):
				t.Error("the agent goes on")
			}
		})
	}
}

// A child whose files the run directory does not give holds nobody: a rank that is to stop leaves without it, and it is
// not started any more when the run directory answers at last.
func TestPreparationHangs(t *testing.T) {
	started := filepath.Join(t.TempDir(), "started")
	a := prepareAgent(t, gen0, "", func(a *agent) { // nothing is prepared before the start
		a.spec(func(s *recipe.RoleSpec) { s.Needs.Address = []roles.Kind{roles.Ctx} })
	})
	log, err := rundir.OpenRankLog(a.w.attempt.RankLog(gen0))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		a.link, a.signals = newLink(), make(chan os.Signal, 1)
		a.w.link, a.w.opts.Signals = a.link, a.signals
		a.w.inputs, a.w.over = make(chan any), make(chan struct{})
		hangs := &readyChild{done: make(chan struct{}), end: func() {}}
		hangs.spec = supervisor.Spec{
			Argv: []string{"/bin/sh", "-c", "touch " + started}, Output: logtee.Options{Log: log},
		}
		a.w.ready = hangs
		code := make(chan int)
		go func() { code <- a.w.live() }()
		a.tell(protocol.CommandStart)
		synctest.Wait()
		a.signals <- syscall.SIGTERM
		begun := time.Now()
		if got, took := <-code, time.Since(begun); got != protocol.ExitFailed || took > 100*time.Millisecond {
			t.Errorf("code %d after %v", got, took)
		}
		close(hangs.done)
	})
	if _, err := os.Stat(started); err == nil {
		t.Error("a child is started although its rank has left")
	}
}
