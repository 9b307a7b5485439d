package rundir_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/atomicfile"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
)

// journal adds text to an attempt's journal.
func journal(t *testing.T, a rundir.Attempt, text string) {
	t.Helper()
	err := os.MkdirAll(string(a), 0o755)
	f, oerr := os.OpenFile(a.Events(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err := errors.Join(err, oerr); err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// A follower gives out each entry once, in order, and goes on with the attempt that follows when it has given out the
// last of the one before.
func TestFollower(t *testing.T) {
	d := rundir.Dir(t.TempDir())
	f := rundir.Follow(d)
	want := func(attempt int, want string) {
		t.Helper()
		a, entries := f.Read()
		var seqs []string
		for _, e := range entries {
			seqs = append(seqs, fmt.Sprint(e.Seq))
		}
		if got := strings.Join(seqs, " "); got != want || a != d.Attempt(attempt) {
			t.Errorf("%s: entries %q, want %q of attempt %d", a, got, want, attempt)
		}
	}
	want(0, "")
	journal(t, d.Attempt(0), `{"schema":1,"seq":1}`+"\n"+`{"schema":1,"se`)
	want(0, "1")
	must(t, rundir.SetCurrent(d, 0))
	want(0, "")
	journal(t, d.Attempt(0), `q":2}`+"\nno entry\n"+`{"schema":2,"seq":3}`+"\n"+`{"schema":1,"seq":4}`+"\n")
	want(0, "2 4")
	journal(t, d.Attempt(0), `{"schema":1,"seq":5}`+"\n")
	must(t, rundir.SetCurrent(d, 1))
	want(1, "5")
	journal(t, d.Attempt(1), `{"schema":1,"seq":1}`+"\n")
	want(1, "1")
	want(1, "")
	if a, entries := rundir.Follow(d).Read(); a != d.Attempt(1) || len(entries) != 1 {
		t.Errorf("who comes later reads %d entries of %s", len(entries), a)
	}
}

// The hub's view is read when it has changed, and not again.
func TestFollowState(t *testing.T) {
	d := rundir.Dir(t.TempDir())
	f := rundir.Follow(d)
	replace := func(attempt int, text string) {
		t.Helper()
		must(t, os.MkdirAll(string(d.Attempt(attempt)), 0o755))
		must(t, atomicfile.Write(d.Attempt(attempt).State(), []byte(text), 0o644))
	}
	want := func(phase protocol.Phase) {
		t.Helper()
		f.Read()
		if s, changed := f.ReadState(); s.Phase != phase || changed != (phase != "") {
			t.Errorf("%+v, %v, want %q", s, changed, phase)
		}
	}
	want("")
	replace(0, `{"schema":1,"phase":"launching"}`)
	want(protocol.Launching)
	want("")
	replace(0, `{"schema":1,"phase":"readying"}`)
	want(protocol.Readying)
	replace(0, `{"schema":1,`)
	want("")
	replace(1, `{"schema":1,"phase":"launching"}`)
	must(t, rundir.SetCurrent(d, 1))
	want(protocol.Launching)
	want("")
}

// The last words of a job are the last line with text of the newest of its outputs.
func TestLastWords(t *testing.T) {
	d := rundir.Dir(filepath.Join(t.TempDir(), "odd [name*"))
	want := func(want string) {
		t.Helper()
		if got := rundir.LastWords(d); got != want {
			t.Errorf("the last words are %q, want %q", got, want)
		}
	}
	want("")
	output := func(name, text string, age time.Duration) {
		file := filepath.Join(string(d), name)
		writeFile(t, file, text, 0o644)
		must(t, os.Chtimes(file, time.Time{}, time.Now().Add(-age)))
	}
	output("notes.txt", "not me", 0)
	want("")
	output("slurm-1.out", "first job\n", time.Hour)
	want("first job")
	output("slurm-2.out", strings.Repeat("many words ", 1<<12)+"\n  srun: error: no such node \n\n", time.Minute)
	output(".slurm-2.out.tmp.out", "hidden", time.Second)
	want("srun: error: no such node")
	output("slurm-3.out", "\n \n", time.Second)
	want("")
}
