package rundir_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// planFor is a plan of a case, with an id that tells it from others.
func planFor(dir rundir.Dir, id, caseName string) plan.Plan {
	return plan.Plan{Schema: 1, ID: id, RunDir: string(dir), Case: roles.Case{Name: caseName}}
}

// isRunOf checks that a run directory holds the run of one plan, whole, and nothing else.
func isRunOf(t *testing.T, d rundir.Dir, id string) {
	t.Helper()
	p, err := rundir.ReadPlan(d.Plan())
	if err != nil || p.ID != id {
		t.Errorf("the plan is of run %q, %v, want %q", p.ID, err, id)
	}
	holds(t, d.Script(), "script of "+id, 0o755)
	holds(t, d.JUnit(), "junit of "+id, 0o644)
	holds(t, d.Case("c"), "case of "+id, 0o600)
	if got := names(t, string(d)); got != "case job.sbatch junit.xml plan.json" {
		t.Errorf("the run directory holds %s", got)
	}
	if got := names(t, filepath.Dir(d.Case("c"))); got != "c.yaml" {
		t.Errorf("the case's folder holds %s", got)
	}
}

func create(d rundir.Dir, id, caseName string) error {
	return rundir.Create(planFor(d, id, caseName), rundir.Start{
		Case: []byte("case of " + id), Script: "script of " + id, JUnit: []byte("junit of " + id),
	})
}

// A run directory is made with all that it begins with. What can hold a secret, the plan and the case, is its owner's
// alone.
func TestCreate(t *testing.T) {
	parent := t.TempDir()
	linked := filepath.Join(parent, "link")
	symlink(t, t.TempDir(), linked)
	for name, dir := range map[string]rundir.Dir{
		"neither it nor its parent is there": rundir.Dir(filepath.Join(parent, "runs", "a")),
		"it is there":                        rundir.Dir(t.TempDir()),
		"a link to it is there":              rundir.Dir(linked),
	} {
		t.Run(name, func(t *testing.T) {
			if err := create(dir, "1", "c"); err != nil {
				t.Fatal(err)
			}
			isRunOf(t, dir, "1")
			holds(t, dir.Plan(), readFile(t, dir.Plan()), 0o600)
			if err := create(dir, "2", "c"); !errors.Is(err, rundir.ErrOccupied) {
				t.Errorf("a second run: %v, want ErrOccupied", err)
			}
			isRunOf(t, dir, "1")
		})
	}
	if got := names(t, filepath.Join(parent, "runs")); got != "a" {
		t.Errorf("beside the run directory there is %s", got)
	}
}

// A directory with other files in it can be used. They stay, unless they are of an earlier start that came to nothing.
func TestCreateFillsADirectory(t *testing.T) {
	d := rundir.Dir(t.TempDir())
	writeFile(t, filepath.Join(string(d), "notes.txt"), "mine", 0o644)
	writeFile(t, d.Script(), "of an earlier start", 0o644)
	if err := create(d, "1", "c"); err != nil {
		t.Fatal(err)
	}
	holds(t, filepath.Join(string(d), "notes.txt"), "mine", 0o644)
	holds(t, d.Script(), "script of 1", 0o755)
}

// A start that cannot be made says where, and what to do, and leaves nothing behind.
func TestCreateFaults(t *testing.T) {
	long := strings.Repeat("n", 300) // no file can have such a name
	parent := t.TempDir()
	writeFile(t, filepath.Join(parent, "file"), "", 0o644)
	empty, script := rundir.Dir(filepath.Join(parent, "empty")), rundir.Dir(filepath.Join(parent, "script"))
	writeFile(t, filepath.Join(script.Script(), "x"), "", 0o644) // a folder stands where the script is to go
	if err := os.Mkdir(string(empty), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		dir      rundir.Dir
		caseName string
	}{
		"no such name of a case, in a fresh directory": {rundir.Dir(filepath.Join(parent, "fresh")), long},
		"no such name of a case, in one that exists":   {empty, long},
		"no such name of a directory":                  {rundir.Dir(filepath.Join(parent, long)), "c"},
		"its parent is a file":                         {rundir.Dir(filepath.Join(parent, "file", "run")), "c"},
		"a file is in its place":                       {rundir.Dir(filepath.Join(parent, "file")), "c"},
		"a folder is in the script's place":            {script, "c"},
		"nobody can make a folder in its parent":       {rundir.Dir("/proc/run"), "c"},
		"nobody can make a folder in it":               {rundir.Dir("/proc"), "c"},
		"it would be taken for an attempt":             {rundir.Dir(filepath.Join(parent, "attempt-5")), "c"},
	} {
		t.Run(name, func(t *testing.T) {
			err := create(tt.dir, "1", tt.caseName)
			fails(t, name, err, "cannot make run directory "+string(tt.dir), ": name another with --run-dir")
			if errors.Is(err, rundir.ErrOccupied) {
				t.Error("no run is there")
			}
		})
	}
	if got := names(t, parent); got != "empty file script" {
		t.Errorf("beside the run directories there is %s", got)
	}
	if got := names(t, string(empty)) + names(t, string(script)); got != "job.sbatch" {
		t.Errorf("in the directories there is %s", got)
	}
}

