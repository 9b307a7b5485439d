package source

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

var gen = roles.Role{Kind: roles.Gen}

// attempt is an attempt of a job of one server of two ranks and the benchmark, of which one log is there.
func attempt(t *testing.T) (plan.Plan, rundir.Attempt) {
	t.Helper()
	a := rundir.Dir(t.TempDir()).Attempt(0)
	write(t, a.RankLog(roles.Task{Role: gen, Rank: 1}), "one\ntw")
	e, err := json.Marshal(protocol.Entry{
		Schema: 1, At: time.Unix(9, 0), Kind: protocol.EntryKind(protocol.EventStarted), Role: &gen, Rank: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	write(t, a.Events(), string(e)+"\n")
	return plan.Plan{Layout: roles.Layout{Placements: []roles.Placement{
		{Role: gen, Ranks: 2, RanksPerNode: 2}, {Role: roles.Hub().Role, Ranks: 1, RanksPerNode: 1},
	}}}, a
}

func write(t *testing.T, file, text string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	if err == nil {
		err = os.WriteFile(file, []byte(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The logs of an attempt are those of its ranks and two more; what was started is known by the journal.
func TestOf(t *testing.T) {
	p, a := attempt(t)
	var names []string
	for _, l := range Of(p, a) {
		names = append(names, l.Name)
		if own := l.Name == "GEN_0.1"; l.Exists() != own || l.Modified().IsZero() == own || (l.Check() == nil) != own ||
			l.Begun.Equal(time.Unix(9, 0)) != own {
			t.Errorf("%+v: there %v, begun %v", l, l.Exists(), l.Begun)
		}
	}
	if diff := cmp.Diff([]string{"job", "install", "GEN_0.0", "GEN_0.1", "BENCHMARK.0"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestNamed(t *testing.T) {
	list := []Log{{Name: "job"}, {Name: "GEN_1.0"}, {Name: "GEN_1.1"}, {Name: "GEN_10.1"}, {Name: "DISAGG_SERVER.0"}}
	for name, want := range map[string]string{
		"GEN": "GEN_1.0 GEN_1.1 GEN_10.1", "GEN_1": "GEN_1.0 GEN_1.1", "GEN_1.1": "GEN_1.1", "job": "job", "GEN_2": "",
		"DISAGG_SERVER": "DISAGG_SERVER.0",
	} {
		var got []string
		for _, l := range Named(list, name) {
			got = append(got, l.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A log is read as it grows; a last line without an end is given out when no more will come.
func TestOpen(t *testing.T) {
	p, a := attempt(t)
	l := Named(Of(p, a), "GEN_0.1")[0]
	over := false
	s, got := l.Open(func() bool { return over }), []string(nil)
	read := func() {
		for line, ok := s.Next(); ok; line, ok = s.Next() {
			got = append(got, line.Text)
		}
	}
	read()
	write(t, l.File, "one\ntwo\nthr")
	read()
	over = true
	read()
	read()
	if diff := cmp.Diff([]string{"one", "two", "thr"}, got); diff != "" {
		t.Error(diff)
	}
	if line, ok := l.Whole().Next(); !ok || line.Text != "one" {
		t.Errorf("%+v", line)
	}
}
