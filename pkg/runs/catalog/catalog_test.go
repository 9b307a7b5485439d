package catalog

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/runs"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/pkg/scheduler/fake"
	"github.com/disagg/disagg/test/check"
)

var begun = time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)

// makeRun makes the run directory of a run that began so many hours after the first.
func makeRun(t *testing.T, dir, id string, hours int) protocol.KnownRun {
	t.Helper()
	p := plan.Plan{
		Schema: 1, ID: id, CreatedAt: begun.Add(time.Duration(hours) * time.Hour), RunDir: dir, Launcher: "fake",
		Case: roles.Case{Name: "c"},
	}
	if err := rundir.Create(p, rundir.Start{Case: []byte("x: 1\n")}); err != nil {
		t.Fatal(err)
	}
	return protocol.KnownRun{At: p.CreatedAt, ID: id, Dir: dir, Case: "c"}
}

func submit(t *testing.T, k protocol.KnownRun, job string) protocol.KnownRun {
	t.Helper()
	if err := rundir.WriteSubmission(rundir.Dir(k.Dir), protocol.Submission{At: k.At, JobID: job}); err != nil {
		t.Fatal(err)
	}
	k.Job = job
	return k
}

// Runs are those of the index and of the folders around, each once, the newest first; what is gone is none.
func TestRuns(t *testing.T) {
	home, here := t.TempDir(), t.TempDir()
	index := rundir.IndexIn(home)
	far := submit(t, makeRun(t, filepath.Join(home, "far"), "a-1", 1), "7")
	near := submit(t, makeRun(t, filepath.Join(here, "runs", "near"), "b-1", 3), "8")
	inList := makeRun(t, filepath.Join(here, "runs", "nightly", "01"), "c-1", 2)
	own := makeRun(t, filepath.Join(here, "own"), "d-1", 0)
	for _, k := range []protocol.KnownRun{far, near, {At: begun, ID: "e-1", Dir: filepath.Join(home, "gone")}, far} {
		if err := index.Add(k); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Here(index, here).Runs()
	if diff := cmp.Diff([]protocol.KnownRun{near, inList, far, own}, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

// A folder is meant by its path, from any folder a run by its name; what is not a folder and has a path is left to who
// reads it.
func TestFind(t *testing.T) {
	home := t.TempDir()
	index := rundir.IndexIn(home)
	far := makeRun(t, filepath.Join(home, "far-away"), "a1b2c3d4-1", 1)
	if err := index.Add(far); err != nil {
		t.Fatal(err)
	}
	c := Here(index, t.TempDir())
	for name, want := range map[string]string{
		"": far.Dir, "a1b2c3": far.Dir, "far": far.Dir, far.Dir: far.Dir,
		far.Dir + "/attempt-0": far.Dir + "/attempt-0",
	} {
		if got, err := c.Find(name); got != want || err != nil {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
	if got, err := c.Find("nothing"); err == nil {
		t.Errorf("it is %q", got)
	}
}

func readerOf(s *fake.Scheduler) Reader {
	return Reader{Scheduler: func(string) (scheduler.Scheduler, error) { return s, nil }}
}

// A run that is over is read without its scheduler; of another that is asked, and its end is believed when it is sure.
func TestRead(t *testing.T) {
	ended := protocol.JobState{Phase: protocol.JobEnded, Word: "FAILED"}
	for name, tt := range map[string]struct {
		sched *fake.Scheduler
		state runs.State
		text  string
	}{
		"it runs": {
			sched: &fake.Scheduler{Queue: []fake.Answer{{State: protocol.JobState{Phase: protocol.JobRunning}}}},
			state: runs.Measuring, text: "measuring",
		},
		"its job is gone, accounting says": {
			sched: &fake.Scheduler{Queue: []fake.Answer{{State: ended}}, Records: []fake.Answer{{State: ended}}},
			state: runs.NoVerdict, text: "no verdict: the job ended without a verdict, FAILED",
		},
		"its job is gone, the queue says twice": {
			sched: &fake.Scheduler{Queue: []fake.Answer{{State: ended}}}, state: runs.NoVerdict, text: "no verdict",
		},
		"the queue forgot it for a moment": {
			sched: &fake.Scheduler{Queue: []fake.Answer{
				{State: ended}, {State: protocol.JobState{Phase: protocol.JobRunning}},
			}},
			state: runs.Measuring, text: "measuring",
		},
		"the queue does not know it, accounting says that it runs": {
			sched: &fake.Scheduler{
				Queue:   []fake.Answer{{State: ended}},
				Records: []fake.Answer{{State: protocol.JobState{Phase: protocol.JobRunning, Word: "RUNNING"}}},
			},
			state: runs.Unknown, text: "unknown: the queue does not know job 7, accounting says RUNNING",
		},
		"there is no answer": {
			sched: &fake.Scheduler{Queue: []fake.Answer{{Hang: true}}}, state: runs.Unknown,
			text: "unknown: context deadline",
		},
		"there is no word": {
			sched: &fake.Scheduler{}, state: runs.Unknown, text: "unknown: its scheduler does not tell",
		},
		"it cannot be asked": {
			sched: &fake.Scheduler{Queue: []fake.Answer{{Err: errors.New("away")}}}, state: runs.Unknown,
			text: "unknown: away",
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := submit(t, makeRun(t, filepath.Join(t.TempDir(), "run"), "a-1", 1), "7")
			a := rundir.Dir(k.Dir).Attempt(0)
			check.WriteJSON(t, a.State(), protocol.State{Schema: 1, Phase: protocol.Measuring})
			synctest.Test(t, func(t *testing.T) {
				f, err := readerOf(tt.sched).Read(t.Context(), k.Dir)
				if s := runs.Summarize(f); err != nil || s.State != tt.state || !strings.HasPrefix(s.Text, tt.text) {
					t.Errorf("%v: %s, %q", err, s.State, s.Text)
				}
			})
			check.WriteJSON(t, a.Result(), protocol.Result{Schema: 1, Verdict: protocol.Passed})
			silent := &fake.Scheduler{}
			f, err := readerOf(silent).Read(t.Context(), string(a))
			s := runs.Summarize(f)
			if err != nil || s.Verdict != protocol.Passed || len(silent.Asked()) > 0 || s.Dir != k.Dir {
				t.Errorf("with a verdict: %v, %+v, asked %v", err, s, silent.Asked())
			}
		})
	}
}

// Of servers that were kept the scheduler tells whether they still hold their nodes; a verdict does not depend on it.
func TestReadKept(t *testing.T) {
	running := fake.Answer{State: protocol.JobState{Phase: protocol.JobRunning}}
	ended := fake.Answer{State: protocol.JobState{Phase: protocol.JobEnded, Word: "COMPLETED"}}
	for name, tt := range map[string]struct {
		queue, records []fake.Answer
		state          runs.State
	}{
		"they stay":         {queue: []fake.Answer{running}, state: runs.Kept},
		"they are gone":     {queue: []fake.Answer{ended}, records: []fake.Answer{ended}, state: runs.Over},
		"nobody can say so": {queue: []fake.Answer{{Err: errors.New("away")}}, state: runs.Kept},
	} {
		t.Run(name, func(t *testing.T) {
			k := submit(t, makeRun(t, filepath.Join(t.TempDir(), "run"), "a-1", 1), "7")
			kept := protocol.Result{Schema: 1, Verdict: protocol.Passed, Kept: true}
			check.WriteJSON(t, rundir.Dir(k.Dir).Attempt(0).Result(), kept)
			synctest.Test(t, func(t *testing.T) {
				f, err := readerOf(&fake.Scheduler{Queue: tt.queue, Records: tt.records}).Read(t.Context(), k.Dir)
				s := runs.Summarize(f)
				if err != nil || s.State != tt.state || s.Verdict != protocol.Passed || f.Lost != "" {
					t.Errorf("%v: %s, %q, lost %q", err, s.State, s.Text, f.Lost)
				}
			})
		})
	}
}

// Of a run that was started by hand the steps are asked for: whether its servers stay, and whether anybody
// measures them.
func TestReadByHand(t *testing.T) {
	gen := roles.Role{Kind: roles.Gen}
	for name, tt := range map[string]struct {
		running []string
		verdict bool
		home    bool // the servers were started in another run
		state   runs.State
	}{
		"its servers stay":      {[]string{"7.1"}, true, false, runs.Kept},
		"another's":             {[]string{"7.1"}, true, true, runs.Over},
		"they are gone":         {nil, true, false, runs.Over},
		"it is measured":        {[]string{"7.1", "7.2"}, false, false, runs.Measuring},
		"its benchmark is gone": {[]string{"7.1"}, false, false, runs.Kept},
		"all of it is gone":     {nil, false, false, runs.NoVerdict},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			home := byHand(t, filepath.Join(folder, "run"), map[string]roles.Role{"7.1": gen, "7.2": roles.Hub().Role})
			a := home
			if tt.home {
				a = rundir.Dir(makeRun(t, filepath.Join(folder, "other"), "b-1", 1).Dir).Attempt(0)
				if err := rundir.Continue(a, home); err != nil {
					t.Fatal(err)
				}
			}
			check.WriteJSON(t, a.State(), protocol.State{Schema: 1, Phase: protocol.Measuring})
			if tt.verdict {
				check.WriteJSON(t, a.Result(), protocol.Result{Schema: 1, Verdict: protocol.Failed, ExitCode: 1})
			}
			s := &fake.Scheduler{Running: map[string]bool{}}
			for _, step := range tt.running {
				s.Running[step] = true
			}
			f, err := readerOf(s).Read(t.Context(), string(a))
			if sum := runs.Summarize(f); err != nil || sum.State != tt.state {
				t.Errorf("%v: %s, %q", err, sum.State, sum.Text)
			}
		})
	}
}

// byHand makes a run that was started by hand, and what its agents have published, by their steps.
func byHand(t *testing.T, dir string, steps map[string]roles.Role) rundir.Attempt {
	t.Helper()
	p := plan.Plan{
		Schema: 1, ID: "a-1", CreatedAt: begun, RunDir: dir, Launcher: "fake", Case: roles.Case{Name: "c"},
		Policy: plan.Policy{Interactive: true},
	}
	a := rundir.Dir(dir).Attempt(0)
	err := rundir.Create(p, rundir.Start{Case: []byte("x: 1\n")})
	if err == nil {
		_, err = rundir.OpenAttempt(a, "t")
	}
	for step, r := range steps {
		if err == nil {
			err = rundir.Publish(a, protocol.Published{Task: roles.Task{Role: r}, RunID: p.RunID(0), Step: step})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Many runs are told in their order; one that cannot be read is told so.
func TestSummaries(t *testing.T) {
	dir := t.TempDir()
	var known []protocol.KnownRun
	for i, name := range []string{"one", "two", "three"} {
		known = append(known, makeRun(t, filepath.Join(dir, name), name+"-1", i))
	}
	if err := os.WriteFile(rundir.Dir(known[1].Dir).Plan(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	list := readerOf(&fake.Scheduler{}).Summaries(t.Context(), known)
	for i, want := range []runs.State{runs.NotSubmitted, runs.Unknown, runs.NotSubmitted} {
		if list[i].State != want || list[i].RunID != known[i].ID {
			t.Errorf("%d: %+v", i, list[i])
		}
	}
	if !strings.HasPrefix(list[1].Text, "unknown: cannot read plan") {
		t.Errorf("%q", list[1].Text)
	}
}
