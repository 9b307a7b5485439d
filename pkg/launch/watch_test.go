package launch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/atomicfile"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler/fake"
	"github.com/disagg/disagg/test/check"
)

// What schedulers answer.
var (
	runs      = fake.Answer{State: protocol.JobState{Phase: protocol.JobRunning, Word: "RUNNING"}}
	gone      = fake.Answer{State: protocol.JobState{Phase: protocol.JobEnded}}
	completed = fake.Answer{State: protocol.JobState{Phase: protocol.JobEnded, Word: "COMPLETED"}}
	away      = fake.Answer{Err: errors.New("unable to contact the controller")}
	hangs     = fake.Answer{Hang: true}
)

// watcher watches a run directory that its test fills, by a clock that stands still while nothing happens.
type watcher struct {
	*fake.Scheduler
	t     *testing.T
	dir   rundir.Dir
	bound time.Duration
	begun time.Time
	heard []string // everything that was said, in order
}

func newWatcher(t *testing.T, queue ...fake.Answer) *watcher {
	return &watcher{Scheduler: &fake.Scheduler{Queue: queue}, t: t, dir: rundir.Dir(t.TempDir())}
}

// watch watches to the end.
func (w *watcher) watch(ctx context.Context) (Outcome, error) {
	w.begun = time.Now()
	return Watch{
		Plan: plan.Plan{ID: "p", RunDir: string(w.dir)}, Job: theJob, Scheduler: w.Scheduler, AskBound: w.bound,
		Say:     func(text string) { w.heard = append(w.heard, text) },
		OnEntry: func(e protocol.Entry) { w.heard = append(w.heard, fmt.Sprintf("entry %d %s", e.Seq, e.Kind)) },
		OnVerdict: func(r protocol.Result, _ rundir.Attempt) {
			w.heard = append(w.heard, fmt.Sprintf("verdict %s", r.Verdict))
		},
	}.Run(ctx)
}

// verdict watches to the end, which brings a verdict, and how long that took.
func (w *watcher) verdict() (protocol.Verdict, time.Duration) {
	w.t.Helper()
	out, err := w.watch(w.t.Context())
	if err != nil || out.Result == nil {
		w.t.Fatalf("no verdict: %+v, %v; heard %q", out, err, w.heard)
	}
	return out.Result.Verdict, time.Since(w.begun)
}

// hears compares what was said, entries and verdicts included.
func (w *watcher) hears(want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.heard); diff != "" {
		w.t.Error(diff)
	}
}

// keep leaves a verdict in an attempt, as a hub does.
func (w *watcher) keep(attempt int, v protocol.Verdict) {
	r := protocol.Result{Schema: 1, RunID: fmt.Sprintf("id-%d", attempt), Verdict: v}
	if v != protocol.Passed {
		r.ExitCode = 1
	}
	if err := w.dir.Attempt(attempt).Keep(r, nil); err != nil {
		w.t.Error(err)
	}
}

// begin begins an attempt.
func (w *watcher) begin(attempt int) {
	err := os.MkdirAll(string(w.dir.Attempt(attempt)), 0o755)
	if err == nil {
		err = rundir.SetCurrent(w.dir, attempt)
	}
	if err != nil {
		w.t.Error(err)
	}
}

// write adds text to the journal of an attempt.
func (w *watcher) write(attempt int, text string) {
	f, err := os.OpenFile(w.dir.Attempt(attempt).Events(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		w.t.Error(err)
	}
}

// entry is a line of a journal.
func entry(seq int, kind protocol.EntryKind) string {
	data, err := json.Marshal(protocol.Entry{Schema: 1, Seq: seq, Kind: kind})
	if err != nil {
		return err.Error()
	}
	return string(data) + "\n"
}

const (
	itRuns  = "job 7: RUNNING"
	itLeft  = "job 7 has left the queue: waiting for its verdict, at most 1m0s"
	freeing = "waiting for the nodes of job 7 to be freed; leaving is safe"
)

// One empty answer of the queue, as busy controllers give it, does not end a watch.
func TestWatchOneEmptyAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatcher(t, runs, gone, runs)
		time.AfterFunc(10*time.Minute, func() { w.keep(0, protocol.Passed) })
		if v, took := w.verdict(); v != protocol.Passed || took < 10*time.Minute {
			t.Errorf("%s after %v", v, took)
		}
		w.hears(itRuns, "verdict passed", freeing)
	})
}

