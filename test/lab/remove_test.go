package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDownLeavesNothing(t *testing.T) {
	for _, cgroup := range []bool{false, true} {
		t.Run(fmt.Sprintf("cgroup=%t", cgroup), func(t *testing.T) {
			l := begin(t, Options{Hosts: 3, GPUs: 2, Accounting: true, Cgroup: cgroup})
			if err := l.raise(t.Context()); err != nil {
				t.Fatal(err)
			}
			leaveProcesses(t, l)
			namespaces := l.dir.namespaces(l.dir.pinned()...)
			if there := remains(t, l.dir, namespaces); len(there) < 40 {
				t.Errorf("too little is seen of a lab that is up: %v", there)
			}
			if err := l.dir.remove(); err != nil {
				t.Error(err)
			}
			checkGone(t, l, namespaces)
		})
	}
}

func TestDownTwiceIsDown(t *testing.T) {
	l := Start(t, Options{Hosts: 1})
	for range 2 {
		if err := l.Down(); err != nil {
			t.Error(err)
		}
	}
}

// leaveProcesses makes the kinds of processes that are hard to get rid of: a running step, one that ignores SIGTERM in
// a session of its own, one that left its host's network, and one that stopped.
func leaveProcesses(t *testing.T, l *Lab) {
	t.Helper()
	const script = `trap '' TERM
setsid sleep 987 &
unshare --net sleep 987 &
sleep 987 & kill -STOP $!
touch $1/$(hostname)
wait`
	on(t, l, "", "sbatch", "-N", "2", "--output=/dev/null", "--wrap",
		fmt.Sprintf("srun sh -c '%s' sh %s", strings.ReplaceAll(script, "'", `'\''`), l.Shared()))
	eventually(t, "left processes", "2", func() string {
		files, _ := filepath.Glob(filepath.Join(l.Shared(), "gpu*"))
		return fmt.Sprint(len(files))
	})
}

func TestUpWaitsForTheLock(t *testing.T) {
	Start(t, Options{Hosts: 1})
	_, err := Up(t.Context(), Options{LockWait: 100 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "uses the lab") {
		t.Errorf("got %v", err)
	}
}

// What follows calls what Up calls under the lock. To release the lock would let the tests of another package in.

func TestUpRefusesALabThatIsUp(t *testing.T) {
	l := Start(t, Options{Hosts: 1})
	if err := dir("/run/disagg-lab-other").makeRoom(true); err == nil ||
		!strings.Contains(err.Error(), "the lab in "+string(l.dir)+" is up") {
		t.Errorf("other directory: got %v", err)
	}
	if err := l.dir.makeRoom(false); err == nil || !strings.Contains(err.Error(), "already up in "+string(l.dir)) {
		t.Errorf("same directory: got %v", err)
	}
	l.opts.Replace = true
	raiseTwoHosts(t, l)
}

func TestUpClearsADeadLabAway(t *testing.T) {
	l := Start(t, Options{Hosts: 1})
	killHosts(t, l)
	if _, err := Open(string(l.dir)); err == nil || !strings.Contains(err.Error(), "it is dead") {
		t.Errorf("open: got %v", err)
	}
	raiseTwoHosts(t, l)
}

func TestDeadLabIsTakenDown(t *testing.T) {
	l := Start(t, Options{Hosts: 2})
	killHosts(t, l)
	if err := l.dir.remove(); err != nil {
		t.Error(err)
	}
	checkGone(t, l, nil)
}

// killHosts leaves a lab like a machine that was kept without its processes.
func killHosts(t *testing.T, l *Lab) {
	t.Helper()
	if err := killAll(l.dir.namespaces(l.dir.pinned()...)); err != nil {
		t.Fatal(err)
	}
}

func raiseTwoHosts(t *testing.T, l *Lab) {
	t.Helper()
	l.opts.Hosts = 2
	if err := l.raise(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := words(on(t, l, "", "srun", "-N", "2", "hostname")); got != "gpu1 gpu2" {
		t.Errorf("got %s", got)
	}
}

func TestOpenedLabIsTheSameLab(t *testing.T) {
	if _, err := Open("/run/disagg-lab-none"); err == nil || !strings.Contains(err.Error(), "no lab is up there") {
		t.Errorf("none: got %v", err)
	}
	l := Start(t, Options{Hosts: 2})
	opened, err := Open(string(l.dir))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(opened.Hosts(), l.Hosts()) || !slices.Equal(opened.Env(), l.Env()) {
		t.Errorf("got %v %v", opened.Hosts(), opened.Env())
	}
	if err := opened.Down(); err == nil || !strings.Contains(err.Error(), "uses the lab") {
		t.Errorf("down while in use: got %v", err)
	}
}

// A wrong DISAGG_LAB_DIR must not cost anyone files, or hide them.
func TestOtherDirectoriesAreLeftAlone(t *testing.T) {
	d := dir(filepath.Join(t.TempDir(), "home"))
	if err := os.MkdirAll(d.path("ns"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.pin("gpu1", "net"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Down(string(d)); err != nil {
		t.Error(err)
	}
	if err := d.makeEmpty(); err == nil || !strings.Contains(err.Error(), "holds something else, as ns") {
		t.Errorf("up: got %v", err)
	}
	if _, err := os.Stat(d.pin("gpu1", "net")); err != nil {
		t.Error(err)
	}
}

func TestUpThatFailsLeavesNothingAndTellsWhy(t *testing.T) {
	l := begin(t, Options{CPUs: 1 << 20}) // more than slurmctld takes
	if err := l.raise(t.Context()); err == nil || !strings.Contains(err.Error(), "fatal") {
		t.Errorf("got %v, want what slurmctld logs", err)
	}
	checkGone(t, l, nil)
}

func TestUpStopsWithItsContext(t *testing.T) {
	l := begin(t, Options{Accounting: true})
	for _, patience := range []int{10, 60, 200, 600} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(patience)*time.Millisecond)
		if err := l.raise(ctx); err == nil {
			t.Errorf("up in %d ms", patience)
			l.dir.remove()
		}
		cancel()
		checkGone(t, l, nil)
	}
}

func TestComplaintsQuoteErrorsOrElseTheLastLine(t *testing.T) {
	d := dir(t.TempDir())
	if err := os.Mkdir(d.path("log"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := d.complaints(); err != nil {
		t.Errorf("no logs: %v", err)
	}
	for name, text := range map[string]string{"a.log": "fatal: no\nfine\n", "b.log": "one\ntwo\n", "c.log": ""} {
		if err := os.WriteFile(d.log(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := "the logs end with:\na.log: fatal: no\nb.log: two"
	if err := d.complaints(); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
