package rundir_test

import (
	"os"
	"path/filepath"
	"strings"
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
func states(t *testing.T, a rundir.Attempt, pending, sent, dead []string) {
	t.Helper()
	o := a.OpenOutbox()
	gotPending, err := o.Pending()
	must(t, err)
	gotDead, err := o.Dead()
	must(t, err)
	gotSent := strings.Fields(names(t, filepath.Join(a.Outbox(), "sent")))
	for name, pair := range map[string][2][]string{
		"pending": {pending, gotPending}, "sent": {sent, gotSent}, "dead": {dead, gotDead},
	} {
		if diff := cmp.Diff(strings.Join(pair[0], " "), strings.Join(pair[1], " ")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A record is pending once it is saved, and then is sent or dead for good, whatever is saved or noted again.
func TestOutbox(t *testing.T) {
	a := rundir.Dir(filepath.Join(t.TempDir(), "odd [name*")).Attempt(0)
	o := a.OpenOutbox()
	if ids, err := o.Pending(); len(ids) != 0 || err != nil || len(o.All()) != 0 {
		t.Errorf("before any record: %v, %v, %v", ids, err, o.All())
	}
	first, second, third := record(0), record(1), record(2)
	for _, r := range []results.Record{third, first, second, third} {
		must(t, o.SaveRecord(r))
	}
	writeFile(t, filepath.Join(a.Outbox(), "pending", ".half-made"), "", 0o644)
	if ids, _ := o.Pending(); len(ids) != 3 {
		t.Errorf("pending: %v", ids)
	}
	for range 2 { // another drain may do the same
		must(t, o.Sent(first.ID))
		must(t, o.Bury(second.ID, "no such table"))
	}
	must(t, o.Settle())
	first.Point.Successful = 7
	for _, r := range []results.Record{first, second} {
		must(t, o.SaveRecord(r))
	}
	states(t, a, []string{third.ID}, []string{first.ID}, []string{second.ID})
	holds(t, filepath.Join(a.Outbox(), "dead", second.ID), "no such table\n", 0o644)
	if got, err := o.Record(first.ID); err != nil || !cmp.Equal(first, got) {
		t.Errorf("%v: %s", err, cmp.Diff(first, got))
	}
	writeFile(t, filepath.Join(a.Records(), "bad.json"), "{", 0o644)
	if diff := cmp.Diff([]results.Record{first, second, third}, o.All()); diff != "" {
		t.Error(diff)
	}
}

// What the outbox cannot do is said: no record is taken for sent or dead that is not.
func TestOutboxFaults(t *testing.T) {
	a := rundir.Dir(t.TempDir()).Attempt(0)
	o := a.OpenOutbox()
	must(t, o.SaveRecord(record(0)))
	id := record(0).ID
	for _, state := range []string{"sent", "dead"} {
		must(t, os.Remove(filepath.Join(a.Outbox(), state)))
		writeFile(t, filepath.Join(a.Outbox(), state), "a file", 0o644)
	}
	blocked := rundir.Dir(t.TempDir()).Attempt(0)
	writeFile(t, blocked.Records(), "a file", 0o644)
	writeFile(t, blocked.Outbox(), "a file", 0o644)
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"sent":        {o.Sent(id), "cannot note record as sent: "},
		"dead":        {o.Bury(id, "why"), "cannot note record as dead: "},
		"add":         {o.Add("b"), "cannot note record as pending: "},
		"save":        {blocked.OpenOutbox().SaveRecord(record(0)), "cannot save record: "},
		"list":        {second(o.Dead()), "cannot list dead records: "},
		"read":        {second(o.Record("b")), "cannot read record b: "},
		"no outbox":   {blocked.OpenOutbox().Add("b"), "cannot note record as pending: "},
		"not encoded": {o.SaveRecord(results.Record{MeasuredAt: time.Unix(1<<50, 0)}), "cannot save record: "},
	} {
		fails(t, name, tt.err, tt.want, "")
	}
	if ids, err := o.Pending(); err != nil || !cmp.Equal(ids, []string{id}) {
		t.Errorf("pending: %v, %v", ids, err)
	}
}

func second[T any](_ T, err error) error { return err }

// A record whose end cannot be noted, because the folder for it is gone, stays pending, and that is said.
func TestBuryWithoutItsFolder(t *testing.T) {
	a := rundir.Dir(t.TempDir()).Attempt(0)
	o := a.OpenOutbox()
	must(t, o.SaveRecord(record(0)))
	must(t, os.Remove(filepath.Join(a.Outbox(), "dead")))
	if err := o.Bury(record(0).ID, "why"); err == nil {
		t.Error("a record was buried nowhere")
	}
	if err := o.Settle(); err == nil {
		t.Error("a folder that is gone was made durable")
	}
	if ids, _ := o.Pending(); len(ids) != 1 {
		t.Errorf("pending: %v", ids)
	}
}