// A scheduler that fails, or hangs, for good does not keep a watch going whose verdict is there. Its silence is said.
func TestWatchWithoutScheduler(t *testing.T) {
	const silent = "the scheduler has not answered for 30s: still waiting for job 7"
	for name, queue := range map[string]fake.Answer{"it fails": away, "it hangs": hangs} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWatcher(t, queue)
				w.bound = 50 * time.Millisecond
				time.AfterFunc(time.Minute, func() { w.keep(0, protocol.Failed) })
				if v, took := w.verdict(); v != protocol.Failed || took > time.Minute+2*time.Second {
					t.Errorf("%s after %v", v, took)
				}
				w.hears(silent, "verdict failed")
			})
		})
	}
}

// A verdict that becomes visible long after the job has left the queue is taken; that it is waited for is said.
func TestWatchVerdictSeenLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatcher(t, runs, gone)
		time.AfterFunc(40*time.Second, func() { w.keep(0, protocol.Passed) })
		if v, took := w.verdict(); v != protocol.Passed || took > 41*time.Second {
			t.Errorf("%s after %v", v, took)
		}
		w.hears(itRuns, itLeft, "verdict passed")
	})
}

// Accounting that contradicts the queue is believed.
func TestWatchAccountingContradicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatcher(t, gone)
		w.Records = []fake.Answer{runs}
		time.AfterFunc(5*time.Minute, func() { w.keep(0, protocol.Passed) })
		if v, _ := w.verdict(); v != protocol.Passed {
			t.Error(v)
		}
	})
}

