package hub_test

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// A job that passes leaves its points, their records, a complete journal, the last state, a report and the verdict.
func TestPassed(t *testing.T) {
	j := newJob(t, nil)
	j.serving()
	j.measure(0, point(4, 10))
	j.measure(1, "warming up\n"+point(8, 20)+"\n")
	j.await("the second point", func() bool { return len(j.entries("point")) == 1 }) // before the benchmark has ended
	j.measure(0, "\n")
	j.exit(benchmark, protocol.Outcome{})
	told := j.leave(all...)
	if c := told[gen0]; !c.Finished || c.Code != 0 {
		t.Errorf("GEN_0 is told %+v", c)
	}
	r := j.over()
	if r.Verdict != protocol.Passed || r.ExitCode != 0 || r.FirstCause != nil || r.Lost != "" || !j.written {
		t.Errorf("%s %d, cause %v, lost %q, written %v", r.Verdict, r.ExitCode, r.FirstCause, r.Lost, j.written)
	}
	if r.RunID != "run-0" || r.JobID != "101" || r.Case != "c" || len(r.Roles) != len(all) {
		t.Errorf("result %+v", r)
	}
	checkPoints(t, r.Points)
	if stored := j.stored(); !cmp.Equal(stored, r) {
		t.Errorf("the file has something else: %s", cmp.Diff(stored, r))
	}
	records := j.opts.Attempt.RecordStore().All()
	if pending, err := outbox(j.opts.Attempt).Pending(); err != nil || len(pending) != 2 || len(records) != 2 {
		t.Errorf("records %v, pending %v, %v", records, pending, err)
	}
	state, err := rundir.ReadState(j.opts.Attempt)
	if err != nil || state.Phase != protocol.Over || len(state.Points) != 2 {
		t.Errorf("state %+v, %v", state, err)
	}
	if page, err := os.ReadFile(j.opts.Attempt.Report()); err != nil || !bytes.Contains(page, []byte("passed")) {
		t.Errorf("report %s, %v", page, err)
	}
	if junit, err := os.ReadFile(j.opts.Attempt.Dir().JUnit()); err != nil ||
		!bytes.Contains(junit, []byte(`tests="3" failures="0" errors="0"`)) {
		t.Errorf("junit.xml %s, %v", junit, err)
	}
	checkJournal(t, j.journal())
}

// checkPoints checks that both points are there, as the client printed them.
func checkPoints(t *testing.T, points []protocol.Point) {
	t.Helper()
	throughput := map[int]float64{}
	for _, p := range points {
		throughput[p.Concurrency] = p.Metrics["token_throughput"]
	}
	if diff := cmp.Diff(map[int]float64{4: 10, 8: 20}, throughput); diff != "" {
		t.Errorf("points %s", diff)
	}
}

// checkJournal checks that nothing is missing in the journal of a job that passed, and that its phases are in order.
func checkJournal(t *testing.T, list []protocol.Entry) {
	t.Helper()
	count := map[protocol.EntryKind]int{}
	var phases []protocol.Phase
	for i, e := range list {
		if e.Schema != 1 || e.Seq != i+1 || e.At.IsZero() {
			t.Errorf("entry %d: %+v", i, e)
		}
		count[e.Kind]++
		if e.Kind == protocol.EntryPhase {
			phases = append(phases, e.Phase)
		}
	}
	want := map[protocol.EntryKind]int{
		protocol.EntryAttached: 5, "started": 5, "address": 3, "ready": 3, "exited": 1, "stopped": 5,
		protocol.EntryPoint: 2,
		protocol.EntryPhase: len(phases), protocol.EntryVerdict: 1, protocol.EntryUpload: 1,
		protocol.EntryBye: count[protocol.EntryBye],
	}
	if diff := cmp.Diff(want, count); diff != "" {
		t.Errorf("entries %s", diff)
	}
	if diff := cmp.Diff([]protocol.Phase{
		protocol.Launching, protocol.Readying, protocol.Measuring, protocol.Stopping, protocol.Over,
	}, phases); diff != "" {
		t.Errorf("phases %s", diff)
	}
}

// While a job runs, its state tells what each role is doing and what everybody waits for.
func TestStateIsKept(t *testing.T) {
	j := newJob(t, nil)
	j.serving()
	want := protocol.RoleState{
		Role: gen0.Role, Ranks: 2, Attached: 2, Started: 2, Ready: true, Address: "127.0.0.1:1000",
	}
	j.await("the state of GEN_0 while the benchmark runs", func() bool {
		s, err := rundir.ReadState(j.opts.Attempt)
		return err == nil && s.Phase == protocol.Measuring && cmp.Equal(s.Roles[0], want)
	})
}

