package supervisor_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/supervisor"
	"github.com/disagg/disagg/test/check"
)

// locked is a program whose memory is locked for as long as a file system does not answer: it frees what it has written
// to a file there, and allocates memory meanwhile. Who asks for its arguments then waits with it.
func locked(args []string) int {
	fd, err := unix.Open(args[0], unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		panic(err)
	}
	data, err := unix.Mmap(fd, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	data[0] = 1
	go func() {
		time.Sleep(50 * time.Millisecond)
		_, _ = unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON)
	}()
	ready()
	_ = unix.Munmap(data)
	select {}
}

// hanging is how many threads of a process hang in the kernel.
func hanging(pid int) (n int) {
	stats, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, file := range stats {
		if stat, err := os.ReadFile(file); err == nil && bytes.Contains(stat, []byte(") D ")) {
			n++
		}
	}
	return n
}

// Whom to ask is looked for by arguments. A process that does not tell them holds nobody up.
func TestArgumentsThatAreNotTold(t *testing.T) {
	s := check.Supervise(t)
	d := hangingDisk(t, s)
	device := d.device()
	c := run(t, s, func(s *supervisor.Spec) {
		s.StopPolicy = supervisor.StopPolicy{
			Budget: 100 * time.Millisecond, TreeKill: 50 * time.Millisecond,
			Match: func(argv []string) bool { return len(argv) == 2 && argv[1] == device },
		}
		s.Argv = []string{"/bin/sh", "-c", `"$@" & wait`, "sh", os.Args[0], device}
	}, "locked")
	c.awaitReady()
	check.Eventually(t, "memory is locked", func() bool {
		return slices.ContainsFunc(check.ChildrenOf(c.PID()), func(pid int) bool { return hanging(pid) > 1 })
	})
	c.Finish(0, "asked")
	select {
	case <-c.Done():
	case <-time.After(bound):
		t.Error("nobody was asked to end")
	}
	d.letGo()
	if o := c.outcome(); o.StopReason != "asked" || o.Signal != "SIGTERM" {
		t.Errorf("%+v", o)
	}
	d.end()
}
