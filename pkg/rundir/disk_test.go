package rundir_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/rundir"
)

// hung is an operation that is not answered until it is let go.
type hung struct{ begun, release chan struct{} }

// hang queues an operation that hangs, and waits until it is under way.
func hang(d *rundir.Disk, size int) hung {
	h := hung{begun: make(chan struct{}), release: make(chan struct{})}
	d.Do("hang", size, func() error {
		close(h.begun)
		<-h.release
		return nil
	}, nil)
	<-h.begun
	return h
}

func (h hung) end() { close(h.release) }

// diary notes what happened, in order, from any goroutine.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (y *diary) note(format string, args ...any) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.lines = append(y.lines, fmt.Sprintf(format, args...))
}

func (y *diary) want(t *testing.T, want ...string) {
	t.Helper()
	y.mu.Lock()
	defer y.mu.Unlock()
	if diff := cmp.Diff(want, y.lines); diff != "" {
		t.Error(diff)
	}
}

// operation is one that notes its turn, and how it went.
func (y *diary) operation(name string) (what string, size int, run func() error, done func(error)) {
	return name, 1, func() error { y.note("%s", name); return nil }, func(err error) { y.note("%s: %v", name, err) }
}

// Operations are done one at a time, in the order in which they were queued, and each says how it went.
func TestDiskKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := rundir.NewDisk(rundir.DiskOptions{})
		h := hang(d, 1)
		var y diary
		d.Do(y.operation("a"))
		d.Do("b", 1, func() error { return io.ErrShortWrite }, func(err error) { y.note("b: %v", err) })
		d.Do(y.operation("c"))
		h.end()
		if dropped := d.Close(time.Hour); dropped != 0 {
			t.Errorf("%d writes were dropped", dropped)
		}
		y.want(t, "a", "a: <nil>", "b: short write", "c", "c: <nil>")
	})
}

// Whoever waits for a Disk waits for what was queued just before too, however long ago something else was written.
func TestFlushWaitsForWhatWasJustQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := rundir.NewDisk(rundir.DiskOptions{})
		defer d.Close(0)
		for range 100 {
			done := false
			d.Do("write", 1, func() error { return nil }, func(error) { time.Sleep(time.Second); done = true })
			if !d.Flush(time.Hour) || !done {
				t.Fatal("what was queued was not waited for")
			}
			time.Sleep(time.Minute)
		}
	})
}

// A file that others read as a whole is written once, in its last version, if several versions wait; one whose writer
// wants to know the outcome is written for itself.
func TestWaitingVersionsAreReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := rundir.NewDisk(rundir.DiskOptions{})
		defer d.Close(0)
		h := hang(d, 1)
		file := filepath.Join(t.TempDir(), "state.json")
		var y diary
		for i := range 3 {
			d.Replace(file, fmt.Append(nil, i), false, nil)
		}
		d.Replace(file, []byte("3"), true, func(err error) {
			data, _ := os.ReadFile(file)
			y.note("third version: %v, %s", err, data)
		})
		d.Replace(file, []byte("4"), false, func(err error) {
			data, _ := os.ReadFile(file)
			y.note("fourth version: %v, %s", err, data)
		})
		h.end()
		d.Flush(time.Hour)
		y.want(t, "third version: <nil>, 3", "fourth version: <nil>, 4")
	})
}

// More than the bound does not wait. What is dropped says so, and so does Close; an operation alone may be of any size.
func TestDiskIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := rundir.NewDisk(rundir.DiskOptions{Bound: 10})
		alone := hang(d, 11)
		var y diary
		d.Do(y.operation("a"))
		d.Do("b", 1, func() error { t.Error("a dropped write was done"); return nil }, nil)
		alone.end()
		d.Flush(time.Hour)
		d.Do(y.operation("c"))
		if n := d.Close(time.Hour); n != 2 {
			t.Errorf("%d writes were dropped, want 2", n)
		}
		y.want(t, "a: cannot a: the run directory does not take it in time", "c", "c: <nil>")
	})
}

// A version that takes the place of one that waits counts for the bound by what it adds.
func TestReplacedVersionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := rundir.NewDisk(rundir.DiskOptions{Bound: 10})
		defer d.Close(0)
		h := hang(d, 4)
		file := filepath.Join(t.TempDir(), "state.json")
		d.Replace(file, []byte("12345"), false, nil)
		d.Replace(file, []byte("123456"), false, nil)
		var err error
		d.Replace(file, []byte("1234567"), false, func(e error) { err = e })
		if !errors.Is(err, rundir.ErrDropped) {
			t.Errorf("got %v for 11 bytes, want ErrDropped", err)
		}
		h.end()
		d.Flush(time.Hour)
		if data, _ := os.ReadFile(file); string(data) != "123456" {
			t.Errorf("the file holds %q", data)
		}
	})
}

