package rundir_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// record is a record of a test's i-th point.
func record(i int) results.Record {
	pt := protocol.Point{Index: i, Concurrency: 1 << i, Metrics: map[string]float64{"x": float64(i)}}
	from := results.Origin{Case: roles.Case{TestID: "the-test"}, RunID: "run-0"}
	return results.NewRecord(from, pt, time.Unix(int64(i), 0))
}

// states checks which records are in which state.
func states(t *testing.T, o rundir.Outbox, pending, sent, dead []string) {
	t.Helper()
	for name, of := range map[string]struct {
		want []string
		got  func() ([]string, error)
	}{"pending": {pending, o.Pending}, "sent": {sent, o.Sent}, "dead": {dead, o.Dead}} {
		got, err := of.got()
		must(t, err)
		if diff := cmp.Diff(strings.Join(of.want, " "), strings.Join(got, " ")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A record is pending for every sink once it is saved, and then is sent or dead for that one, whatever is saved or
// noted again.
func TestOutbox(t *testing.T) {
	a := rundir.Dir(filepath.Join(t.TempDir(), "odd [name*")).Attempt(0)
	o, other, records := a.OpenOutbox("one"), a.OpenOutbox("two"), a.RecordStore()
	states(t, o, nil, nil, nil)
	first, second, third := record(0), record(1), record(2)
	for _, r := range []results.Record{third, first, second, third} {
		must(t, records.Save(r))
	}
	writeFile(t, filepath.Join(a.Records(), ".half-made.json"), "", 0o644)
	ids := []string{first.ID, second.ID, third.ID}
	slices.Sort(ids)
	states(t, o, ids, nil, nil)
	for range 2 { // another drain may do the same
		must(t, o.MarkSent(first.ID, first.Digest()))
		must(t, o.Bury(second.ID, "no such table"))
	}
	must(t, o.Settle())
	first.Point.Successful = 7
	must(t, errors.Join(records.Save(first), records.Save(second), o.Add(third.ID)))
	states(t, o, []string{third.ID}, []string{first.ID}, []string{second.ID})
	states(t, other, ids, nil, nil)
	if got := o.Reason(second.ID); got != "no such table\n" {
		t.Errorf("it is dead since %q", got)
	}
	if got, err := records.Read(first.ID); err != nil || !cmp.Equal(first, got) {
		t.Errorf("%v: %s", err, cmp.Diff(first, got))
	}
	writeFile(t, filepath.Join(a.Records(), "bad.json"), "{", 0o644)
	if diff := cmp.Diff([]results.Record{first, second, third}, records.All()); diff != "" {
		t.Error(diff)
	}
	if names, err := a.Outboxes(); err != nil || !cmp.Equal(names, []string{"one"}) {
		t.Errorf("outboxes %v, %v", names, err)
	}
}

// What is tried is counted, and what was refused for good or got lost can be tried again.
func TestTriesAndRevival(t *testing.T) {
	a := rundir.Dir(t.TempDir()).Attempt(0)
	o, r := a.OpenOutbox("one"), record(0)
	must(t, a.RecordStore().Save(r))
	if got := o.TriesOf(r.ID); got != (rundir.Tries{}) {
		t.Errorf("%+v", got)
	}
	want := rundir.Tries{Tries: 3, Last: time.Unix(5, 0).UTC(), Error: "503"}
	must(t, o.Tried(r.ID, want))
	if got := o.TriesOf(r.ID); got != want {
		t.Errorf("%+v", got)
	}
	must(t, errors.Join(o.Bury(r.ID, "400"), o.Revive(r.ID, "mended")))
	states(t, o, []string{r.ID}, nil, nil)
	must(t, errors.Join(o.MarkSent(r.ID, "x"), o.Revive(r.ID, "it got lost")))
	states(t, o, []string{r.ID}, nil, nil)
	if got := o.TriesOf(r.ID).Error; got != "it got lost" {
		t.Errorf("%q", got)
	}
}

// What the outbox cannot do is said: no record is taken for sent or dead that is not.
func TestOutboxFaults(t *testing.T) {
	a := rundir.Dir(t.TempDir()).Attempt(0)
	o := a.OpenOutbox("one")
	must(t, a.RecordStore().Save(record(0)))
	id := record(0).ID
	for _, state := range []string{"sent", "dead", "pending"} {
		writeFile(t, filepath.Join(a.Outbox(), "one", state), "a file", 0o644)
	}
	blocked := rundir.Dir(t.TempDir()).Attempt(0)
	writeFile(t, blocked.Records(), "a file", 0o644)
	writeFile(t, blocked.Outbox(), "a file", 0o644)
	odd := results.Record{MeasuredAt: time.Unix(1<<50, 0)}
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"sent":        {o.MarkSent(id, "x"), "cannot note record as sent: "},
		"dead":        {o.Bury(id, "why"), "cannot note record as dead: "},
		"add":         {o.Add("b"), "cannot note record as pending: "},
		"revive":      {o.Revive("b", "why"), "cannot make record pending again: "},
		"settle":      {blocked.OpenOutbox("x").Settle(), "cannot make the outbox durable: "},
		"save":        {blocked.RecordStore().Save(record(0)), "cannot save record: "},
		"list":        {second(o.Dead()), "cannot list dead records: "},
		"pending":     {second(o.Pending()), "cannot list sent records: "},
		"records":     {second(blocked.RecordStore().IDs()), "cannot list records: "},
		"read":        {second(a.RecordStore().Read("b")), "cannot read record b: "},
		"outboxes":    {second(blocked.Outboxes()), "cannot list outboxes: "},
		"lease":       {second(blocked.OpenOutbox("x").Lease()), "cannot take the lease of the outbox: "},
		"no outbox":   {blocked.OpenOutbox("x").Add("b"), "cannot note record as pending: "},
		"not encoded": {a.RecordStore().Save(odd), "cannot save record: "},
	} {
		fails(t, name, tt.err, tt.want, "")
	}
}

func second[T any](_ T, err error) error { return err }

// Of many that take a lease at once one gets it; the others are told who has it. It is free again when it is given
// back.
func TestLeaseHasOneHolder(t *testing.T) {
	o := rundir.Dir(t.TempDir()).Attempt(0).OpenOutbox("one")
	for range 20 {
		var holders atomic.Int32
		var wg sync.WaitGroup
		begin := make(chan struct{})
		for range 8 {
			wg.Go(func() {
				<-begin
				lease, err := o.Lease()
				var held rundir.LeaseHeld
				switch {
				case err == nil:
					holders.Add(1)
					time.Sleep(time.Millisecond)
					lease.Release()
				case !errors.As(err, &held):
					t.Error(err)
				}
			})
		}
		close(begin)
		wg.Wait()
		if holders.Load() < 1 {
			t.Error("nobody got the lease")
		}
	}
}

// The lease of a process that has gone is taken over at once where that can be seen.
func TestLeaseOfTheDead(t *testing.T) {
	a := rundir.Dir(t.TempDir()).Attempt(0)
	o, file := a.OpenOutbox("one"), filepath.Join(a.Outbox(), "one", "lease")
	gone := exec.Command("/bin/true")
	must(t, gone.Run())
	host, err := os.Hostname()
	must(t, err)
	space, err := os.Readlink("/proc/self/ns/pid")
	must(t, err)
	writeFile(t, file, fmt.Sprintf("%s %d %s x\n", host, gone.Process.Pid, space), 0o644)
	lease, err := o.Lease()
	must(t, err)
	lease.Release()
	for _, held := range []string{
		fmt.Sprintf("elsewhere %d %s x\n", gone.Process.Pid, space),
		fmt.Sprintf("%s %d pid:[1] x\n", host, gone.Process.Pid), "",
	} {
		writeFile(t, file, held, 0o644)
		var is rundir.LeaseHeld
		if _, err := o.Lease(); !errors.As(err, &is) {
			t.Errorf("%q: %v", held, err)
		}
	}
}

// What was sent is another name of the record's file, and stays what was sent when the point is measured again. Where
// a file can have one name alone it is a file of its own.
func TestSentIsWhatWasSent(t *testing.T) {
	a := rundir.Dir(t.TempDir()).Attempt(0)
	store, o := a.RecordStore(), a.OpenOutbox("sink")
	first := results.Record{Schema: 2, ID: "0a", Case: "first"}
	if err := errors.Join(store.Save(first), o.MarkSent("0a", "digest"), o.MarkSent("0a", "digest")); err != nil {
		t.Fatal(err)
	}
	first.Case = "second"
	if err := store.Save(first); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(a.Outbox(), "sink", "sent", "0a")); err != nil ||
		!strings.Contains(string(text), `"first"`) {
		t.Errorf("%v: %s", err, text)
	}
	if err := o.MarkSent("0b", "digest"); err != nil { // there is no such record to give a name
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(a.Outbox(), "sink", "sent", "0b")); err != nil ||
		string(text) != "digest\n" {
		t.Errorf("%v: %q", err, text)
	}
}
