package upload_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/upload"
)

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

// A drain sends what is pending, and nothing twice.
func TestDrain(t *testing.T) {
	s := shelf{}
	a := attempt(t)
	o, _ := save(t, a)
	nowhere := upload.Drain{Outbox: o, URL: "nowhere"}
	reports(t, nowhere.Run(t.Context()), protocol.UploadReport{URL: "nowhere"}) // there is nothing to do
	save(t, a, 4, 8)
	reports(t, s.drain(o).Run(t.Context()), protocol.UploadReport{URL: place, Sent: 2})
	save(t, a, 4, 8, 16)
	reports(t, s.drain(o).Run(t.Context()), protocol.UploadReport{URL: place, Sent: 1})
	if diff := cmp.Diff([]int{4, 8, 16}, s.has()); diff != "" || s.open != 0 {
		t.Errorf("%d sinks are still open: %s", s.open, diff)
	}
}

// Each sink has a state of its own: what one refuses another takes.
func TestSinksForThemselves(t *testing.T) {
	a := attempt(t)
	_, ids := save(t, a, 4, 8)
	first, second := a.OpenOutbox("one"), a.OpenOutbox("two")
	bad := shelf{say: map[int]upload.Outcome{4: upload.Failed(upload.Never, errors.New("no such column"))}}
	good := shelf{}
	want := protocol.UploadReport{URL: place, Sent: 1, Dead: 1, Error: "no such column"}
	reports(t, bad.drain(first).Run(t.Context()), want)
	reports(t, good.drain(second).Run(t.Context()), protocol.UploadReport{URL: place, Sent: 2})
	if dead, _ := first.Dead(); !cmp.Equal(dead, ids[:1]) {
		t.Errorf("dead: %v", dead)
	}
}

// A sink that cannot be reached leaves everything pending, and nothing lost.
func TestDrainWithoutSink(t *testing.T) {
	o, ids := save(t, attempt(t), 4, 8)
	s := shelf{refuses: errors.New("connection refused")}
	want := protocol.UploadReport{URL: place, Pending: 2, Error: "connection refused"}
	reports(t, s.drain(o).Run(t.Context()), want)
	for _, id := range ids { // why is noted, and that nobody has tried to send them
		if n := o.TriesOf(id); n.Tries != 0 || n.Error != "connection refused" || n.Last.IsZero() {
			t.Errorf("%s: noted is %+v", id, n)
		}
	}
	s.refuses = nil
	reports(t, s.drain(o).Run(t.Context()), protocol.UploadReport{URL: place, Sent: 2})
	o, _ = save(t, attempt(t), 4)
	other := upload.Drain{Outbox: o, Sinks: s.registry(), URL: "other://x", Wait: time.Hour}
	reports(t, other.Run(t.Context()), protocol.UploadReport{
		URL: "other://x", Pending: 1, Error: "unknown kind of sink",
	})
}

// How sending went is noted for each record alone: one bad record blocks no other.
func TestEachRecordForItself(t *testing.T) {
	s := shelf{say: map[int]upload.Outcome{
		8:  upload.Failed(upload.Later, errors.New("try later")),
		16: upload.Failed(upload.Never, errors.New("no such column")),
	}}
	a := attempt(t)
	o, ids := save(t, a, 4, 8, 16, 32)
	want := protocol.UploadReport{URL: place, Sent: 2, Pending: 1, Dead: 1, Error: "(and 1 more)"}
	reports(t, s.drain(o).Run(t.Context()), want)
	if reason := o.Reason(ids[2]); !strings.Contains(reason, "no such column") {
		t.Errorf("the dead record says %q", reason)
	}
	if tries := o.TriesOf(ids[1]); tries.Tries != 1 || tries.Error != "try later" || tries.Last.IsZero() {
		t.Errorf("the pending record says %+v", tries)
	}
	s.say = nil
	reports(t, s.drain(o).Run(t.Context()), protocol.UploadReport{URL: place, Sent: 1, Dead: 1})
	if diff := cmp.Diff([]int{4, 8, 32}, s.has()); diff != "" {
		t.Error(diff)
	}
}

