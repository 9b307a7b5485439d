package hub_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/hub"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/report/gather"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/upload"
)

const sinkURL = "sqlite:///results.db"

// toSink sends records there, from the job itself.
var toSink = plan.Upload{Sinks: []plan.Sink{{URL: sinkURL}}}

// outbox is the sink's.
func outbox(a rundir.Attempt) rundir.Outbox { return a.OpenOutbox(upload.Folder(sinkURL)) }

// sends stands in for disagg-submit: it notes every record as sent, and reports it.
var sends = `[ "$1 $2 $3 $4 $5" = "upload drain --json --job --for" ] || exit 64
to="$7/outbox/` + upload.Folder(sinkURL) + `/sent"
mkdir -p "$to"
n=0
for r in "$7"/records/*.json; do touch "$to/$(basename "$r" .json)"; n=$((n+1)); done
printf '{"url": "` + sinkURL + `", "sent": %d}' "$n"`

// What only the submitting side can reach is left to it: nobody is called, and the report says so.
func TestUploadFromElsewhere(t *testing.T) {
	j := newJob(t, func(j *job) {
		j.input.Upload = plan.Upload{Sinks: []plan.Sink{{URL: sinkURL, Local: true}}}
		j.opts.Uploader = script(t, "exit 1")
	})
	j.serving()
	j.measure(0, point(4, 10)+"\n")
	j.measure(1, point(8, 20)+"\n")
	j.exit(benchmark, protocol.Outcome{})
	j.leave(all...)
	want := &protocol.UploadReport{URL: sinkURL, Pending: 2, Local: true}
	if diff := cmp.Diff(want, j.over().Upload); diff != "" {
		t.Error(diff)
	}
}

// The upload comes after the measurement and never decides whether a test passed, however it goes.
func TestUpload(t *testing.T) {
	tests := map[string]struct {
		program string // "": there is none
		bound   time.Duration
		want    protocol.UploadReport
		pending int
	}{
		"sent": {sends, bound, protocol.UploadReport{URL: sinkURL, Sent: 2}, 0},
		"the sink fails": {
			"echo away >&2; exit 1", bound,
			protocol.UploadReport{URL: sinkURL, Pending: 2, Error: "exit status 1: away"}, 2,
		},
		"it hangs": {
			"exec sleep 600", 300 * time.Millisecond,
			protocol.UploadReport{URL: sinkURL, Pending: 2, Error: "not done in time"}, 2,
		},
		"nobody can send": {"", bound, protocol.UploadReport{URL: sinkURL, Pending: 2, Error: "no such file"}, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, func(j *job) {
				j.input.Upload = toSink
				j.input.Timeouts.Upload = roles.Duration(tt.bound)
				j.opts.Uploader = filepath.Join(t.TempDir(), "nobody")
				if tt.program != "" {
					j.opts.Uploader = script(t, tt.program)
				}
			})
			j.serving()
			j.measure(0, point(4, 10)+"\n")
			j.measure(1, point(8, 20)+"\n")
			j.exit(benchmark, protocol.Outcome{})
			j.leave(all...)
			r := j.over()
			if r.Verdict != protocol.Passed || r.Upload == nil || !strings.Contains(r.Upload.Error, tt.want.Error) {
				t.Fatalf("%s, upload %+v", r.Verdict, r.Upload)
			}
			r.Upload.Error = tt.want.Error
			if diff := cmp.Diff(tt.want, *r.Upload); diff != "" {
				t.Error(diff)
			}
			if pending, err := outbox(j.opts.Attempt).Pending(); err != nil || len(pending) != tt.pending {
				t.Errorf("pending %v, %v", pending, err)
			}
			text := fmt.Sprintf("%d sent, %d pending", tt.want.Sent, tt.want.Pending)
			if e := j.entries(protocol.EntryUpload); len(e) != 1 || !strings.HasPrefix(e[0].Detail, text) {
				t.Errorf("journal %+v", e)
			}
		})
	}
}