// A verdict that was left as a note is kept where it belongs, and soon. A comment of the job's that is none is not
// taken.
func TestWatchNote(t *testing.T) {
	note := func(text string) fake.Answer {
		return fake.Answer{State: protocol.JobState{Phase: protocol.JobEnded, Word: "FAILED", Note: text}}
	}
	t.Run("a verdict", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWatcher(t, runs, gone)
			w.Records = []fake.Answer{note(`{"schema": 1, "run_id": "p-0", "verdict": "failed", "exit_code": 124}`)}
			if v, took := w.verdict(); v != protocol.Failed || took > 10*time.Second {
				t.Errorf("%s after %v", v, took)
			}
			a := w.dir.Attempt(0)
			w.hears(itRuns, "verdict failed", "the run directory answers again, and has the verdict: "+string(a))
			if r, err := rundir.ReadResult(a); err != nil || r.ExitCode != 124 {
				t.Errorf("%+v, %v", r, err)
			}
			if _, err := os.Stat(a.Report()); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("that cannot be kept", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWatcher(t, gone)
			if err := os.WriteFile(string(w.dir.Attempt(0)), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			w.Records = []fake.Answer{note(`{"schema": 1, "run_id": "p-0", "verdict": "failed", "exit_code": 1}`)}
			if v, _ := w.verdict(); v != protocol.Failed {
				t.Error(v)
			}
			const lost = "the verdict was left with the scheduler, and cannot be kept: "
			if last := w.heard[len(w.heard)-1]; !strings.HasPrefix(last, lost) {
				t.Errorf("%q", w.heard)
			}
		})
	})
	for name, comment := range map[string]string{
		"a comment": "nightly run", "no verdict": `{"schema": 1}`,
		"of another form":       `{"schema": 2, "run_id": "p-2", "verdict": "passed"}`,
		"of another run":        `{"schema": 1, "run_id": "q-2", "verdict": "passed"}`,
		"of an earlier attempt": `{"schema": 1, "run_id": "p-1", "verdict": "passed"}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWatcher(t, runs, gone)
				w.begin(2)
				w.Records = []fake.Answer{note(comment)}
				out, err := w.watch(t.Context())
				if err != nil || out.Result != nil || out.End.Word != "FAILED" || out.End.Note != "" {
					t.Errorf("%+v, %v", out, err)
				}
			})
		})
	}
}

// A job that left no verdict is over a minute after its end, with what its scheduler says of that. A file that is no
// verdict is none.
func TestWatchNoVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatcher(t, runs, gone)
		w.Records = []fake.Answer{completed}
		w.begin(0)
		if err := os.WriteFile(w.dir.Attempt(0).Result(), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := w.watch(t.Context())
		if err != nil || out.Result != nil || out.End != completed.State {
			t.Errorf("%+v, %v", out, err)
		}
		if took := time.Since(w.begun); took > 70*time.Second {
			t.Errorf("after %v", took)
		}
	})
}

// Every entry of the journal is passed on once, whole and in order, before the verdict, over all attempts of a requeued
// job; the verdict is that of the last.
func TestWatchRequeued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatcher(t, runs)
		w.begin(0)
		w.write(0, entry(1, protocol.EntryPhase)+entry(2, protocol.EntryBye)[:10])
		steps := []func(){
			func() { w.write(0, entry(2, protocol.EntryBye)[10:]) },
			func() { w.write(0, entry(3, protocol.EntryVerdict)); w.keep(0, protocol.Cancelled) },
			func() { w.begin(1) },
			func() { w.write(1, entry(1, protocol.EntryPhase)) },
			func() { w.write(1, entry(2, protocol.EntryVerdict)); w.keep(1, protocol.Passed) },
		}
		for i, step := range steps {
			time.AfterFunc(time.Duration(i+1)*2*time.Second, step)
		}
		if v, _ := w.verdict(); v != protocol.Passed {
			t.Error(v)
		}
		w.hears("entry 1 phase", itRuns, "entry 2 bye", "entry 3 verdict", "verdict cancelled",
			"job 7 has begun another attempt", "entry 1 phase", "entry 2 verdict", "verdict passed", freeing)
	})
}

// The verdict of an earlier attempt is none of the last one's.
func TestWatchRequeuedWithoutVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatcher(t, runs)
		w.begin(0)
		w.keep(0, protocol.Cancelled)
		time.AfterFunc(3*time.Second, func() { w.begin(1) })
		w.Queue = append(slices.Repeat([]fake.Answer{runs}, 20), gone)
		if out, err := w.watch(t.Context()); err != nil || out.Result != nil {
			t.Errorf("%+v, %v", out, err)
		}
	})
}

// The end of the context ends the watch, whatever it waits for, and says why. The job goes on.
func TestLeaveWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatcher(t, hangs)
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { cancel(errors.New("SIGINT")) })
		out, err := w.watch(ctx)
		if err == nil || err.Error() != "SIGINT" || out.Result != nil {
			t.Errorf("%+v, %v", out, err)
		}
		for _, asked := range w.Asked() {
			if asked == "cancel" {
				t.Error("the job was cancelled")
			}
		}
	})
}

// Who shows a job hears of its state and of the queue's answers as they come, and of each second.
func TestWatchShows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatcher(t, runs, away)
		w.begin(0)
		seconds := 0
		for i, phase := range []string{"launching", "readying"} {
			time.AfterFunc(time.Duration(10+10*i)*time.Second, func() {
				text := fmt.Appendf(nil, `{"schema":1,"phase":%q}`, phase)
				if err := atomicfile.Write(w.dir.Attempt(0).State(), text, 0o600); err != nil {
					t.Error(err)
				}
			})
		}
		time.AfterFunc(30*time.Second, func() { w.keep(0, protocol.Passed) })
		_, err := Watch{
			Plan: plan.Plan{ID: "p", RunDir: string(w.dir)}, Job: theJob, Scheduler: w.Scheduler, GoesOn: true,
			Say: func(string) {}, OnEntry: func(protocol.Entry) {},
			OnVerdict: func(protocol.Result, rundir.Attempt) { w.heard = append(w.heard, "verdict") },
			OnState:   func(s protocol.State) { w.heard = append(w.heard, string(s.Phase)) },
			OnQueue:   func(s protocol.JobState) { w.heard = append(w.heard, s.Word) },
			OnSecond:  func() { seconds++ },
		}.Run(t.Context())
		if err != nil || seconds < 29 || seconds > 31 {
			t.Errorf("%d seconds, %v", seconds, err)
		}
		w.hears("RUNNING", "launching", "readying", "verdict")
	})
}

// While nothing happens nothing is done: a question that hangs costs no time of this machine.
func TestWatchIsIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatcher(t, hangs)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := w.watch(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if n := len(w.Asked()); n < 100 || n > 180 { // one every 20 s and a pause
			t.Errorf("%d questions in an hour", n)
		}
	})
}

// A run directory that does not answer holds nobody up whose verdict was left as a note. A journal that cannot be
// opened plays the frozen disk.
func TestWatchFrozenRunDirectory(t *testing.T) {
	t.Parallel()
	w := newWatcher(t, gone)
	w.Records = []fake.Answer{{State: protocol.JobState{
		Phase: protocol.JobEnded, Note: `{"schema": 1, "run_id": "p-0", "verdict": "failed", "exit_code": 1}`,
	}}}
	w.begin(0)
	t.Cleanup(func() { // the verdict is kept once the run directory answers, after which that can be removed
		check.Eventually(t, "the verdict is kept", func() bool { return rundir.HasResult(w.dir.Attempt(0)) })
	})
	check.Stuck(t, w.dir.Attempt(0).Events(), "")
	if v, took := w.verdict(); v != protocol.Failed || took > bound {
		t.Errorf("%s after %v", v, took)
	}
}

// The words of a job without a verdict say how it ended, why as far as what it printed tells, and where to look.
func TestNoVerdict(t *testing.T) {
	const without = "the job ended without a verdict"
	printed := map[string]string{"slurm-7.out": "module: loaded\nbash: /nowhere/disagg-agent: not found\n\n"}
	logs := map[string]string{"attempt-0/logs/x.log": ""}
	tests := map[string]struct {
		end   protocol.JobState
		files map[string]string
		want  string
	}{
		"nothing is there": {completed.State, nil,
			", COMPLETED: nothing of it is to be seen: do the nodes see $DIR?: see $DIR"},
		"cancelled while it waited": {protocol.JobState{Word: "CANCELLED", Cause: protocol.CauseCancelled}, nil,
			", CANCELLED: see $DIR"},
		"the batch script said why": {gone.State, printed, ": bash: /nowhere/disagg-agent: not found: see $DIR"},
		"the batch script crashed": {
			gone.State,
			map[string]string{"local.out": "runtime: failed to create new OS thread\n" +
				"runtime: may need to increase max user processes (ulimit -u)\n" +
				"fatal error: newosproc\n\ngoroutine 1:\n"},
			": runtime: may need to increase max user processes (ulimit -u): see $DIR",
		},
		"there are logs": {gone.State, logs, ": see $DIR/attempt-0/logs"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range tt.files {
				file := filepath.Join(dir, name)
				err := os.MkdirAll(filepath.Dir(file), 0o755)
				if err == nil {
					err = os.WriteFile(file, []byte(text), 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			got := NoVerdict(rundir.Dir(dir), tt.end).Error()
			if got != without+strings.ReplaceAll(tt.want, "$DIR", dir) {
				t.Error(got)
			}
		})
	}
}

// A verdict that cannot be read is none that is missing.
func TestUnreadableVerdict(t *testing.T) {
	for text, want := range map[string]string{
		`{"schema": 99}`: "schema 99 is not supported: use the version of the tool that wrote it",
		`{"sch`:          "unexpected end",
	} {
		a := rundir.Dir(t.TempDir()).Attempt(0)
		err := os.MkdirAll(string(a), 0o755)
		if err == nil {
			err = os.WriteFile(a.Result(), []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		fails(t, NoVerdict(a.Dir(), completed.State), "the job has ended, and its verdict is not known: ", want)
	}
}

// A verdict that cannot be read is not waited for as long as one that may still come, and whoever leaves meanwhile is
// not told that the job goes on.
func TestWatchUnreadableVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatcher(t, gone)
		w.begin(0)
		if err := os.WriteFile(w.dir.Attempt(0).Result(), []byte(`{"sch`), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := w.watch(t.Context()); err != nil || out.Result != nil || time.Since(w.begun) > 10*time.Second {
			t.Errorf("%+v, %v, after %v", out, err, time.Since(w.begun))
		}
		ctx, leave := context.WithTimeout(t.Context(), 3*time.Second)
		defer leave()
		if out, err := w.watch(ctx); err == nil || out.End.Phase != protocol.JobEnded {
			t.Errorf("%+v, %v", out, err)
		}
	})
}