// An hour of refusal is waited out, with pauses that grow to a minute and are never the same, and that are no shorter
// than the sink asks for. Nothing is lost, nothing is sent twice.
func TestAnHourOfRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		later := upload.Outcome{Err: errors.New("503"), Fate: upload.Later}
		begun := time.Now()
		s := shelf{say: map[int]upload.Outcome{4: later, 8: later}, until: begun.Add(time.Hour)}
		o, _ := save(t, attempt(t), 4, 8)
		d := s.drain(o)
		d.Wait = 2 * time.Hour
		reports(t, d.Run(t.Context()), protocol.UploadReport{URL: place, Sent: 2})
		if took := time.Since(begun); took < time.Hour || took > time.Hour+time.Minute {
			t.Errorf("it took %v", took)
		}
		if n := len(s.sends); n < 60 || n > 1000 {
			t.Errorf("%d tries in an hour", n)
		}
		later.RetryAfter = 10 * time.Minute
		s.say, s.until, s.sends = map[int]upload.Outcome{16: later}, time.Time{}, nil
		o, _ = save(t, attempt(t), 16)
		d.Outbox, d.Wait = o, 35*time.Minute
		reports(t, d.Run(t.Context()), protocol.UploadReport{URL: place, Pending: 1, Error: "503"})
		if n := len(s.sends); n != 4 {
			t.Errorf("%d tries in 35 minutes, with 10 minutes asked for between them", n)
		}
	})
}

// A sink that refuses access is asked once, and everything stays pending.
func TestAccessIsRefused(t *testing.T) {
	for name, s := range map[string]*shelf{
		"sending": {say: map[int]upload.Outcome{8: upload.Failed(upload.Denied, errors.New("401"))}},
		"opening": {refuses: upload.Refused(errors.New("401"))},
		"asking":  {deaf: upload.Refused(errors.New("401"))},
	} {
		synctest.Test(t, func(t *testing.T) {
			o, ids := save(t, attempt(t), 8, 16)
			d := s.drain(o)
			d.Wait = time.Hour
			begun := time.Now()
			want := protocol.UploadReport{URL: place, Pending: 2, Error: "the sink refuses access: 401"}
			reports(t, d.Run(t.Context()), want)
			if left, _ := o.Pending(); len(left) != len(ids) || time.Since(begun) > 0 {
				t.Errorf("%s: pending after %v: %v", name, time.Since(begun), left)
			}
		})
	}
}

// What a sink refuses as a whole is sent in parts, down to the one that is to blame.
func TestApart(t *testing.T) {
	s := shelf{most: 2}
	o, _ := save(t, attempt(t), 1, 2, 3, 4, 5)
	reports(t, s.drain(o).Run(t.Context()), protocol.UploadReport{URL: place, Sent: 5})
	poison := shelf{say: map[int]upload.Outcome{3: upload.Failed(upload.Apart, errors.New("413"))}, most: 1}
	o, ids := save(t, attempt(t), 1, 2, 3, 4, 5)
	want := protocol.UploadReport{URL: place, Sent: 4, Dead: 1, Error: "413"}
	reports(t, poison.drain(o).Run(t.Context()), want)
	if dead, _ := o.Dead(); !cmp.Equal(dead, ids[2:3]) {
		t.Errorf("dead: %v", dead)
	}
}

// A record is sent once the sink was seen to have it, and not when it says so.
func TestSentIsReadBack(t *testing.T) {
	s := shelf{loses: map[int]bool{8: true}}
	o, _ := save(t, attempt(t), 4, 8)
	want := protocol.UploadReport{URL: place, Sent: 1, Pending: 1, Error: "does not have it"}
	reports(t, s.drain(o).Run(t.Context()), want)
	s.deaf = errors.New("connection reset")
	reports(t, s.drain(o).Run(t.Context()), protocol.UploadReport{URL: place, Pending: 1, Error: "connection reset"})
	s.loses, s.deaf = nil, nil
	reports(t, s.drain(o).Run(t.Context()), protocol.UploadReport{URL: place, Sent: 1})
}

// A server may keep a record and die before it says so: then the record is found, and not sent again.
func TestCommittedThenGone(t *testing.T) {
	gone := upload.Failed(upload.Later, errors.New("unexpected EOF"))
	s := shelf{rounds: []map[int]upload.Outcome{{4: gone, 8: gone}}}
	a := attempt(t)
	o, _ := save(t, a, 4, 8)
	for _, r := range a.RecordStore().All()[:1] {
		s.keep(r)
	}
	synctest.Test(t, func(t *testing.T) {
		d := s.drain(o)
		d.Wait = time.Minute
		reports(t, d.Run(t.Context()), protocol.UploadReport{URL: place, Sent: 2})
	})
	if diff := cmp.Diff([][]int{{4, 8}, {8}}, s.sends); diff != "" {
		t.Error(diff)
	}
}