// A sink that is away does not hide that a run is worse than earlier ones: that is the verdict, and the records stay.
func TestRegressionWithoutUpload(t *testing.T) {
	j := newJob(t, func(j *job) {
		j.input.Upload, j.input.Gate = toSink, plan.Gate{Mode: plan.GateFail}
		j.opts.Uploader = script(t, `case $1 in
judge) echo '{"status": "failed", "reason": "5 % worse", "findings": []}';;
*) echo away >&2; exit 1;;
esac`)
	})
	j.serving()
	j.measure(0, point(4, 10)+"\n")
	j.measure(1, point(8, 20)+"\n")
	j.exit(benchmark, protocol.Outcome{})
	j.leave(all...)
	r := j.over()
	if r.ExitCode != protocol.ExitRegression || r.FirstCause == nil || r.FirstCause.Kind != protocol.Regression {
		t.Errorf("code %d, cause %v", r.ExitCode, r.FirstCause)
	}
	if r.Upload == nil || r.Upload.Pending != 2 || !strings.Contains(r.Upload.Error, "away") {
		t.Errorf("upload %+v", r.Upload)
	}
}

// When the scheduler is about to kill the job, the upload has what is left of the grace period, and no more.
func TestUploadOfCancelledJob(t *testing.T) {
	j := newJob(t, func(j *job) {
		j.input.Upload = toSink
		j.input.Profile.KillWait = roles.Duration(10 * time.Second)
		j.input.Timeouts.Stop, j.input.Timeouts.Settle = roles.Duration(5*time.Second),
			roles.Duration(4700*time.Millisecond)
		j.opts.Uploader = script(t, "exec sleep 600")
	})
	j.serving()
	j.measure(0, point(4, 10)+"\n")
	j.await("the first point", func() bool { return len(j.entries(protocol.EntryPoint)) == 1 })
	j.cancel(errors.New("SIGTERM"))
	j.leave(all...)
	if r := j.over(); r.Upload == nil || r.Upload.Pending != 1 || r.Phases.Upload > 2 {
		t.Errorf("upload %+v took %v s", r.Upload, r.Phases.Upload)
	}
}

// A benchmark that is stopped in the middle leaves what it has measured, also what it has not quite written.
func TestPointsOfStoppedBenchmark(t *testing.T) {
	j := newJob(t, nil)
	j.serving()
	j.measure(0, point(4, 10)+"\n")
	j.await("the first point", func() bool { return len(j.entries(protocol.EntryPoint)) == 1 })
	j.await("the first point in junit.xml", func() bool {
		junit, _ := os.ReadFile(j.opts.Attempt.Dir().JUnit())
		return strings.Contains(string(junit), `tests="3" failures="0" errors="2"`)
	})
	j.measure(1, point(3, 20)) // too few, and its line has no end
	j.exit(gen1, protocol.Outcome{Code: 3})
	j.leave(all...)
	r := j.over()
	if checkPoints(t, r.Points); len(r.Points) != 2 {
		return
	}
	if r.Verdict != protocol.Failed || r.Points[0].Invalid != "" || r.Points[1].Invalid == "" {
		t.Errorf("%s, points %+v", r.Verdict, r.Points)
	}
	if records := j.opts.Attempt.RecordStore().All(); len(records) != 2 {
		t.Errorf("records %+v", records)
	}
}

// A point that is measured again takes the place of the one before, in the verdict and in its record.
func TestPointMeasuredAgain(t *testing.T) {
	j := newJob(t, nil)
	j.serving()
	j.measure(1, point(8, 20)+"\n")
	j.measure(0, point(4, 1)+"\n")
	j.await("both points", func() bool { return len(j.entries(protocol.EntryPoint)) == 2 })
	j.measure(0, point(4, 10)+"\n")
	j.exit(benchmark, protocol.Outcome{})
	j.leave(all...)
	r := j.over()
	checkPoints(t, r.Points)
	if len(r.Points) != 2 {
		t.Errorf("points %+v", r.Points)
	}
	if records := j.opts.Attempt.RecordStore().All(); len(records) != 2 ||
		records[0].Point.Metrics["token_throughput"] != 10 {
		t.Errorf("records %+v", records)
	}
}

