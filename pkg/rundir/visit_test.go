package rundir

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
)

// Nodes find each other by what they tell, the newest counts, and what cannot be read is passed over.
func TestVisitors(t *testing.T) {
	d := Dir(t.TempDir())
	if got := Visitors(d); len(got) != 0 {
		t.Errorf("%v", got)
	}
	for _, v := range []protocol.Visitor{
		{Node: "n2", Address: "h:2"}, {Node: "n/1", Address: "h:1"}, {Node: "n2", Address: "h:2", Done: true},
	} {
		if err := PublishVisitor(d, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(d.nodes(), "x.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []protocol.Visitor{
		{Schema: 1, Node: "n2", Address: "h:2", Done: true}, {Schema: 1, Node: "n/1", Address: "h:1"},
	}
	if diff := cmp.Diff(want, Visitors(d)); diff != "" {
		t.Error(diff)
	}
	if err := PublishVisitor(Dir("/proc/none"), protocol.Visitor{}); err == nil {
		t.Error("nothing can be told there")
	}
}

// The folder of a visit is removed, and nothing else is: neither another plan's, nor one in which something has run.
func TestRemoveVisit(t *testing.T) {
	p := plan.Plan{Schema: 1, ID: "id", RunDir: filepath.Join(t.TempDir(), "run")}
	if err := RemoveVisit(p); err == nil {
		t.Error("there is nothing to remove")
	}
	if err := Create(p, Start{}); err != nil {
		t.Fatal(err)
	}
	other := p
	other.ID = "other"
	if err := RemoveVisit(other); err == nil {
		t.Error("another plan's folder is removed")
	}
	if err := SetCurrent(Dir(p.RunDir), 0); err != nil {
		t.Fatal(err)
	}
	if err := RemoveVisit(p); err == nil {
		t.Error("a run is removed")
	}
	if err := os.Remove(Dir(p.RunDir).Current()); err != nil {
		t.Fatal(err)
	}
	if err := RemoveVisit(p); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(p.RunDir); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