// A directory in which something stands where a run will write holds another run, or was planted. Nothing in it is
// touched, and no link in it is followed.
func TestCreateRefusesWhatIsPlanted(t *testing.T) {
	elsewhere := t.TempDir()
	for name, tt := range map[string]struct {
		plant func(*testing.T, rundir.Dir)
		want  string
	}{
		"an attempt": {
			func(t *testing.T, d rundir.Dir) { symlink(t, elsewhere, string(d.Attempt(0))) },
			rundir.ErrOccupied.Error(),
		},
		"a later attempt": {
			func(t *testing.T, d rundir.Dir) { writeFile(t, d.Attempt(7).Result(), "", 0o644) },
			rundir.ErrOccupied.Error(),
		},
		"the link to the current one": {
			func(t *testing.T, d rundir.Dir) { symlink(t, elsewhere, d.Current()) }, rundir.ErrOccupied.Error(),
		},
		"a submission": {
			func(t *testing.T, d rundir.Dir) { symlink(t, elsewhere, d.Submission()) }, rundir.ErrOccupied.Error(),
		},
		"a plan": {
			func(t *testing.T, d rundir.Dir) { symlink(t, elsewhere, d.Plan()) }, rundir.ErrOccupied.Error(),
		},
		"the case's folder": {
			func(t *testing.T, d rundir.Dir) { symlink(t, elsewhere, filepath.Join(string(d), "case")) },
			"case is not what it must be",
		},
		"anything, by everybody": {
			func(t *testing.T, d rundir.Dir) { must(t, os.Chmod(string(d), 0o777)) }, "everybody can write to it",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := rundir.Dir(t.TempDir())
			tt.plant(t, d)
			before := names(t, string(d))
			err := create(d, "1", "c")
			fails(t, name, err, "cannot ", tt.want)
			fails(t, name, err, "cannot ", "--run-dir")
			begun := strings.NewReplacer("job.sbatch", "", " junit.xml", "")
			if got := strings.TrimSpace(begun.Replace(names(t, string(d)))); got != before {
				t.Errorf("it holds %q, before it was %q", got, before)
			}
		})
	}
	if got := names(t, elsewhere); got != "" {
		t.Errorf("a link was followed: there is %s", got)
	}
}

// Of two starts in a fresh folder one fails. The other's run stays.
func TestFailedStartLeavesAnother(t *testing.T) {
	for range 40 {
		runs := filepath.Join(t.TempDir(), "runs")
		good, bad := rundir.Dir(filepath.Join(runs, "good")), rundir.Dir(filepath.Join(runs, "bad"))
		both(func() {
			if err := create(good, "1", "c"); err != nil {
				t.Error(err)
			}
		}, func() {
			if err := create(bad, "2", strings.Repeat("n", 300)); err == nil {
				t.Error("a file with a name of 300 bytes was made")
			}
		})
		isRunOf(t, good, "1")
		if got := names(t, runs); got != "good" {
			t.Fatalf("the folder holds %s", got)
		}
	}
}