// What is measured afterwards on the same servers is kept beside the first measurement, and neither is taken for the
// other.
func TestMeasuredSeveralTimes(t *testing.T) {
	j := newJob(t, func(j *job) { j.input.Policy.Measurements = 2 })
	j.serving()
	j.measure(0, point(4, 10)+"\n")
	j.measure(1, point(8, 20)+"\n")
	j.exit(benchmark, protocol.Outcome{})
	if c := j.expect(benchmark, protocol.CommandStart); c.Measurement != 1 {
		t.Errorf("%+v", c)
	}
	for i := range 2 { // as the benchmark's agent does
		if err := os.Remove(plan.PointFile(j.opts.Results, i)); err != nil {
			t.Fatal(err)
		}
	}
	j.say(benchmark, protocol.EventStarted)
	j.measure(0, point(4, 11)+"\n")
	j.measure(1, point(8, 21)+"\n")
	j.exit(benchmark, protocol.Outcome{})
	j.leave(all...)
	r := j.over()
	if checkPoints(t, r.Points); len(r.Again) != 1 || len(r.Again[0]) != 2 || r.Verdict != protocol.Passed {
		t.Fatalf("%+v", r)
	}
	if got := r.Again[0][1]; got.Metrics["token_throughput"] != 21 || got.Measurement != 1 {
		t.Errorf("%+v", got)
	}
	warm := 0
	for _, rec := range j.opts.Attempt.RecordStore().All() {
		if rec.Provenance.Warm {
			warm++
		}
	}
	if len(j.opts.Attempt.RecordStore().All()) != 4 || warm != 2 || len(j.entries(protocol.EntryAgain)) != 1 {
		t.Errorf("%d records of servers that had served before", warm)
	}
}

// A first measurement is confirmed by a second one if the comparison with earlier runs says that it is suspicious. A
// comparison that says nothing in time, or nothing that can be read, changes nothing.
func TestConfirmed(t *testing.T) {
	for name, tt := range map[string]struct {
		program string
		again   bool
	}{
		"suspicious": {
			`case $1 in judge) echo '{"status": "unknown", "findings": [{"gates": true, "once": true}]}';; esac`, true,
		},
		"as usual": {`case $1 in judge) echo '{"status": "passed", "findings": []}';; esac`, false},
		"no sense": {`echo hm`, false},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, func(j *job) {
				j.input.Gate = plan.Gate{Mode: plan.GateReport, Confirm: true}
				j.opts.Uploader = script(t, tt.program)
			})
			j.serving()
			j.measure(0, point(4, 10)+"\n")
			j.measure(1, point(8, 20)+"\n")
			j.exit(benchmark, protocol.Outcome{})
			if tt.again {
				if c := j.expect(benchmark, protocol.CommandStart); c.Measurement != 1 {
					t.Errorf("%+v", c)
				}
				j.say(benchmark, protocol.EventStarted)
				j.exit(benchmark, protocol.Outcome{})
			}
			j.leave(all...)
			if r := j.over(); r.Verdict != protocol.Passed || (len(r.Again) == 1) != tt.again {
				t.Errorf("%+v", r)
			}
		})
	}
}