// A record in whose place the sink has another one is dead: it can never be sent, and must not be taken for sent.
func TestAnotherOneIsThere(t *testing.T) {
	a := attempt(t)
	o, ids := save(t, a, 4, 8)
	other := a.RecordStore().All()[0]
	other.Point.Successful = 99
	s := shelf{}
	s.keep(other)
	want := protocol.UploadReport{URL: place, Sent: 1, Dead: 1, Error: "the sink has another record of this id"}
	reports(t, s.drain(o).Run(t.Context()), want)
	if dead, _ := o.Dead(); !cmp.Equal(dead, ids[:1]) {
		t.Errorf("dead: %v", dead)
	}
}

// A point that is imported, and that the sink has with other values, is dead as well; but that is no fault: what was
// recorded when it was measured stays, and the report names what was imported in vain.
func TestImportedInVain(t *testing.T) {
	a := attempt(t)
	o, ids := save(t, a, 4, 8)
	recorded := a.RecordStore().All()[0]
	imported := recorded
	imported.Point.Successful = 99
	imported.Provenance.Imported = &protocol.Import{File: "client.log", Dated: protocol.ByFile}
	if err := a.RecordStore().Save(imported); err != nil {
		t.Fatal(err)
	}
	s := shelf{}
	s.keep(recorded)
	want := protocol.UploadReport{
		URL: place, Sent: 1, Dead: 1, Known: []string{ids[0] + " (c, concurrency 4)"},
	}
	reports(t, s.drain(o).Run(t.Context()), want)
	if s.kept[ids[0]].Point.Successful != 1 || !strings.HasPrefix(o.Reason(ids[0]), protocol.KnownRecord) {
		t.Errorf("%+v, %s", s.kept[ids[0]], o.Reason(ids[0]))
	}
	want.Sent, want.Known = 0, nil // it is said once
	reports(t, s.drain(o).Run(t.Context()), want)
}

