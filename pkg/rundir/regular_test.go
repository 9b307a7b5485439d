package rundir_test

import (
	"io"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/test/check"
)

// A regular file is opened, with the time at which it was written. A pipe, a folder and what is not there are refused
// at once.
func TestOpenRegular(t *testing.T) {
	dir := t.TempDir()
	file, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "pipe")
	writeFile(t, file, "text", 0o600)
	must(t, unix.Mkfifo(pipe, 0o600))
	f, err := rundir.OpenRegular(file)
	must(t, err)
	text, err := io.ReadAll(f)
	if string(text) != "text" || err != nil || time.Since(f.Modified) > time.Hour {
		t.Errorf("%q of %v, %v", text, f.Modified, err)
	}
	must(t, f.Close())
	for name, want := range map[string]string{
		pipe: pipe + " is not a regular file", dir: dir + " is not a regular file", file + "x": "open " + file + "x: ",
	} {
		_, err := rundir.OpenRegular(name)
		fails(t, name, err, want, "")
	}
}

// A regular file on which somebody else has a lease is waited for.
func TestOpenLeasedFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	time.AfterFunc(10*time.Millisecond, check.Stuck(t, file, "text"))
	text, err := rundir.ReadRegular(file)
	if string(text) != "text" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}
