package atomicfile_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/disagg/disagg/pkg/atomicfile"
)

// write is a way to replace or create a file.
type write func(file string, data []byte, perm os.FileMode) error

// ways are those that the package has.
var ways = map[string]write{"Write": atomicfile.Write, "Show": atomicfile.Show}

// A file that is there is replaced, its mode included.
func TestWriteReplaces(t *testing.T) {
	for name, write := range ways {
		file := filepath.Join(t.TempDir(), "f")
		for text, mode := range map[string]os.FileMode{"first": 0o600, "second": 0o644} {
			if err := write(file, []byte(text), mode); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(file)
			info, _ := os.Stat(file)
			if err != nil || string(data) != text || info.Mode().Perm() != mode {
				t.Errorf("%s: %q, %v, %v", name, data, err, info.Mode())
			}
		}
		onlyFile(t, file)
	}
}

// A link in the place of a file is replaced, not followed.
func TestLinksAreReplaced(t *testing.T) {
	for name, write := range ways {
		victim, link := filepath.Join(t.TempDir(), "victim"), filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(victim, link); err != nil {
			t.Fatal(err)
		}
		if err := atomicfile.Create(link, nil, 0o644); !errors.Is(err, os.ErrExist) {
			t.Errorf("created in the place of a link: %v", err)
		}
		if err := write(link, []byte("x"), 0o644); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(victim); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s followed the link: %v", name, err)
		}
		onlyFile(t, link)
	}
}

// Of many that create one file at once, one wins, and all see its content whole.
func TestCreateHasOneWinner(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	var wins atomic.Int32
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			err := atomicfile.Create(file, fmt.Appendf(nil, "%08d", i), 0o644)
			switch {
			case err == nil:
				wins.Add(1)
			case !errors.Is(err, os.ErrExist):
				t.Error(err)
			}
			if data, err := os.ReadFile(file); err != nil || len(data) != 8 {
				t.Errorf("%q, %v", data, err)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 {
		t.Errorf("%d winners", wins.Load())
	}
	onlyFile(t, file)
}

// What cannot be written leaves nothing behind.
func TestFaultsLeaveNothing(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(target, "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, write := range map[string]write{
		"Write": atomicfile.Write, "Show": atomicfile.Show, "Create": atomicfile.Create,
	} {
		if err := write(target, nil, 0o644); err == nil {
			t.Errorf("%s: a folder was replaced", name)
		}
		if err := write(filepath.Join(dir, "none", "f"), nil, 0o644); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s without a folder: %v", name, err)
		}
	}
	if err := atomicfile.SyncDir(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there was made durable: %v", err)
	}
	onlyFile(t, target)
}

// onlyFile checks that nothing else lies beside a file: no temporary one.
func onlyFile(t *testing.T, file string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}
