package supervisor_test

import (
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/test/check"

	"github.com/disagg/disagg/pkg/supervisor"
)

func TestPeakMemoryAndCPU(t *testing.T) {
	c := run(t, check.Supervise(t), nil, "hog", "100")
	if o := c.outcome(); o.PeakRSS < 100<<20 || o.PeakRSS > 1<<30 || o.CPU <= 0 || o.OOM {
		t.Errorf("peak %d MiB, CPU %v, OOM %v", o.PeakRSS>>20, o.CPU, o.OOM)
	}
}

// What a tree uses is more than its largest process does.
func TestTreeMemory(t *testing.T) {
	c := run(t, check.Supervise(t), nil, "hogs", "3", "60")
	if o := c.outcome(); o.PeakRSS < 180<<20 || o.PeakRSS > 2<<30 {
		t.Errorf("peak %d MiB", o.PeakRSS>>20)
	}
}

// sharers is so many processes that share so many MB.
func sharers(args []string) int {
	fd, err := unix.MemfdCreate("shared", 0)
	if err == nil {
		err = unix.Ftruncate(fd, int64(number(args[1]))<<20)
	}
	files := []*os.File{os.NewFile(uintptr(fd), "shared")}
	for range number(args[0]) {
		if err != nil {
			panic(err)
		}
		cmd := exec.Command("/proc/self/exe", args[1])
		cmd.Env, cmd.ExtraFiles = append(os.Environ(), childVar+"=sharer"), files
		var out io.Reader
		if out, err = cmd.StdoutPipe(); err == nil {
			err = cmd.Start()
		}
		if err == nil {
			_, err = io.ReadFull(out, make([]byte, len("ready\n")))
		}
	}
	ready()
	select {}
}

func sharer(args []string) int {
	data, err := unix.Mmap(3, 0, number(args[0])<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	for i := 0; i < len(data); i += 4096 {
		data[i] = 1
	}
	ready()
	select {}
}

// What the processes of a tree share counts once.
func TestSharedMemory(t *testing.T) {
	c := run(t, check.Supervise(t), nil, "sharers", "5", "200")
	c.awaitReady()
	if v := c.Vitals(); v.RSS < 200<<20 || v.RSS > 600<<20 {
		t.Errorf("%d MiB", v.RSS>>20)
	}
	c.Kill("enough")
	if o := c.outcome(); o.PeakRSS < 200<<20 || o.PeakRSS > 600<<20 {
		t.Errorf("peak %d MiB", o.PeakRSS>>20)
	}
}

// However many orphans there were, what they used is counted.
func TestOrphansAreCounted(t *testing.T) {
	c := run(t, check.Supervise(t), func(sp *supervisor.Spec) {
		script := `for i in $(seq 100); do (sh -c 'i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done' &); done; sleep 1`
		sp.Argv, sp.Env = []string{"/bin/sh", "-c", script}, os.Environ()
	}, "")
	o := c.outcome()
	listed := time.Duration(0)
	for _, orphan := range o.Orphans {
		listed += orphan.CPU
	}
	if len(o.Orphans) != 64 || o.CPU <= listed {
		t.Errorf("%d orphans with %v, the tree %v", len(o.Orphans), listed, o.CPU)
	}
}

// How a tree is now can be asked while it runs, and afterwards; of what never ran nothing is known.
func TestVitals(t *testing.T) {
	s := check.Supervise(t)
	c := run(t, s, func(sp *supervisor.Spec) {
		const script = `sh -c 'while :; do :; done' & echo ready; wait`
		sp.Argv, sp.Env = []string{"/bin/sh", "-c", script}, os.Environ()
	}, "")
	c.awaitReady()
	var v supervisor.Vitals
	check.Eventually(t, "the tree has used time", func() bool { v = c.Vitals(); return v.CPU >= 50*time.Millisecond })
	if v.RSS < 1<<18 || v.RSS > 1<<30 || v.Output != int64(len("ready\n")) || time.Since(v.StartedAt) > bound {
		t.Errorf("%+v", v)
	}
	c.Kill("enough")
	o := c.outcome()
	after := c.Vitals()
	if after.CPU != o.CPU || after.CPU < v.CPU || after.RSS != 0 || after.StartedAt != v.StartedAt {
		t.Errorf("%+v, before the end %+v, outcome %v", after, v, o.CPU)
	}
	never := run(t, s, func(sp *supervisor.Spec) { sp.Argv = []string{"/no/such/program"} }, "")
	never.outcome()
	if v := never.Vitals(); v != (supervisor.Vitals{}) {
		t.Errorf("%+v", v)
	}
}

// Of a process whose first thread has ended, memory and arguments are known as of any other.
func TestKnownWithoutItsFirstThread(t *testing.T) {
	isFound := false
	c := run(t, check.Supervise(t), func(s *supervisor.Spec) {
		s.StopPolicy.Match = func(argv []string) bool {
			isFound = isFound || len(argv) > 0 && argv[0] == os.Args[0]
			return isFound
		}
	}, "leaderless")
	c.awaitReady()
	c.awaitState('Z')
	if v := c.Vitals(); v.RSS < 1<<20 || v.RSS > 1<<30 {
		t.Errorf("%+v", v)
	}
	c.Finish(0, "asked")
	if o := c.outcome(); o.StopReason != "asked" || !isFound {
		t.Errorf("its arguments were found: %v; %+v", isFound, o)
	}
}