// A run directory that does not answer is named as such, after a while.
func TestNoVerdictFrozen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	check.Stuck(t, filepath.Join(dir, "slurm-7.out"), "")
	err := NoVerdict(rundir.Dir(dir), completed.State)
	fails(t, err, "without a verdict, COMPLETED: the run directory does not answer: see "+dir)
}

// A run whose roles are started by hand has no scheduler to ask: it is watched until its verdict.
func TestWatchByHand(t *testing.T) {
	job, _ := prepared(t)
	var said []string
	verdicts := make(chan protocol.Verdict, 1)
	w := Watch{
		Plan: job.Plan, GoesOn: true,
		OnEntry:   func(protocol.Entry) {},
		OnVerdict: func(r protocol.Result, _ rundir.Attempt) { verdicts <- r.Verdict },
	}
	a := rundir.Dir(job.Plan.RunDir).Attempt(0)
	w.Say = func(text string) { // once the watch has begun
		said = append(said, text)
		if err := a.Keep(protocol.Result{Schema: 1, Verdict: protocol.Passed}, nil); err != nil {
			t.Error(err)
		}
	}
	out, err := w.Run(t.Context())
	if err != nil || out.Result == nil || <-verdicts != protocol.Passed {
		t.Errorf("%+v, %v", out, err)
	}
	if diff := cmp.Diff([]string{"the run: its roles are started by hand"}, said); diff != "" {
		t.Error(diff)
	}
}
