package upload_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/upload"
)

const place = "shelf://x"

// reports checks a report: its numbers, and what its error says, "" if it must have none.
func reports(t *testing.T, got, want protocol.UploadReport) {
	t.Helper()
	if !strings.Contains(got.Error, want.Error) || (want.Error == "") != (got.Error == "") {
		t.Errorf("error %q, want %q", got.Error, want.Error)
	}
	got.Error = want.Error
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A drain sends what is pending, to a sink of any kind that the program has, and nothing twice.
func TestDrain(t *testing.T) {
	s := shelf{}
	a := attempt(t)
	o, _ := save(t, a)
	reports(t, o.Drain(t.Context(), nil, "nowhere"), protocol.UploadReport{URL: "nowhere"}) // there is nothing to do
	save(t, a, 4, 8)
	reports(t, o.Drain(t.Context(), s.registry(), place), protocol.UploadReport{URL: place, Sent: 2})
	save(t, a, 4, 8, 16)
	reports(t, o.Drain(t.Context(), s.registry(), place), protocol.UploadReport{URL: place, Sent: 1})
	if diff := cmp.Diff([]int{4, 8, 16}, s.kept); diff != "" || s.open != 0 {
		t.Errorf("%d sinks are still open: %s", s.open, diff)
	}
}

// A sink that cannot be reached leaves everything pending, and nothing lost.
func TestDrainWithoutSink(t *testing.T) {
	o, _ := save(t, attempt(t), 4, 8)
	s := shelf{refuses: errors.New("connection refused")}
	want := protocol.UploadReport{URL: place, Pending: 2, Error: "connection refused"}
	reports(t, o.Drain(t.Context(), s.registry(), place), want)
	s.refuses = nil
	reports(t, o.Drain(t.Context(), s.registry(), place), protocol.UploadReport{URL: place, Sent: 2})
	other := protocol.UploadReport{URL: "other://x", Pending: 1, Error: "unknown kind of sink"}
	o, _ = save(t, attempt(t), 4)
	reports(t, o.Drain(t.Context(), s.registry(), "other://x"), other)
}

// How sending went is noted for each record alone: one bad record blocks no other.
func TestEachRecordForItself(t *testing.T) {
	s := shelf{say: map[int]upload.Outcome{
		8: {Err: errors.New("try later")}, 16: {Err: errors.New("no such column"), Dead: true},
	}}
	a := attempt(t)
	o, ids := save(t, a, 4, 8, 16, 32)
	want := protocol.UploadReport{URL: place, Sent: 2, Pending: 1, Dead: 1, Error: "(and 1 more)"}
	reports(t, o.Drain(t.Context(), s.registry(), place), want)
	if reason, err := os.ReadFile(marker(a, "dead", ids[2])); err != nil || string(reason) != "no such column\n" {
		t.Errorf("the dead record says %q, %v", reason, err)
	}
	s.say = nil
	reports(t, o.Drain(t.Context(), s.registry(), place), protocol.UploadReport{URL: place, Sent: 1, Dead: 1})
	if diff := cmp.Diff([]int{4, 8, 32}, s.kept); diff != "" {
		t.Error(diff)
	}
}

// A record that cannot be read is dead, and said once. The others are sent.
func TestUnreadableRecord(t *testing.T) {
	a := attempt(t)
	o, ids := save(t, a, 4, 8, 16)
	if err := os.WriteFile(filepath.Join(a.Records(), ids[0]+".json"), []byte("{trunc"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(a.Records(), ids[1]+".json")); err != nil {
		t.Fatal(err)
	}
	s := shelf{}
	want := protocol.UploadReport{URL: place, Sent: 1, Dead: 2, Error: "cannot read record "}
	reports(t, o.Drain(t.Context(), s.registry(), place), want)
	reports(t, o.Drain(t.Context(), s.registry(), place), protocol.UploadReport{URL: place, Dead: 2})
	if diff := cmp.Diff([]int{16}, s.kept); diff != "" {
		t.Error(diff)
	}
}

// A drain in which every record turns out to be dead asks no sink to send nothing.
func TestOnlyUnreadableRecords(t *testing.T) {
	a := attempt(t)
	o, ids := save(t, a, 4)
	if err := os.Remove(filepath.Join(a.Records(), ids[0]+".json")); err != nil {
		t.Fatal(err)
	}
	s := shelf{answers: 1} // it would answer for one record
	want := protocol.UploadReport{URL: place, Dead: 1, Error: "cannot read record " + ids[0]}
	reports(t, o.Drain(t.Context(), s.registry(), place), want)
}

// What a sink says nothing about is not taken for sent, and a sink that fails at the end is reported.
func TestSinksThatMisbehave(t *testing.T) {
	s := shelf{answers: 1, fails: errors.New("connection reset")}
	o, _ := save(t, attempt(t), 4, 8, 16)
	want := protocol.UploadReport{
		URL: place, Sent: 1, Pending: 2, Error: "the sink says nothing about 2 records\nconnection reset",
	}
	reports(t, o.Drain(t.Context(), s.registry(), place), want)
}

// A record of which it cannot be noted that it was sent stays pending: sending it again does no harm.
func TestSentCannotBeNoted(t *testing.T) {
	a := attempt(t)
	o, _ := save(t, a, 4)
	if err := os.Remove(filepath.Join(a.Outbox(), "sent")); err != nil {
		t.Fatal(err)
	}
	s := shelf{}
	want := protocol.UploadReport{URL: place, Pending: 1, Error: "cannot note record as sent"}
	reports(t, o.Drain(t.Context(), s.registry(), place), want)
}

// Of an outbox that cannot be listed the report says so.
func TestOutboxCannotBeListed(t *testing.T) {
	a := attempt(t)
	o, _ := save(t, a)
	if err := os.MkdirAll(string(a), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.Outbox(), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	want := protocol.UploadReport{URL: place, Error: "cannot list pending records"}
	reports(t, o.Drain(t.Context(), nil, place), want)
	reports(t, o.DrainBy(t.Context(), []string{"/bin/true"}, place), want)
}

// Another program sends in a process of its own, and whatever becomes of it, the report is true.
func TestDrainBy(t *testing.T) {
	const url = "sqlite:///x.db"
	half := `mv $OUTBOX/pending/$(ls $OUTBOX/pending | head -n 1) $OUTBOX/sent/`
	for name, tt := range map[string]struct {
		script string // $OUTBOX is the outbox
		want   protocol.UploadReport
	}{
		"it reports": {
			`echo '{"url": "sqlite:///y.db", "sent": 2}'`, protocol.UploadReport{URL: "sqlite:///y.db", Sent: 2},
		},
		"it reports a fault": {
			`echo '{"url": "sqlite:///x.db", "pending": 2, "error": "away"}'; exit 75`,
			protocol.UploadReport{URL: url, Pending: 2, Error: "away"},
		},
		"its report is empty": {
			"echo {}", protocol.UploadReport{URL: url, Pending: 2, Error: "/bin/sh ended without a report"},
		},
		"it prints nothing": {
			"true", protocol.UploadReport{URL: url, Pending: 2, Error: "/bin/sh ended without a report"},
		},
		"it prints garbage": {
			"echo '{sent'; echo first >&2; echo last >&2",
			protocol.UploadReport{URL: url, Pending: 2, Error: "/bin/sh ended without a report: last"},
		},
		"it prints without end": {
			"exec yes", protocol.UploadReport{URL: url, Pending: 2, Error: "not done in time"},
		},
		"it dies half way": {
			half + "; echo oops >&2; kill -9 $$",
			protocol.UploadReport{URL: url, Sent: 1, Pending: 1, Error: "signal: killed: oops"},
		},
		"it hangs half way": {
			half + "; exec sleep 600", protocol.UploadReport{URL: url, Sent: 1, Pending: 1, Error: "not done in time"},
		},
		"its child keeps its output": {
			half + "; sleep 600 & echo $! > $OUTBOX/pid; exit 1",
			protocol.UploadReport{URL: url, Sent: 1, Pending: 1, Error: "ended without a report"},
		},
		"it breaks the outbox": {
			"mv $OUTBOX/pending $OUTBOX/gone; touch $OUTBOX/pending",
			protocol.UploadReport{URL: url, Pending: 2, Error: "ended without"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			bound := time.Minute
			if strings.Contains(tt.want.Error, "in time") {
				bound = 200 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), bound)
			defer cancel()
			a := attempt(t)
			o, _ := save(t, a, 4, 8)
			defer endChild(filepath.Join(a.Outbox(), "pid"))
			t.Setenv("OUTBOX", a.Outbox())
			reports(t, o.DrainBy(ctx, []string{"/bin/sh", "-c", tt.script}, url), tt.want)
		})
	}
}

// endChild ends the process whose number is in a file, if there is one.
func endChild(file string) {
	data, _ := os.ReadFile(file)
	if pid, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// A program that is not there leaves everything pending, and the report says what to do; if nothing is pending nothing
// is started.
func TestDrainByNobody(t *testing.T) {
	o, _ := save(t, attempt(t), 4)
	for _, program := range []string{"/nowhere/disagg-submit", "disagg-submit-that-nobody-has"} {
		want := protocol.UploadReport{URL: place, Pending: 1, Error: "install disagg-submit beside disagg-agent"}
		reports(t, o.DrainBy(t.Context(), []string{program}, place), want)
	}
	want := protocol.UploadReport{URL: place, Pending: 1, Error: "there is no program to do it"}
	reports(t, o.DrainBy(t.Context(), nil, place), want)
	o, _ = save(t, attempt(t))
	reports(t, o.DrainBy(t.Context(), []string{"/nowhere"}, place), protocol.UploadReport{URL: place})
}