// When a rank fails everybody is told at once. The first cause comes with the end of its log, and everything else
// without.
func TestRankFails(t *testing.T) {
	j := newJob(t, nil)
	j.serving()
	log := []string{"Traceback", "ValueError: KV cache needs 91 GiB"}
	j.exit(gen1, protocol.Outcome{Code: 3, Headline: log[1], Tail: log})
	j.await("the first end", func() bool { return len(j.entries("exited")) == 1 })
	j.exit(gen0, protocol.Outcome{Code: 137, Signal: "SIGKILL", Tail: log})
	told := j.leave(all...)
	for task, c := range told {
		code := 0
		if task.Role == gen1.Role {
			code = 3
		}
		if c.Finished || c.Code != code ||
			!strings.Contains(c.Reason, "GEN_0.1 on n-GEN_0.1: exited with code 3") {
			t.Errorf("%s is told %+v", task, c)
		}
	}
	r := j.over()
	if c := r.FirstCause; r.Verdict != protocol.Failed || r.ExitCode != 1 || c == nil || c.Task() != gen1 ||
		!cmp.Equal(c.LogTail, log) {
		t.Errorf("%s %d, cause %+v", r.Verdict, r.ExitCode, r.FirstCause)
	}
	if len(r.Secondary) != 1 || r.Secondary[0].Task() != gen0 || r.Secondary[0].LogTail != nil {
		t.Errorf("secondary %+v", r.Secondary)
	}
	for _, o := range r.Roles {
		if o.Outcome == nil || o.Outcome.Tail != nil || o.Outcome.Headline != "" {
			t.Errorf("%s.%d: %+v", o.Role, o.Rank, o.Outcome)
		}
	}
	if e := j.entries(protocol.EntryVerdict); len(e) != 1 ||
		!strings.HasPrefix(e[0].Detail, "failed; first cause: GEN_0.1 on n-GEN_0.1") {
		t.Errorf("journal %+v", e)
	}
}

// However many ranks fail, or are stopped because of one, the verdict stays small: it is written while the scheduler
// waits to kill.
func TestSizeOfVerdict(t *testing.T) {
	tail := slices.Repeat([]string{strings.Repeat("x", 1000)}, 100)
	orphans := slices.Repeat([]protocol.Orphan{{
		PID: 1 << 20, Comm: "python3", Status: "signal 9", PeakRSS: 1 << 30, At: time.Now(),
	}}, 64)
	for name, failing := range map[string]int{"all ranks fail": 1002, "one rank fails": 1} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, func(j *job) {
				j.input.Case.Servers[roles.Gen] = roles.Server{Count: 4, GPUs: 250}
			})
			var tasks []roles.Task
			for _, pl := range j.opts.Plan.Layout.Placements {
				for _, task := range pl.Tasks() {
					tasks = append(tasks, task)
					if task != benchmark {
						j.agents[task] = j.opts.Server.Local(protocol.Hello{
							Task: task, Session: "s", RunID: "run-0", Node: "node-of-this-rank",
						})
					}
				}
			}
			for _, task := range tasks[:failing] {
				j.exit(task,
					protocol.Outcome{Code: 1, Headline: strings.Repeat("h", 240), Tail: tail, Orphans: orphans})
			}
			j.leave(tasks...)
			r := j.over()
			info, err := os.Stat(j.opts.Attempt.Result())
			if err != nil {
				t.Fatal(err)
			}
			if info.Size() > 1<<20 {
				t.Errorf("the verdict has %.1f MiB", float64(info.Size())/(1<<20))
			}
			if len(r.Roles) != 1003 || len(r.Secondary) != failing-1 || len(r.FirstCause.LogTail) != len(tail) ||
				len(r.Roles[0].Outcome.Orphans) == 0 {
				t.Errorf("%d roles, %d secondary, cause %v", len(r.Roles), len(r.Secondary), r.FirstCause)
			}
		})
	}
}

// The end of the context is a request to cancel, for a reason that everybody is told.
func TestCancelled(t *testing.T) {
	for name, begin := range map[string]func(*job){
		"while the benchmark runs": (*job).serving,
		"while agents arrive":      func(j *job) { j.attach(servers...) },
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, nil)
			begin(j)
			j.await("everybody's arrival", func() bool { return len(j.entries(protocol.EntryAttached)) == len(all) })
			j.cancel(errors.New("the batch script has ended"))
			if c := j.leave(all...)[gen0]; !strings.Contains(c.Reason, "cancelled: the batch script has ended") {
				t.Errorf("told %+v", c)
			}
			r := j.over()
			if r.Verdict != protocol.Cancelled || r.ExitCode != protocol.ExitCancelled || !j.written {
				t.Errorf("%s %d, written %v", r.Verdict, r.ExitCode, j.written)
			}
		})
	}
}

// The time in the queue is known from what the submitting side noted, if it noted anything.
func TestTimeInTheQueue(t *testing.T) {
	j := newJob(t, func(j *job) { j.opts.Times.BatchStart = time.Now() })
	s := protocol.Submission{At: j.opts.Times.BatchStart.Add(-time.Minute), JobID: "101"}
	if err := rundir.WriteSubmission(rundir.Dir(j.input.RunDir), s); err != nil {
		t.Fatal(err)
	}
	j.cancel(errors.New("enough"))
	j.leave(benchmark)
	if q := j.over().Phases.Queue; q < 59 || q > 61 {
		t.Errorf("it was in the queue for %v s", q)
	}
}
