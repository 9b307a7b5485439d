package hub_test

import (
	"errors"
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

// A run directory that does not answer holds up neither a decision nor a command nor the end: the verdict is handed
// back. When the run directory answers at last, all that was written arrives there.
func TestRunDirectoryHangs(t *testing.T) {
	tests := map[string]struct {
		begin   func(*job) // up to where it hangs
		act     func(*job)
		verdict protocol.Verdict
		kind    protocol.CauseKind
	}{
		"from the start, and the job is cancelled": {
			func(*job) {}, func(j *job) { j.serving(); j.cancel(errors.New("SIGTERM")) }, protocol.Cancelled,
			protocol.CauseCancelled,
		},
		"while the benchmark runs, and a rank fails": {
			(*job).serving, func(j *job) { j.exit(gen1, protocol.Outcome{Code: 3}) }, protocol.Failed,
			protocol.ChildExit,
		},
		"while agents arrive, and the job is cancelled": {
			func(j *job) { j.attach(gen0, gen1) },
			func(j *job) { j.attach(ctx0, server); j.cancel(errors.New("SIGTERM")) },
			protocol.Cancelled, protocol.CauseCancelled,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, func(j *job) { j.opts.DiskPatience = 100 * time.Millisecond })
			tt.begin(j)
			answer := j.hang(0)
			tt.act(j)
			j.leave(all...)
			r := j.over()
			if r.Verdict != tt.verdict || r.FirstCause.Kind != tt.kind || j.written || r.Upload != nil ||
				!strings.Contains(r.Lost, "did not answer") {
				t.Errorf("%s, cause %v, written %v, upload %v, lost %q", r.Verdict, r.FirstCause, j.written, r.Upload,
					r.Lost)
			}
			if rundir.HasResult(j.opts.Attempt) {
				t.Error("the verdict is there although nothing can be written")
			}
			answer()
			if !j.opts.Disk.Flush(bound) {
				t.Fatal("the run directory does not answer")
			}
			if stored := j.stored(); stored.Verdict != tt.verdict {
				t.Errorf("stored %s", stored.Verdict)
			}
			if e := j.entries(protocol.EntryAttached, protocol.EntryVerdict); len(e) != len(all)+1 {
				t.Errorf("journal %+v", e)
			}
		})
	}
}

// Results that cannot be read do not keep the nodes: the job ends with the points that were read before.
func TestResultsCannotBeRead(t *testing.T) {
	j := newJob(t, func(j *job) {
		j.opts.DiskPatience = 100 * time.Millisecond
		check.Stuck(t, filepath.Join(j.results, "client.1.log"), "")
	})
	j.serving()
	j.measure(0, point(4, 10)+"\n")
	j.await("the first point", func() bool { return len(j.entries(protocol.EntryPoint)) == 1 })
	j.exit(gen1, protocol.Outcome{Code: 3})
	j.leave(all...)
	if r := j.over(); len(r.Points) != 1 || r.FirstCause.Task() != gen1 {
		t.Errorf("points %v, cause %v", r.Points, r.FirstCause)
	}
}

// Entries that were dropped because too much waited are missing in the journal, and it says so.
func TestJournalTellsWhatItLacks(t *testing.T) {
	events := make(chan protocol.Event, 1)
	j := newJob(t, func(j *job) {
		j.opts.DiskEvents = events
	})
	answer := j.hang(rundir.DefaultBound - 2000)
	j.serving()
	answer()
	if !j.opts.Disk.Flush(bound) {
		t.Fatal("the run directory does not answer")
	}
	events <- protocol.Event{At: time.Now(), Kind: protocol.EventDiskBack, Detail: "after 5s"}
	j.await("the return", func() bool { return len(j.entries("disk_back")) == 1 })
	missing := 0
	list := j.journal()
	for i := 1; i < len(list); i++ {
		missing += list[i].Seq - list[i-1].Seq - 1
	}
	e := j.entries(protocol.EntryDropped)
	if len(e) != 1 || missing == 0 ||
		!strings.HasPrefix(e[0].Detail, fmt.Sprint(missing)+" entries could not be written: ") {
		t.Errorf("%d are missing, the journal says %+v", missing, e)
	}
	j.cancel(errors.New("enough"))
	j.leave(all...)
	if r := j.over(); !strings.HasPrefix(r.Lost, fmt.Sprint(missing)+" journal entries could not be written") ||
		!j.written {
		t.Errorf("lost %q", r.Lost)
	}
}

// A point that cannot be saved still counts, but it is not sent anywhere, and the verdict says so.
func TestRecordsCannotBeSaved(t *testing.T) {
	j := newJob(t, nil)
	if err := os.RemoveAll(j.opts.Attempt.Records()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(j.opts.Attempt.Records(), nil, 0o600); err != nil { // nobody can make a folder there
		t.Fatal(err)
	}
	j.serving()
	j.measure(0, point(4, 10)+"\n")
	j.measure(1, point(8, 20)+"\n")
	j.exit(benchmark, protocol.Outcome{})
	j.leave(all...)
	if r := j.over(); r.Verdict != protocol.Passed || !strings.HasPrefix(r.Lost, "2 records could not be saved") {
		t.Errorf("%s, lost %q", r.Verdict, r.Lost)
	}
}

// What takes too long while the run directory does not answer the hub takes so long because of it; if it answers again
// in time it does not.
func TestDiskEvents(t *testing.T) {
	for name, back := range map[string]bool{"stuck": false, "back in time": true} {
		t.Run(name, func(t *testing.T) {
			events := make(chan protocol.Event, 2)
			j := newJob(t, func(j *job) {
				j.opts.DiskEvents = events
				j.input.Timeouts.Launch = roles.Duration(500 * time.Millisecond)
			})
			events <- protocol.Event{At: time.Now(), Kind: protocol.EventDiskStuck, Detail: "append to events.ndjson"}
			want, entries := protocol.DiskStuck, 1
			if back {
				events <- protocol.Event{At: time.Now(), Kind: protocol.EventDiskBack, Detail: "after 1s"}
				want, entries = protocol.NeverStarted, 2
			}
			j.leave(benchmark) // when the launch has taken too long
			r := j.over()
			if c := r.FirstCause; c == nil || c.Kind != want ||
				!back && !strings.Contains(c.Detail, "append to events.ndjson") {
				t.Errorf("cause %v", r.FirstCause)
			}
			if e := j.entries("disk_stuck", "disk_back"); len(e) != entries || e[0].Host != "n-BENCHMARK.0" {
				t.Errorf("journal %+v", e)
			}
		})
	}
}
