package rundir_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/rundir"
)

// fullAttempt is an attempt with a file of ten bytes of every kind, and a link out of it.
func fullAttempt(t *testing.T) (a rundir.Attempt, outside string) {
	t.Helper()
	a = rundir.Dir(t.TempDir()).Attempt(0)
	outside = filepath.Join(t.TempDir(), "outside")
	for _, f := range []string{
		outside, a.Result(), a.Events(), filepath.Join(a.Records(), "1.json"),
		filepath.Join(a.Outbox(), "x", "pending", "1"), a.Report(),
		filepath.Join(a.Logs(), "ranks", "GEN_0.0.log"), filepath.Join(a.Logs(), "bench.0.log"),
		filepath.Join(string(a), "work", "GEN_0.0", "x"),
	} {
		if err := os.MkdirAll(filepath.Dir(f), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f, []byte("0123456789"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(a.Output(), 0o755); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{
		filepath.Join(string(a), "work", "link"): filepath.Dir(outside), filepath.Join(a.Output(), "test"): a.Logs(),
	} {
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	return a, outside
}

// left lists the files of an attempt.
func left(t *testing.T, a rundir.Attempt) (list []string) {
	t.Helper()
	err := filepath.WalkDir(string(a), func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			rel, _ := filepath.Rel(string(a), path)
			list = append(list, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Logs and folders of work are deleted, and nothing else; no link is followed.
func TestPrune(t *testing.T) {
	for name, tt := range map[string]struct {
		keep   func(rundir.Attempt) []string
		dryRun bool
		freed  int64 // of files, without what links have
		left   []string
	}{
		"all": {freed: 30, left: []string{
			"events.ndjson", "outbox/x/pending/1", "records/1.json", "report/index.html", "result.json",
		}},
		"but for a result": {
			keep: func(a rundir.Attempt) []string {
				return []string{filepath.Join(a.Output(), "test", "bench.0.log"), "nowhere"}
			},
			freed: 20,
			left: []string{
				"events.ndjson", "logs/bench.0.log", "outbox/x/pending/1", "records/1.json", "report/index.html",
				"result.json",
			},
		},
		"nothing yet": {dryRun: true, freed: 30, left: []string{
			"events.ndjson", "logs/bench.0.log", "logs/ranks/GEN_0.0.log", "outbox/x/pending/1", "records/1.json",
			"report/index.html", "result.json", "work/GEN_0.0/x",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			a, outside := fullAttempt(t)
			var keep []string
			if tt.keep != nil {
				keep = tt.keep(a)
			}
			freed, err := rundir.Prune(a, keep, tt.dryRun)
			if err != nil || freed != tt.freed {
				t.Errorf("freed %d, %v", freed, err)
			}
			if diff := cmp.Diff(tt.left, left(t, a)); diff != "" {
				t.Error(diff)
			}
			if _, err := os.Stat(outside); err != nil {
				t.Error(err)
			}
			if again, err := rundir.Prune(a, keep, false); err != nil || !tt.dryRun && again != 0 {
				t.Errorf("the second time %d, %v", again, err)
			}
		})
	}
	if _, err := rundir.Prune(rundir.Attempt(t.TempDir()), nil, false); err == nil {
		t.Error("a folder that is no attempt's was pruned")
	}
}

// An attempt that is a link to another folder is refused, and so is what a link leads to instead of a folder of its.
func TestPruneFollowsNoLink(t *testing.T) {
	victim, _ := fullAttempt(t)
	before := left(t, victim)
	d := rundir.Dir(t.TempDir())
	if err := os.Symlink(string(victim), string(d.Attempt(0))); err != nil {
		t.Fatal(err)
	}
	if freed, err := rundir.Prune(d.Attempt(0), nil, false); err == nil || freed != 0 {
		t.Errorf("%d bytes, %v", freed, err)
	}
	a := d.Attempt(1)
	if err := os.Mkdir(string(a), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim.Logs(), a.Logs()); err != nil {
		t.Fatal(err)
	}
	if freed, err := rundir.Prune(a, nil, false); err != nil || freed != 0 {
		t.Errorf("%d bytes, %v", freed, err)
	}
	if diff := cmp.Diff(before, left(t, victim)); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Lstat(a.Logs()); err == nil {
		t.Error("the link itself is left")
	}
}
