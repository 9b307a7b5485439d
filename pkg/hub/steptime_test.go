package hub_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/test/check"
)

// stepTime is a statistic of the steps in a point, in milliseconds.
func stepTime(pt protocol.Point, stat string) float64 {
	return pt.Metrics[stat+"_gen_worker_per_iter_device_step_time"]
}

// iteration is what an engine prints of one.
func iteration(number int, ms float64) string {
	return fmt.Sprintf("iter = %d, global_rank = 0, num_scheduled_requests = 8, prev_device_step_time = %vms, "+
		"states = {'num_generation_tokens': 8}\n", number, ms)
}

// prints adds to what a rank has printed.
func (j *job) prints(task roles.Task, text string) {
	j.t.Helper()
	file := j.opts.Attempt.RankLog(task)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		j.t.Fatal(err)
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		j.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		j.t.Fatal(err)
	}
}

// seals completes the logs of ranks, as their agents do before they say that nothing is left.
func (j *job) seals(tasks ...roles.Task) {
	j.t.Helper()
	for _, task := range tasks {
		j.prints(task, "")
		if err := rundir.Seal(j.opts.Attempt.RankLog(task)); err != nil {
			j.t.Fatal(err)
		}
	}
}

// onePoint leaves one point of the case.
func onePoint(j *job) { j.input.Case.Load.Concurrency = []int{4} }

// The one point that a server was measured for has the times of its steps, of all that its ranks have printed to the
// end, in the verdict, in its record and in the journal. Its record says when the point was complete.
func TestStepTimes(t *testing.T) {
	j := newJob(t, onePoint)
	j.serving()
	j.prints(gen0, "loading\n"+iteration(4, 900)+iteration(5, 7))
	j.measure(0, point(4, 10)+"\n")
	j.await("the point", func() bool { return len(j.entries(protocol.EntryPoint)) == 1 })
	complete := j.entries(protocol.EntryPoint)[0].At
	j.exit(benchmark, protocol.Outcome{})
	told := j.told(all...)
	j.prints(gen0, strings.TrimSuffix(iteration(6, 9), "\n")) // the last line of a process that was ended has no end
	j.prints(gen1, "a rank that prints something else\n")
	j.seals(gen0, gen1)
	j.stopped(told, all...)
	r := j.over()
	records := j.opts.Attempt.RecordStore().All()
	if r.Verdict != protocol.Passed || len(r.Points) != 1 || len(records) != 1 {
		t.Fatalf("%s, points %v, records %v", r.Verdict, r.Points, records)
	}
	for _, pt := range []protocol.Point{r.Points[0], records[0].Point} {
		if stepTime(pt, "mean") != 8 || stepTime(pt, "p99") != 8.98 || pt.Metrics["token_throughput"] != 10 {
			t.Errorf("%v", pt.Metrics)
		}
	}
	if late := records[0].MeasuredAt.Sub(complete).Abs(); late > time.Second {
		t.Errorf("the record is dated %v after its point", late)
	}
	e := j.entries(protocol.EntryStepTimes)
	if len(e) != 1 || e[0].Detail != "mean 8.000 ms, P99 8.980 ms, of 2 steps" {
		t.Errorf("journal %+v", e)
	}
}

// Steps that cannot be told to be of the point, or of all of it, are not given to it, and the journal says why. Of
// servers that print none nothing is said.
func TestStepTimesAreNotKnown(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*job)
		said   string // "": nothing
		sealed []roles.Task
	}{
		"several points":       {func(*job) {}, "not known: 2 points share the logs", []roles.Task{gen0, gen1}},
		"a log is incomplete":  {onePoint, "GEN_0.1.log is not complete", []roles.Task{gen0}},
		"nobody prints a step": {func(j *job) { onePoint(j); j.silent = true }, "", []roles.Task{gen0, gen1}},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, tt.change)
			if !j.silent {
				j.prints(gen0, iteration(5, 7))
			}
			j.seals(tt.sealed...)
			j.serving()
			for i, c := range j.opts.Plan.Case.Load.Concurrency {
				j.measure(i, point(c, 10)+"\n")
			}
			j.exit(benchmark, protocol.Outcome{})
			j.leave(all...)
			r := j.over()
			if r.Verdict != protocol.Passed || stepTime(r.Points[0], "mean") != 0 {
				t.Errorf("%s, %v", r.Verdict, r.Points)
			}
			said := ""
			for _, e := range j.entries(protocol.EntryStepTimes) {
				said += e.Detail
			}
			if !strings.Contains(said, tt.said) || (said == "") != (tt.said == "") {
				t.Errorf("the journal says %q, want %q", said, tt.said)
			}
		})
	}
}

// A log that cannot be read costs the verdict nothing but these values, and the nodes no more than the patience that
// there is with a disk.
func TestStepLogCannotBeRead(t *testing.T) {
	j := newJob(t, func(j *job) {
		onePoint(j)
		j.opts.DiskPatience = bound / 10 // which the disk itself must not need
	})
	j.seals(gen0, gen1)
	check.Stuck(t, j.opts.Attempt.RankLog(gen0), "")
	j.serving()
	j.measure(0, point(4, 10)+"\n")
	j.exit(benchmark, protocol.Outcome{})
	j.leave(all...)
	if r := j.over(); r.Verdict != protocol.Passed || len(r.Points) != 1 {
		t.Errorf("%s, points %v", r.Verdict, r.Points)
	}
	e := j.entries(protocol.EntryStepTimes)
	if len(e) != 1 || !strings.Contains(e[0].Detail, "does not show the logs of the generation servers in time") {
		t.Errorf("journal %+v", e)
	}
}