// A record that cannot be read is dead, and said once. The others are sent.
func TestUnreadableRecord(t *testing.T) {
	a := attempt(t)
	o, ids := save(t, a, 4, 8)
	if err := os.WriteFile(filepath.Join(a.Records(), ids[0]+".json"), []byte("{trunc"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := shelf{}
	want := protocol.UploadReport{URL: place, Sent: 1, Dead: 1, Error: "cannot read record "}
	reports(t, s.drain(o).Run(t.Context()), want)
	reports(t, s.drain(o).Run(t.Context()), protocol.UploadReport{URL: place, Dead: 1})
	if diff := cmp.Diff([]int{8}, s.has()); diff != "" {
		t.Error(diff)
	}
}

// Many records go in several parts.
func TestParts(t *testing.T) {
	s := shelf{}
	var all []int
	for i := range 1201 {
		all = append(all, i+1)
	}
	o, _ := save(t, attempt(t), all...)
	reports(t, s.drain(o).Run(t.Context()), protocol.UploadReport{URL: place, Sent: len(all)})
	var sizes []int
	for _, part := range s.sends {
		sizes = append(sizes, len(part))
	}
	slices.Sort(sizes)
	if diff := cmp.Diff([]int{201, 500, 500}, sizes); diff != "" {
		t.Error(diff)
	}
}

// What a sink says nothing about is not taken for sent, and a sink that fails at the end is reported.
func TestSinksThatMisbehave(t *testing.T) {
	s := shelf{answers: 1, fails: errors.New("connection reset"), loses: map[int]bool{8: true, 16: true}}
	o, _ := save(t, attempt(t), 4, 8, 16)
	got := s.drain(o).Run(t.Context())
	for _, want := range []string{"the sink says nothing about 2 records", "connection reset"} {
		if !strings.Contains(got.Error, want) {
			t.Errorf("%q, want %q", got.Error, want)
		}
	}
	if got.Sent+got.Pending != 3 || got.Sent > 1 {
		t.Errorf("%+v", got)
	}
}

// A record of which it cannot be noted that it was sent stays pending: sending it again does no harm.
func TestSentCannotBeNoted(t *testing.T) {
	a := attempt(t)
	o, _ := save(t, a, 4)
	if err := os.MkdirAll(filepath.Dir(filepath.Dir(marker(a, "sent", "x"))), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Dir(marker(a, "sent", "x")), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s := shelf{}
	got := s.drain(o).Run(t.Context())
	if got.Sent != 0 || got.Error == "" {
		t.Errorf("%+v", got)
	}
}

// Of an outbox that cannot be listed the report says so.
func TestOutboxCannotBeListed(t *testing.T) {
	a := attempt(t)
	o, _ := save(t, a, 4)
	if err := os.WriteFile(a.Outbox(), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s := shelf{}
	want := protocol.UploadReport{URL: place, Error: "cannot list sent records"}
	reports(t, s.drain(o).Run(t.Context()), want)
	reports(t, upload.DrainBy(t.Context(), []string{"/bin/true"}, a, []string{place}), want)
}

// One drain at a time: another one says who is at work, and changes nothing. What a process leaves that is gone, or
// that does not renew its lease, is taken over.
func TestOneDrainAtATime(t *testing.T) {
	a := attempt(t)
	o, _ := save(t, a, 4)
	lease, err := o.Lease()
	if err != nil {
		t.Fatal(err)
	}
	s := shelf{}
	host, _ := os.Hostname()
	want := protocol.UploadReport{
		URL: place, Pending: 1,
		Error: fmt.Sprintf("another process drains the outbox: process %d on %s", os.Getpid(), host),
	}
	reports(t, s.drain(o).Run(t.Context()), want)
	lease.Release()
	reports(t, s.drain(o).Run(t.Context()), protocol.UploadReport{URL: place, Sent: 1})

	save(t, a, 4, 8)
	file := filepath.Join(a.Outbox(), upload.Folder(place), "lease")
	if err := os.WriteFile(file, []byte("elsewhere 17 pid:[1] x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	want.Error = "another process drains the outbox: process 17 on elsewhere"
	reports(t, s.drain(o).Run(t.Context()), want)
	old := time.Now().Add(-rundir.LeaseTime - time.Second)
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
	reports(t, s.drain(o).Run(t.Context()), protocol.UploadReport{URL: place, Sent: 1})
	if _, err := os.Stat(file); err == nil {
		t.Error("the lease was not given back")
	}
}

// Another program sends in a process of its own, and whatever becomes of it, the report is true.
func TestDrainBy(t *testing.T) {
	const url = "sqlite:///x.db"
	half := `mkdir -p $OUTBOX/sent; touch $OUTBOX/sent/$(basename $(ls $OUTBOX/../../records/* | head -n 1) .json)`
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
			"touch $OUTBOX/sent", protocol.UploadReport{URL: url, Pending: 2, Error: "ended without"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			a := attempt(t)
			save(t, a, 4, 8)
			outbox := filepath.Join(a.Outbox(), upload.Folder(url))
			if err := os.MkdirAll(outbox, 0o755); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(tt.want.Error, "in time") {
				go endOnce(ctx, cancel, a.OpenOutbox(upload.Folder(url)), tt.want.Sent)
			}
			defer endChild(filepath.Join(outbox, "pid"))
			t.Setenv("OUTBOX", outbox)
			reports(t, upload.DrainBy(ctx, []string{"/bin/sh", "-c", tt.script}, a, []string{url}), tt.want)
		})
	}
}

// endOnce ends a drain's time once so much is sent.
func endOnce(ctx context.Context, end func(), o rundir.Outbox, n int) {
	defer end()
	for ctx.Err() == nil {
		if sent, _ := o.Sent(); len(sent) >= n {
			return
		}
		time.Sleep(time.Millisecond)
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
	a := attempt(t)
	save(t, a, 4)
	urls := []string{place}
	for _, program := range []string{"/nowhere/disagg-submit", "disagg-submit-that-nobody-has"} {
		want := protocol.UploadReport{URL: place, Pending: 1, Error: "install disagg-submit beside disagg-agent"}
		reports(t, upload.DrainBy(t.Context(), []string{program}, a, urls), want)
	}
	want := protocol.UploadReport{URL: place, Pending: 1, Error: "there is no program to do it"}
	reports(t, upload.DrainBy(t.Context(), nil, a, urls), want)
	reports(t, upload.DrainBy(t.Context(), []string{"/nowhere"}, attempt(t), urls), protocol.UploadReport{URL: place})
}