// Of two starts in one directory one has it, whole, and the other is told so.
func TestTwoStartsInOneDirectory(t *testing.T) {
	for _, exists := range []bool{false, true} {
		for range 25 {
			d := rundir.Dir(filepath.Join(t.TempDir(), "run"))
			if exists {
				if err := os.Mkdir(string(d), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			var first, second error
			both(func() { first = create(d, "1", "c") }, func() { second = create(d, "2", "c") })
			winner, lost := "1", second
			if first != nil {
				winner, lost = "2", first
			}
			if (first == nil) == (second == nil) || !errors.Is(lost, rundir.ErrOccupied) {
				t.Fatalf("the starts ended with %v and %v", first, second)
			}
			isRunOf(t, d, winner)
		}
	}
}

// both runs two functions at the same time.
func both(a, b func()) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for _, f := range []func(){a, b} {
		wg.Go(func() { <-start; f() })
	}
	close(start)
	wg.Wait()
}

// The link follows the newest attempt, whatever a killed process left behind; without one the first attempt counts.
func TestCurrent(t *testing.T) {
	d := rundir.Dir(t.TempDir())
	if got := rundir.Current(d); got != d.Attempt(0) {
		t.Errorf("before any attempt: %s", got)
	}
	for i, leftover := range []string{fmt.Sprintf("current.%d", os.Getpid()), ".current", ".current.00000000"} {
		symlink(t, "attempt-7", filepath.Join(string(d), leftover))
		if err := rundir.SetCurrent(d, i); err != nil {
			t.Error(err)
		}
		if got := rundir.Current(d); got != d.Attempt(i) {
			t.Errorf("attempt %d: %s", i, got)
		}
	}
	for _, odd := range []string{"attempt--1", "7", "elsewhere/attempt-7", "attempt-x"} {
		if err := os.Remove(d.Current()); err != nil {
			t.Fatal(err)
		}
		symlink(t, odd, d.Current())
		if got := rundir.Current(d); got != d.Attempt(0) {
			t.Errorf("a link to %s: %s", odd, got)
		}
	}
	if err := rundir.SetCurrent(rundir.Dir(filepath.Join(string(d), "none")), 0); err == nil {
		t.Error("a directory that is not there was marked")
	}
}

// A link that cannot be put in place leaves nothing behind.
func TestSetCurrentFault(t *testing.T) {
	d := rundir.Dir(t.TempDir())
	writeFile(t, filepath.Join(d.Current(), "x"), "", 0o644) // a folder stands where the link is to go
	fails(t, "a folder is in the way", rundir.SetCurrent(d, 0), "cannot mark the current attempt: ", "")
	if got := names(t, string(d)); got != "current" {
		t.Errorf("the directory holds %s", got)
	}
}

// Every file of a run directory that is read again says so if it is missing, broken or of another schema.
func TestReadersRefuse(t *testing.T) {
	d := rundir.Dir(t.TempDir())
	a := d.Attempt(0)
	for name, reader := range map[string]struct {
		file string
		read func() error
	}{
		"plan":       {d.Plan(), func() error { _, err := rundir.ReadPlan(d.Plan()); return err }},
		"result":     {a.Result(), func() error { _, err := rundir.ReadResult(a); return err }},
		"state":      {a.State(), func() error { _, err := rundir.ReadState(a); return err }},
		"submission": {d.Submission(), func() error { _, err := rundir.ReadSubmission(d); return err }},
	} {
		t.Run(name, func(t *testing.T) {
			if err := reader.read(); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("without the file: %v", err)
			}
			writeFile(t, reader.file, `{"schema": 1, "verdict": "passed"}`, 0o644)
			if err := reader.read(); err != nil {
				t.Error(err)
			}
			must(t, os.Remove(reader.file))
			must(t, unix.Mkfifo(reader.file, 0o600))
			fails(t, "a pipe", reader.read(), "", "is not a regular file")
			must(t, os.Remove(reader.file))
			for text, want := range map[string]string{
				`{"schema": 2}`: "schema 2 is not supported",
				`{}`:            "schema 0 is not supported",
				`{"sch`:         "unexpected end of JSON input",
			} {
				writeFile(t, reader.file, text, 0o644)
				fails(t, text, reader.read(), "cannot read "+name+": "+reader.file+": ", want)
			}
		})
	}
}

