// Package check is what tests of several packages need to see: that something holds before long, that a file is there,
// and that no process is left.
//
// Rules:
//   - It is imported by tests alone, and asks nothing of the packages under test.
//   - A wait here is a bound on a failure, never a pause: it ends as soon as what is waited for holds.
package check

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/supervisor"
)

// Bound is how long anything may take in a test before it fails. It is long: machines that test are loaded.
const Bound = 30 * time.Second

// Eventually waits until something holds, and ends the test if that takes longer than Bound.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(Bound); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// Exists tells whether there is a file, or a link, of that name.
func Exists(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}

// WriteJSON writes a value as a file, in a folder that is made if need be.
func WriteJSON(t testing.TB, file string, v any) {
	t.Helper()
	data, err := json.Marshal(v)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o755)
	}
	if err == nil {
		err = os.WriteFile(file, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Supervise makes this process a supervisor until the test ends, which proves that no process is left.
func Supervise(t testing.TB) *supervisor.Supervisor {
	t.Helper()
	s, err := supervisor.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		NothingLeft(t)
	})
	return s
}

// NothingLeft checks that this process has no child, not even a zombie.
func NothingLeft(t testing.TB) {
	t.Helper()
	if _, err := os.Stat(fmt.Sprintf("/proc/self/task/%d/children", os.Getpid())); err != nil {
		t.Skip("this kernel does not list children")
	}
	for _, pid := range ChildrenOf(os.Getpid()) {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		t.Errorf("left: %s", stat)
	}
}

// ChildrenOf lists the children of a process by their IDs.
func ChildrenOf(parent int) (pids []int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	for _, f := range files {
		data, _ := os.ReadFile(f)
		for word := range strings.FieldsSeq(string(data)) {
			if pid, err := strconv.Atoi(word); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
