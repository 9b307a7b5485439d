package rundir_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/disagg/disagg/pkg/rundir"
)

// A Disk writes files whole, with the mode of what others may read, and leaves nothing else behind. A file that must
// not exist stays as it is if it does.
func TestDiskWritesFiles(t *testing.T) {
	dir := t.TempDir()
	d := openDisk(t, rundir.DiskOptions{})
	var first, second error
	d.Create(filepath.Join(dir, "a"), []byte("one"), func(err error) { first = err })
	d.Create(filepath.Join(dir, "a"), []byte("two"), func(err error) { second = err })
	for _, durable := range []bool{false, true} {
		file := filepath.Join(dir, fmt.Sprint(durable))
		writeFile(t, file, "old and longer", 0o600)
		d.Replace(file, []byte("new"), durable, nil)
	}
	d.Touch(filepath.Join(dir, "b.done"))
	d.Touch(filepath.Join(dir, "b.done")) // once more is no fault
	written(t, d)
	if first != nil || !errors.Is(second, fs.ErrExist) {
		t.Errorf("creating a file twice: %v, then %v", first, second)
	}
	holds(t, filepath.Join(dir, "a"), "one", 0o644)
	holds(t, filepath.Join(dir, "false"), "new", 0o644)
	holds(t, filepath.Join(dir, "true"), "new", 0o644)
	holds(t, filepath.Join(dir, "b.done"), "", 0o644)
	if got := names(t, dir); got != "a b.done false true" {
		t.Errorf("the folder holds %s", got)
	}
}

// A fault is told to whoever asked.
func TestDiskTellsFaults(t *testing.T) {
	d := openDisk(t, rundir.DiskOptions{})
	var err error
	d.Replace(filepath.Join(t.TempDir(), "none", "f"), nil, false, func(e error) { err = e })
	written(t, d)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// An appender adds to what is there, makes the folder if need be, and copies what it is given: the buffer can be used
// again.
func TestAppend(t *testing.T) {
	d := openDisk(t, rundir.DiskOptions{})
	file := filepath.Join(t.TempDir(), "logs", "x.log")
	a := d.Append(file)
	if err := errors.Join(a.Sync(), a.Close()); err != nil { // before anything was written
		t.Error(err)
	}
	written(t, d)
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file to which nothing was written is there: %v", err)
	}
	buf := []byte("a")
	for i := range 3 {
		buf[0] = 'a' + byte(i)
		if n, err := a.Write(buf); n != 1 || err != nil {
			t.Errorf("wrote %d, %v", n, err)
		}
	}
	_ = errors.Join(a.Sync(), a.Close())
	_, _ = a.Write([]byte("d")) // opens it again
	_ = a.Close()
	written(t, d)
	holds(t, file, "abcd", 0o644)
	if n, why := a.Lost(); n != 0 || why != nil {
		t.Errorf("%d writes were lost: %v", n, why)
	}
}

// What does not arrive is counted, with the first reason: what could not be written, and what the bound did not hold.
func TestLostWrites(t *testing.T) {
	d := openDisk(t, rundir.DiskOptions{Bound: 4})
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "taken"), "", 0o644)
	a := d.Append(filepath.Join(dir, "taken", "x.log")) // its folder cannot be made
	_, _ = a.Write([]byte("1"))
	written(t, d)
	h := hang(d, 4)
	_, _ = a.Write([]byte("2"))
	h.end()
	written(t, d)
	if n, why := a.Lost(); n != 2 || why == nil || !strings.Contains(why.Error(), "cannot open x.log") {
		t.Errorf("%d writes were lost: %v", n, why)
	}
}

// A file system may tell only when a file is made durable that a write did not arrive: that counts as lost too.
func TestLostOnSync(t *testing.T) {
	d := openDisk(t, rundir.DiskOptions{})
	pipe := filepath.Join(t.TempDir(), "pipe") // it takes data, and cannot be synced
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	a := d.Append(pipe)
	_, _ = a.Write([]byte("1"))
	_ = errors.Join(a.Sync(), a.Close())
	written(t, d)
	if n, why := a.Lost(); n != 1 || why == nil {
		t.Errorf("%d writes were lost: %v", n, why)
	}
}

// A link in the place of a file is not followed: it might lead to a file of somebody else's choice.
func TestLinksAreNotFollowed(t *testing.T) {
	dir := t.TempDir()
	d := openDisk(t, rundir.DiskOptions{})
	victim := filepath.Join(dir, "victim")
	for _, name := range []string{"append", "replace", "touch.done", "rank.log"} {
		symlink(t, victim, filepath.Join(dir, name))
	}
	a := d.Append(filepath.Join(dir, "append"))
	_, _ = a.Write([]byte("x"))
	d.Replace(filepath.Join(dir, "replace"), []byte("x"), true, nil)
	d.Touch(filepath.Join(dir, "touch.done"))
	written(t, d)
	if n, _ := a.Lost(); n != 1 {
		t.Errorf("%d writes were lost, want 1", n)
	}
	if f, err := rundir.OpenRankLog(filepath.Join(dir, "rank.log")); err == nil {
		t.Error("a rank's log was opened through a link")
		_ = f.Close()
	}
	if err := rundir.Seal(filepath.Join(dir, "touch.log")); err == nil {
		t.Error("a log was sealed through a link")
	}
	if _, err := os.Lstat(victim); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a link was followed: %v", err)
	}
	holds(t, filepath.Join(dir, "replace"), "x", 0o644) // no link any more
}

// The job's own output has its scheduler's name, and is added to.
func TestOpenJobOutput(t *testing.T) {
	dir := rundir.Dir(t.TempDir())
	for range 2 {
		f, err := rundir.OpenJobOutput(dir, "local")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(f, "x")
		_ = f.Close()
	}
	holds(t, filepath.Join(string(dir), "local.out"), "x\nx\n", 0o644)
}
