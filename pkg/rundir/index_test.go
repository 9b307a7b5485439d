package rundir_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
)

// The index lists the newest first, and passes over what cannot be read.
func TestIndex(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	x := rundir.IndexIn(data)
	if got, err := x.Runs(); len(got) != 0 || err != nil {
		t.Errorf("before the first: %v, %v", got, err)
	}
	first, second := protocol.KnownRun{ID: "1", Dir: "/a"}, protocol.KnownRun{ID: "2", Dir: "/b", Job: "7"}
	for _, r := range []protocol.KnownRun{first, {ID: "relative", Dir: "a"}, second} {
		if err := x.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(data, "runs.ndjson")
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString("{half a li")
	}
	if err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	got, err := x.Runs()
	if diff := cmp.Diff([]protocol.KnownRun{second, first}, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}
