package rundir_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/disagg/disagg/pkg/rundir"
)

func TestMain(m *testing.M) {
	syscall.Umask(0o022) // modes are checked
	goleak.VerifyTestMain(m)
}

// openDisk opens a Disk that is closed with the test.
func openDisk(t *testing.T, o rundir.DiskOptions) *rundir.Disk {
	t.Helper()
	d := rundir.NewDisk(o)
	t.Cleanup(func() { d.Close(time.Minute) })
	return d
}

// written waits for what was queued.
func written(t *testing.T, d *rundir.Disk) {
	t.Helper()
	if !d.Flush(time.Minute) {
		t.Fatal("the disk does not answer")
	}
}

// must fails the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fails checks that there is an error, that it begins so, and that it says something.
func fails(t *testing.T, name string, err error, prefix, part string) {
	t.Helper()
	if err == nil || !strings.HasPrefix(err.Error(), prefix) || !strings.Contains(err.Error(), part) {
		t.Errorf("%s: got %v, want %s…%s", name, err, prefix, part)
	}
}

func writeFile(t *testing.T, file, text string, mode os.FileMode) {
	t.Helper()
	must(t, errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), mode)))
}

func symlink(t *testing.T, target, link string) {
	t.Helper()
	must(t, errors.Join(os.MkdirAll(filepath.Dir(link), 0o755), os.Symlink(target, link)))
}

// holds checks a file's content and mode.
func holds(t *testing.T, file, text string, mode os.FileMode) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Error(err)
		return
	}
	if info, _ := os.Lstat(file); string(data) != text || info.Mode() != mode {
		t.Errorf("%s holds %q with mode %v, want %q with %v", file, data, info.Mode(), text, mode)
	}
}

// names lists a folder, hidden files included.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Error(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return strings.Join(list, " ")
}

func readFile(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