// A disk that does not answer is reported once, when the patience is over, and once more when it answers, with how long
// it did not and what was dropped.
func TestStuckAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var y diary
		d := rundir.NewDisk(rundir.DiskOptions{
			Bound: 2, Patience: 5 * time.Second,
			OnStuck: func(what string) { y.note("stuck: %s", what) },
			OnBack: func(what string, after time.Duration, dropped int) {
				y.note("back: %s, after %v, %d dropped", what, after, dropped)
			},
		})
		for _, lost := range []int{3, 0} {
			h := hang(d, 2)
			time.Sleep(4 * time.Second)
			if s := d.Silence(); s != 4*time.Second {
				t.Errorf("silent for %v, want 4s", s)
			}
			for range lost {
				d.Do("write", 1, func() error { return nil }, nil)
			}
			time.Sleep(3 * time.Second)
			h.end()
			synctest.Wait()
		}
		if s := d.Silence(); s != 0 {
			t.Errorf("silent for %v, but nothing is under way", s)
		}
		h := hang(d, 1)
		time.Sleep(4 * time.Second)
		h.end()
		if n := d.Close(time.Hour); n != 3 {
			t.Errorf("%d writes were dropped, want 3", n)
		}
		y.want(t, "stuck: hang", "back: hang, after 7s, 3 dropped", "stuck: hang", "back: hang, after 7s, 0 dropped")
	})
}

// That the disk is back is never reported before that it was stuck: who hears both would take it for stuck for good.
func TestBackComesAfterStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var y diary
		slow := make(chan struct{})
		d := rundir.NewDisk(rundir.DiskOptions{
			Patience: time.Second,
			OnStuck:  func(string) { <-slow; y.note("stuck") },
			OnBack:   func(string, time.Duration, int) { y.note("back") },
		})
		h := hang(d, 1)
		time.Sleep(2 * time.Second)
		h.end()
		synctest.Wait()
		close(slow)
		d.Close(time.Hour)
		y.want(t, "stuck", "back")
	})
}

// Nobody need listen: a disk that was stuck goes on, and its losses are still known in the end.
func TestStuckWithoutListeners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := rundir.NewDisk(rundir.DiskOptions{Bound: 1, Patience: time.Second})
		h := hang(d, 1)
		d.Do("write", 1, func() error { return nil }, nil)
		time.Sleep(2 * time.Second)
		h.end()
		if n := d.Close(time.Hour); n != 1 {
			t.Errorf("%d writes were dropped, want 1", n)
		}
	})
}

// Flush gives up on an operation that is not answered for as long as its patience, and on no disk that is only slow.
func TestFlushIsPatientWithASlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := rundir.NewDisk(rundir.DiskOptions{})
		for range 10 {
			d.Do("write", 1, func() error { time.Sleep(2 * time.Second); return nil }, nil)
		}
		begun := time.Now()
		if !d.Flush(3*time.Second) || time.Since(begun) != 20*time.Second {
			t.Errorf("a slow disk was left after %v", time.Since(begun))
		}
		h := hang(d, 1)
		time.Sleep(time.Second)
		begun = time.Now()
		if d.Flush(3*time.Second) || time.Since(begun) != 2*time.Second {
			t.Errorf("a disk that hangs was left after %v", time.Since(begun))
		}
		h.end()
		d.Close(time.Hour)
	})
}

// Everybody who waits for a Disk goes on as soon as it has answered.
func TestAllThatWaitGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := rundir.NewDisk(rundir.DiskOptions{Bound: 1})
		h := hang(d, 1)
		var wg sync.WaitGroup
		begun := time.Now()
		for range 4 {
			wg.Go(func() { d.Flush(time.Hour) })
			wg.Go(func() { d.Room(1, time.Hour) })
		}
		time.Sleep(time.Second)
		h.end()
		wg.Wait()
		if waited := time.Since(begun); waited != time.Second {
			t.Errorf("the last went on after %v", waited)
		}
		d.Close(time.Hour)
	})
}

// A writer that can wait loses nothing on a slow disk, and goes on without waiting once the disk hangs.
func TestRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := rundir.NewDisk(rundir.DiskOptions{Bound: 10})
		for range 20 {
			d.Room(4, 2*time.Second)
			d.Do("write", 4, func() error { time.Sleep(time.Second); return nil }, func(err error) {
				if err != nil {
					t.Error(err)
				}
			})
		}
		d.Flush(time.Hour)
		h := hang(d, 10)
		begun := time.Now()
		for range 2 {
			if d.Room(1, 2*time.Second); time.Since(begun) != 2*time.Second {
				t.Errorf("waited for %v", time.Since(begun))
			}
		}
		d.Close(0)
		if d.Room(1, time.Hour); time.Since(begun) != 2*time.Second {
			t.Error("waited for room in what is closed")
		}
		h.end()
	})
}

// Close leaves behind what is not answered, tells everybody whose write was dropped, and refuses what comes later. When
// the disk answers after all, nothing else is written.
func TestCloseLeavesWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := rundir.NewDisk(rundir.DiskOptions{})
		h := hang(d, 1)
		var y diary
		d.Do(y.operation("a"))
		d.Do("b", 1, func() error { y.note("b"); return nil }, nil)
		begun := time.Now()
		if n := d.Close(3 * time.Second); n != 3 || time.Since(begun) != 3*time.Second {
			t.Errorf("%d writes were dropped after %v, want 3 after 3s", n, time.Since(begun))
		}
		d.Do(y.operation("c"))
		if n := d.Close(time.Second); n != 3 || time.Since(begun) != 3*time.Second {
			t.Errorf("closed again: %d writes were dropped after %v", n, time.Since(begun))
		}
		h.end()
		synctest.Wait()
		if n := d.Close(time.Second); n != 2 {
			t.Errorf("closed once the disk answered: %d writes were dropped, want 2", n)
		}
		y.want(t, "a: cannot a: the run directory does not take it in time", "c: cannot c: the writer is closed")
	})
}
