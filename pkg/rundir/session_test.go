package rundir_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// An attempt that continues another has its token, agents, logs and files; what it measures is its own. One that
// continues that has the same home, also in another run directory.
func TestContinue(t *testing.T) {
	dir := rundir.Dir(t.TempDir())
	home := dir.Attempt(0)
	token, err := rundir.OpenAttempt(home, "t")
	if err != nil {
		t.Fatal(err)
	}
	if home.Continues() || home.Home() != home {
		t.Error("it continues itself")
	}
	other := rundir.Dir(filepath.Join(t.TempDir(), "beside")).Attempt(0)
	for _, pair := range [][2]rundir.Attempt{{dir.Attempt(1), home}, {other, dir.Attempt(1)}, {other, home}} {
		if err := rundir.Continue(pair[0], pair[1]); err != nil {
			t.Fatal(err)
		}
	}
	task := roles.Task{Role: roles.Role{Kind: roles.Gen}}
	if err := rundir.Publish(home, protocol.Published{Task: task, RunID: "r-0", Step: "7.1"}); err != nil {
		t.Fatal(err)
	}
	for _, a := range []rundir.Attempt{dir.Attempt(1), other} {
		if got, err := rundir.OpenAttempt(a, "t"); err != nil || got != token {
			t.Errorf("%s: its token is another: %v", a, err)
		}
		if !a.Continues() || a.Home() != home {
			t.Errorf("%s: its home is %s", a, a.Home())
		}
		if list := rundir.PublishedIn(a); len(list) != 1 || list[0].Step != "7.1" {
			t.Errorf("%s: %+v", a, list)
		}
		writeFile(t, filepath.Join(a.TestDir("t"), "client.log"), "x", 0o600)
		if _, err := os.Stat(filepath.Join(home.Logs(), "client.log")); err != nil {
			t.Error(err)
		}
		if info, err := os.Lstat(a.Records()); err != nil || !info.IsDir() {
			t.Errorf("%s: its records are not its own: %v", a, err)
		}
	}
	err = rundir.Continue(dir.Attempt(2), dir.Attempt(7))
	fails(t, "without a home", err, "cannot measure on the servers of", "")
}

// A request is for one role, and is taken once, by whoever has started it, in whichever attempt of the session.
func TestRequests(t *testing.T) {
	dir := rundir.Dir(t.TempDir())
	if _, err := rundir.OpenAttempt(dir.Attempt(0), "t"); err != nil {
		t.Fatal(err)
	}
	if err := rundir.Continue(dir.Attempt(1), dir.Attempt(0)); err != nil {
		t.Fatal(err)
	}
	gen, ctx := roles.Role{Kind: roles.Gen}, roles.Role{Kind: roles.Ctx}
	if err := rundir.Request(dir.Attempt(1), gen); err != nil {
		t.Fatal(err)
	}
	if taken := rundir.TakeRequests(dir.Attempt(0), []roles.Role{ctx}); taken != nil {
		t.Errorf("%v", taken)
	}
	if !rundir.Requested(dir.Attempt(0), gen) {
		t.Error("it is not there")
	}
	if taken := rundir.TakeRequests(dir.Attempt(0), []roles.Role{ctx, gen}); len(taken) != 1 || taken[0] != gen {
		t.Errorf("%v", taken)
	}
	if rundir.Requested(dir.Attempt(1), gen) {
		t.Error("it is still there")
	}
	planted := rundir.Dir(t.TempDir()).Attempt(0)
	writeFile(t, filepath.Join(string(planted), "requests"), "", 0o600)
	fails(t, "a file is in the way", rundir.Request(planted, gen), "cannot ask for GEN_0", "")
}

// The next hub is one that listens somewhere else than the one that is known; a hub that has withdrawn is none.
func TestNextHub(t *testing.T) {
	a := rundir.Dir(t.TempDir()).Attempt(0)
	if _, err := rundir.OpenAttempt(a, "t"); err != nil {
		t.Fatal(err)
	}
	publish := func(hub, run string) {
		if err := rundir.Publish(a, protocol.Published{Task: roles.Hub(), Hub: hub, RunID: run}); err != nil {
			t.Fatal(err)
		}
	}
	none := func(known string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if h, err := rundir.NextHub(ctx, a, known); err == nil {
			t.Errorf("found %+v", h)
		}
	}
	none("")
	publish("h:1", "r-0")
	if h, err := rundir.NextHub(t.Context(), a, ""); err != nil || h != (rundir.Hub{Address: "h:1", RunID: "r-0"}) {
		t.Errorf("%+v, %v", h, err)
	}
	none("h:1")
	publish("", "r-0")
	none("")
	publish("h:2", "r-1")
	if h, err := rundir.NextHub(t.Context(), a, "h:1"); err != nil || h.RunID != "r-1" {
		t.Errorf("%+v, %v", h, err)
	}
}