// A file that holds no verdict is damaged.
func TestReadResultWithoutVerdict(t *testing.T) {
	a := rundir.Dir(t.TempDir()).Attempt(0)
	must(t, os.Mkdir(string(a), 0o755))
	for text, good := range map[string]bool{
		`{"schema":1}`: false, `{"schema":1,"verdict":"maybe","exit_code":1}`: false,
		`{"schema":1,"verdict":"failed"}`: false, `{"schema":1,"verdict":"failed","exit_code":256}`: false,
		`{"schema":1,"verdict":"passed"}`: true, `{"schema":1,"verdict":"failed","exit_code":3}`: true,
	} {
		must(t, os.WriteFile(a.Result(), []byte(text), 0o600))
		if _, err := rundir.ReadResult(a); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// What is no file, or larger than any of ours, is refused: a device has no end.
func TestReadersAreBounded(t *testing.T) {
	d := rundir.Dir(t.TempDir())
	a := d.Attempt(0)
	must(t, os.Mkdir(string(a), 0o755))
	symlink(t, "/dev/zero", a.Result())
	_, err := rundir.ReadResult(a)
	fails(t, "a device", err, "cannot read result: ", "is not a regular file")
	symlink(t, "/dev/zero", a.Events())
	(&rundir.Tail{File: a.Events()}).Read(func([]byte) { t.Error("a device has lines") })
	symlink(t, "/dev/zero", filepath.Join(string(d), "x.out"))
	if got := rundir.LastWords(d); strings.Trim(got, "\x00") != "" {
		t.Errorf("a device says %q", got)
	}
	writeFile(t, a.State(), "", 0o644)
	must(t, os.Truncate(a.State(), 64<<20+1))
	_, err = rundir.ReadState(a)
	fails(t, "a large file", err, "cannot read state: ", "has more than 67108864 bytes")
}

// Only this user's own plan is run: no link is followed to it, and no pipe holds its reader.
func TestReadOwnPlan(t *testing.T) {
	d := rundir.Dir(t.TempDir())
	must(t, create(d, "1", "c"))
	if p, err := rundir.ReadOwnPlan(d.Plan()); err != nil || p.ID != "1" {
		t.Errorf("%s, %v", p.ID, err)
	}
	link, pipe := filepath.Join(t.TempDir(), "link"), filepath.Join(t.TempDir(), "pipe")
	symlink(t, d.Plan(), link)
	must(t, syscall.Mkfifo(pipe, 0o600))
	for file, want := range map[string]string{
		link: link + " is a link, and links are not followed here: remove it", pipe: "is not what it must be",
	} {
		_, err := rundir.ReadOwnPlan(file)
		fails(t, file, err, "cannot read plan: ", want)
	}
}

// The plan and the submission are read as they were written.
func TestFilesReadBack(t *testing.T) {
	d := rundir.Dir(filepath.Join(t.TempDir(), "run"))
	p := planFor(d, "1", "c")
	p.Upload.Sinks, p.Timeouts.Job = []plan.Sink{{URL: "sqlite:///x.db"}}, roles.Duration(time.Hour)
	if err := rundir.Create(p, rundir.Start{}); err != nil {
		t.Fatal(err)
	}
	if got, err := rundir.ReadPlan(d.Plan()); err != nil || !cmp.Equal(p, got) {
		t.Errorf("%v: %s", err, cmp.Diff(p, got))
	}
	s := protocol.Submission{At: time.Now(), JobID: "12", Cluster: "x", Name: "d1-c"}
	if err := rundir.WriteSubmission(d, s); err != nil {
		t.Fatal(err)
	}
	s.Schema, s.At = 1, s.At.UTC().Truncate(time.Millisecond)
	if got, err := rundir.ReadSubmission(d); err != nil || !cmp.Equal(s, got) {
		t.Errorf("%v: %s", err, cmp.Diff(s, got))
	}
	fails(t, "no directory", rundir.WriteSubmission(rundir.Dir(d.Plan()), s), "cannot note the submission: ", "")
}

// The first verdict stays, whoever else comes to one. The report beside it is made again.
func TestKeep(t *testing.T) {
	a := rundir.Dir(t.TempDir()).Attempt(0)
	if rundir.HasResult(a) {
		t.Error("an attempt without a folder has a verdict")
	}
	for i, verdict := range []protocol.Verdict{protocol.Passed, protocol.Failed} {
		report := map[string][]byte{"index.html": fmt.Append(nil, i), "data/x.json": nil}
		if err := a.Keep(protocol.Result{Schema: 1, Verdict: verdict}, report); err != nil {
			t.Error(err)
		}
		r, err := rundir.ReadResult(a)
		if err != nil || r.Verdict != protocol.Passed || !rundir.HasResult(a) {
			t.Errorf("the verdict is %q, %v", r.Verdict, err)
		}
		holds(t, a.Report(), fmt.Sprint(i), 0o644)
	}
	holds(t, a.Result(), readFile(t, a.Result()), 0o644)
	if text := readFile(t, a.Result()); !json.Valid([]byte(text)) || !strings.HasSuffix(text, "}\n") {
		t.Errorf("the verdict reads %q", text)
	}
}

// A verdict that cannot be kept says so. One whose report cannot be kept is, and says so.
func TestKeepFaults(t *testing.T) {
	d := rundir.Dir(t.TempDir())
	report := map[string][]byte{"index.html": nil}
	writeFile(t, string(d.Attempt(0)), "a file", 0o644)
	fails(t, "no folder", d.Attempt(0).Keep(protocol.Result{Schema: 1}, report), "cannot write the verdict: ", "")
	a := d.Attempt(1)
	writeFile(t, filepath.Dir(a.Report()), "a file", 0o644)
	if err := a.Keep(protocol.Result{Schema: 1, Verdict: protocol.Passed, Lost: "2 writes"}, report); err != nil {
		t.Error(err)
	}
	r, err := rundir.ReadResult(a)
	if err != nil || !strings.HasPrefix(r.Lost, "2 writes; cannot write report: ") {
		t.Errorf("what was lost: %q, %v", r.Lost, err)
	}
}
