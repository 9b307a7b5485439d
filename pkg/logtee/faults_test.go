package logtee

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// readLog is what a log file holds.
func readLog(t *testing.T, log *os.File) string {
	t.Helper()
	data, err := os.ReadFile(log.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// fullDisk is a log file on a disk that takes nothing.
func fullDisk(t *testing.T) *os.File {
	t.Helper()
	log, err := os.OpenFile("/dev/full", os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		t.Skip(err)
	}
	return log
}

// A full disk costs the log, and nothing else: what it did not take is counted, the reason is told, the log is not said
// to be complete, and the copy has everything all the same.
func TestFullDisk(t *testing.T) {
	var copied bytes.Buffer
	var lines []string
	tee, child := newTee(t, Options{
		Log: fullDisk(t), Copy: &copied, OnLine: func(l Line) { lines = append(lines, l.Text) },
		Sealed: func() error { t.Error("it was sealed"); return nil },
	})
	var output string
	for _, line := range []string{"one\n", strings.Repeat("x", 1000) + "\n", "last"} {
		if _, err := child.WriteString(line); err != nil {
			t.Fatal(err)
		}
		output += line
	}
	child.Close()
	r := tee.Finish()
	if r.Fault == nil || !strings.Contains(r.Fault.Error(), "no space left on device") {
		t.Errorf("the fault: %v", r.Fault)
	}
	if r.Unstored != int64(len(output)) || r.Dropped != 0 || copied.String() != output || len(lines) != 3 {
		t.Errorf("%+v; the copy has %d bytes, %d lines were read", r, copied.Len(), len(lines))
	}
	if dropped, unstored := tee.Lost(); dropped != 0 || unstored != int64(len(output)) {
		t.Errorf("lost: %d, %d", dropped, unstored)
	}
}

// The first fault of a log is told: those after it follow from it.
func TestFirstFault(t *testing.T) {
	s := newStore(fullDisk(t), 0, DefaultPatience, nil)
	first, later := errors.New("first"), errors.New("later")
	s.done(make([]byte, 10), 10, nil)
	s.done(make([]byte, 10), 4, first)
	s.done(make([]byte, 10), 0, later)
	if lost, err := s.missing(); lost != 16 || !errors.Is(err, first) {
		t.Errorf("%d bytes, %v", lost, err)
	}
	_ = s.file.Close()
}

// That a log could not be sealed is told as its fault: whoever waits for the mark would wait for ever.
func TestSealThatFails(t *testing.T) {
	fault := errors.New("no room for the mark")
	tee, child := newTee(t, Options{Log: logFile(t), Sealed: func() error { return fault }})
	child.Close()
	if r := tee.Finish(); !errors.Is(r.Fault, fault) || r.Unstored != 0 || r.Dropped != 0 {
		t.Errorf("%+v", r)
	}
}

// A log is sealed when all of it is in the file, and the file is closed.
func TestSealComesLast(t *testing.T) {
	log := logFile(t)
	var held string
	tee, child := newTee(t, Options{Log: log, Sealed: func() error {
		held = readLog(t, log)
		if _, err := log.WriteString("more"); !errors.Is(err, os.ErrClosed) {
			t.Errorf("the file is not closed: %v", err)
		}
		return nil
	}})
	if _, err := child.WriteString("all of it\n"); err != nil {
		t.Fatal(err)
	}
	child.Close()
	if r := tee.Finish(); r != (Report{}) || held != "all of it\n" {
		t.Errorf("%+v; the file had %q", r, held)
	}
}

// A log that has something already, as that of a rank that was started again, goes on behind it, and so does the copy:
// what was there before is not copied once more.
func TestLogThatHasSomething(t *testing.T) {
	log := logFile(t)
	if _, err := log.WriteString("before\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := log.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	var copied bytes.Buffer
	tee, child := newTee(t, Options{Log: log, Copy: &copied})
	if _, err := child.WriteString("after\n"); err != nil {
		t.Fatal(err)
	}
	child.Close()
	if r := tee.Finish(); r != (Report{}) || copied.String() != "after\n" {
		t.Errorf("%+v; the copy is %q", r, copied.String())
	}
	if got := readLog(t, log); got != "before\nafter\n" {
		t.Errorf("the log is %q", got)
	}
}

// That a log's name is gone while it is written disturbs nobody: the file is still there.
func TestLogWhoseNameVanishes(t *testing.T) {
	log := logFile(t)
	var copied bytes.Buffer
	tee, child := newTee(t, Options{Log: log, Copy: &copied})
	if err := os.RemoveAll(filepath.Dir(log.Name())); err != nil {
		t.Fatal(err)
	}
	if _, err := child.WriteString("still there\n"); err != nil {
		t.Fatal(err)
	}
	child.Close()
	if r := tee.Finish(); r != (Report{}) || copied.String() != "still there\n" {
		t.Errorf("%+v; the copy is %q", r, copied.String())
	}
}

// A child that was never started has no output: its log is closed, empty and not sealed, and nothing is said of it.
func TestAbandonClosesTheLog(t *testing.T) {
	log := logFile(t)
	tee, child, err := New(Options{
		Log: log, Copy: &bytes.Buffer{}, Redact: NewRedactor(nil), OnLine: func(l Line) { t.Errorf("line %q", l.Text) },
		Sealed: func() error { t.Error("it was sealed"); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	child.Close()
	tee.Abandon()
	if _, err := log.WriteString("x"); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the file is not closed: %v", err)
	}
	if end, at := tee.End(9); tee.Tail() != nil || tee.Size() != 0 || len(end) > 0 || !at.IsZero() {
		t.Errorf("%d bytes, %q", tee.Size(), end)
	}
}