// A report that cannot be written costs nothing but the report.
func TestVerdictWithoutReport(t *testing.T) {
	j := newJob(t, nil)
	if err := os.WriteFile(filepath.Dir(j.opts.Attempt.Report()), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	j.cancel(errors.New("enough"))
	j.leave(benchmark)
	if r := j.over(); r.Verdict != protocol.Cancelled || !j.written || j.stored().Verdict != protocol.Cancelled {
		t.Errorf("%s, written %v, stored %s", r.Verdict, j.written, j.stored().Verdict)
	}
}

// A verdict that is there stays: the hub's own is not written over another's.
func TestVerdictStays(t *testing.T) {
	j := newJob(t, nil)
	r := protocol.Result{Schema: 1, Verdict: protocol.Errored, ExitCode: 1}
	if err := gather.Keep(j.opts.Plan, j.opts.Attempt, r); err != nil {
		t.Fatal(err)
	}
	j.cancel(errors.New("enough"))
	j.leave(benchmark)
	if r := j.over(); r.Verdict != protocol.Cancelled || !j.written || j.stored().Verdict != protocol.Errored {
		t.Errorf("%s, written %v, stored %s", r.Verdict, j.written, j.stored().Verdict)
	}
}

// Where nobody waits for the hub the verdict is written before the agents have answered; if there is time after all,
// the last one takes its place. Another's stays.
func TestVerdictBeforehand(t *testing.T) {
	j := newJob(t, nil)
	j.serving()
	j.cancel(hub.ErrBatchEnded)
	j.await("a verdict", func() bool { return rundir.HasResult(j.opts.Attempt) })
	if r := j.stored(); r.Verdict != protocol.Cancelled || r.FirstCause == nil || len(r.Roles) == 0 {
		t.Errorf("%s, %v, %d roles", r.Verdict, r.FirstCause, len(r.Roles))
	}
	j.leave(all...)
	if r := j.over(); !j.written || j.stored().EndedAt != r.EndedAt || j.stored().Upload == nil {
		t.Errorf("written %v, ended at %v and %v", j.written, j.stored().EndedAt, r.EndedAt)
	}

	j = newJob(t, nil)
	r := protocol.Result{Schema: 1, Verdict: protocol.Errored, ExitCode: 1}
	if err := gather.Keep(j.opts.Plan, j.opts.Attempt, r); err != nil {
		t.Fatal(err)
	}
	j.cancel(hub.ErrBatchEnded)
	j.leave(benchmark)
	if j.over(); j.stored().Verdict != protocol.Errored {
		t.Errorf("stored %s", j.stored().Verdict)
	}
}

// A verdict that cannot be written although the run directory answers is handed back too.
func TestVerdictCannotBeWritten(t *testing.T) {
	j := newJob(t, nil)
	if err := os.Rename(string(j.opts.Attempt), string(j.opts.Attempt)+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(string(j.opts.Attempt), nil, 0o600); err != nil { // so that nobody makes it anew
		t.Fatal(err)
	}
	j.cancel(errors.New("enough"))
	j.leave(benchmark)
	if r := j.over(); r.Verdict != protocol.Cancelled || j.written {
		t.Errorf("%s, written %v", r.Verdict, j.written)
	}
}

// orphan is an attempt whose hub was killed after it had recorded a point.
func orphan(t *testing.T) hub.Orphan {
	t.Helper()
	o := hub.Orphan{
		RunID: "run-0", JobID: "101", Attempt: rundir.Dir(t.TempDir()).Attempt(0), Begun: time.Now().Add(-time.Minute),
	}
	o.Plan.Case = roles.Case{Name: "c", TestID: "t"}
	o.Plan.Upload = toSink
	o.Plan.Timeouts.Upload = roles.Duration(bound)
	if _, err := rundir.OpenAttempt(o.Attempt, "t"); err != nil {
		t.Fatal(err)
	}
	rec := results.NewRecord(results.Origin{RunID: "run-0"},
		protocol.Point{Index: 1, Concurrency: 8, Metrics: map[string]float64{"al": 1}}, time.Now())
	if err := o.Attempt.RecordStore().Save(rec); err != nil {
		t.Fatal(err)
	}
	return o
}

// A hub that was killed gets a verdict in its place, with what was recorded, which is sent. The verdict stays.
func TestOrphan(t *testing.T) {
	o := orphan(t)
	o.Uploader = script(t, sends)
	cause := protocol.Cause{Role: roles.Hub().Role, Kind: protocol.HubLost, Detail: "the hub was killed"}
	if err := o.Conclude(cause); err != nil {
		t.Fatal(err)
	}
	cause.Kind = protocol.CauseCancelled
	if err := o.Conclude(cause); err != nil {
		t.Fatal(err)
	}
	r, err := rundir.ReadResult(o.Attempt)
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict != protocol.Failed || r.ExitCode != 1 || r.FirstCause.Kind != protocol.HubLost ||
		r.FirstCause.At.IsZero() || r.JobID != "101" {
		t.Errorf("%s %d, cause %v", r.Verdict, r.ExitCode, r.FirstCause)
	}
	if len(r.Points) != 1 || r.Points[0].Concurrency != 8 {
		t.Errorf("points %v", r.Points)
	}
	if r.Upload == nil || r.Upload.Sent != 1 || r.Upload.Pending != 0 || r.Upload.Error != "" {
		t.Errorf("upload %+v", r.Upload)
	}
	if _, err := os.Stat(o.Attempt.Report()); err != nil {
		t.Error(err)
	}
}

// Without a program that sends, what was recorded stays pending; without a run directory that answers nobody asks for
// it.
func TestOrphanWithoutUpload(t *testing.T) {
	o := orphan(t)
	cause := protocol.Cause{Role: roles.Hub().Role, Kind: protocol.TimeLimit, At: time.Unix(1000, 0)}
	if r := o.Verdict(cause, false); len(r.Points) != 0 || r.ExitCode != protocol.ExitDeadline ||
		!r.FirstCause.At.Equal(cause.At) {
		t.Errorf("%+v", r)
	}
	if err := o.Conclude(cause); err != nil {
		t.Fatal(err)
	}
	r, err := rundir.ReadResult(o.Attempt)
	if err != nil || r.Upload != nil || len(r.Points) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if pending, err := outbox(o.Attempt).Pending(); err != nil || len(pending) != 1 {
		t.Errorf("pending %v, %v", pending, err)
	}
}

// A point that is complete in the client's file is recorded although the hub was killed before it came to that; one
// that is not complete, or that was recorded before, is left as it is. The cause that the hub had found stands.
func TestOrphanRecovers(t *testing.T) {
	o := orphan(t)
	dir := t.TempDir()
	o.Plan.Case.Load = roles.Load{Concurrency: []int{4, 8, 16}, PointLoad: roles.PointLoad{Rounds: 1}}
	o.Plan.Recipe.Roles = map[roles.Kind]recipe.RoleSpec{roles.Benchmark: {
		Results: &recipe.Results{Format: "json", Files: dir + "/client.{index}.log"},
	}}
	for i, requests := range []int{4, 8} {
		const form = `{"successful_requests": %d, "failed_requests": 0, "metrics": {"token_throughput": 5}}`
		text := fmt.Sprintf(form, requests) // without a new line, as some clients end their file
		if err := os.WriteFile(fmt.Sprintf("%s/client.%d.log", dir, i), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(dir+"/client.2.log", []byte("requests: 3 of 16\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	known := protocol.Cause{
		Role: gen0.Role, Kind: protocol.ChildExit, Detail: "exited with code 3", At: time.Now().UTC(),
	}
	state, err := json.Marshal(protocol.State{Schema: 1, Cause: &known})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(o.Attempt.State(), state, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := o.Conclude(protocol.Cause{Role: roles.Hub().Role, Kind: protocol.HubLost}); err != nil {
		t.Fatal(err)
	}
	r, err := rundir.ReadResult(o.Attempt)
	if err != nil || len(r.Points) != 2 || r.Points[0].Concurrency != 4 ||
		r.Points[0].Metrics["token_throughput"] != 5 || r.Points[1].Metrics["al"] != 1 {
		t.Errorf("points %+v, %v", r.Points, err)
	}
	from := o.Attempt.RecordStore().All()[0].Provenance.Imported
	if from == nil || from.File != dir+"/client.0.log" || from.Dated != protocol.ByFile {
		t.Errorf("the record that was made later is from %+v", from)
	}
	if r.FirstCause.Detail != known.Detail || len(r.Secondary) != 1 || r.Secondary[0].Kind != protocol.HubLost {
		t.Errorf("cause %v, secondary %v", r.FirstCause, r.Secondary)
	}
}

// A client's file that cannot be found out is said, and keeps nobody from the verdict.
func TestOrphanCannotRecover(t *testing.T) {
	for what, change := range map[string]func(*recipe.Results){
		"an unknown format":    func(r *recipe.Results) { r.Format = "nonsense" },
		"a pattern with holes": func(r *recipe.Results) { r.Files = "{{.Nonsense}}" },
	} {
		o := orphan(t)
		files := &recipe.Results{Format: "json", Files: "x"}
		change(files)
		o.Plan.Recipe.Roles = map[roles.Kind]recipe.RoleSpec{roles.Benchmark: {Results: files}}
		if err := o.Conclude(protocol.Cause{Role: roles.Hub().Role, Kind: protocol.HubLost}); err != nil {
			t.Fatal(err)
		}
		r, err := rundir.ReadResult(o.Attempt)
		if err != nil || !strings.HasPrefix(r.Lost, "the client's files could not be read: ") || len(r.Points) != 1 {
			t.Errorf("%s: %+v, %v", what, r, err)
		}
	}
}
