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

func TestWriteReplaces(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	for _, text := range []string{"old", "new"} {
		if err := atomicfile.Write(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(file)
	info, _ := os.Stat(file)
	if err != nil || string(data) != "new" || info.Mode().Perm() != 0o600 {
		t.Errorf("%q, %v, %v", data, err, info.Mode())
	}
	onlyFile(t, file)
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

func TestFaultsLeaveNothing(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(target, "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Write(target, nil, 0o644); err == nil {
		t.Error("a folder was replaced")
	}
	if err := atomicfile.Write(filepath.Join(dir, "none", "f"), nil, 0o644); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
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
