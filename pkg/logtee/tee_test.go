package logtee

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newTee starts a Tee over a log file; the second result is where the child would write.
func newTee(t *testing.T, o Options) (*Tee, *os.File) {
	t.Helper()
	tee, child, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	go tee.Run()
	return tee, child
}

func logFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "x.log"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// stuckLog is a log file on a disk that does not answer: a pipe that nobody reads. The result lets it answer.
func stuckLog(t *testing.T) (log *os.File, answer func()) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return w, func() { _ = r.Close() }
}

// A disk that does not answer neither blocks the child nor the end of its log; what it did not take is counted.
func TestStuckLog(t *testing.T) {
	const size = 40 << 20
	log, answer := stuckLog(t)
	lines := 0
	tee, child := newTee(t, Options{Log: log, Patience: 100 * time.Millisecond, OnLine: func(Line) { lines++ },
		Sealed: func() error { t.Error("a log that is not complete was sealed"); return nil }})
	begun := time.Now()
	if _, err := child.Write(bytes.Repeat([]byte(strings.Repeat("x", 99)+"\n"), size/100)); err != nil {
		t.Fatal(err)
	}
	child.Close()
	r := tee.Finish()
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	if r.Fault == nil || r.Unstored < size-1<<20 || r.Unstored > size {
		t.Errorf("report %+v", r)
	}
	if lines != size/100 || len(tee.Tail()) != tailLines {
		t.Errorf("%d lines were read along, %d are in the tail", lines, len(tee.Tail()))
	}
	answer()
	<-tee.store.written
}

// A disk that answers again gets everything that was kept for it.
func TestLogThatComesBack(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	const size = 4 << 20 // more than a pipe holds, less than what is kept
	tee, child := newTee(t, Options{Log: w, Patience: time.Minute})
	// nothing is read yet, and yet it goes through
	if _, err := child.Write(bytes.Repeat([]byte("x"), size)); err != nil {
		t.Fatal(err)
	}
	child.Close()
	got := make(chan int)
	go func() {
		n, buf := 0, make([]byte, 1<<20)
		for {
			k, err := r.Read(buf)
			if n += k; err != nil {
				got <- n
				return
			}
		}
	}()
	if rep := tee.Finish(); rep.Unstored != 0 {
		t.Errorf("report %+v", rep)
	}
	if n := <-got; n != size {
		t.Errorf("%d of %d bytes arrived", n, size)
	}
}

// Pieces arrive in order, whatever their size, and the log is sealed last.
func TestOrderAndSeal(t *testing.T) {
	log := logFile(t)
	name := log.Name()
	var want, copied bytes.Buffer
	sealed := false
	tee, child := newTee(t, Options{Log: log, Copy: &copied, Sealed: func() error { sealed = true; return nil }})
	for i := range 300 {
		piece := bytes.Repeat([]byte{byte('a' + i%26)}, 1+i*i*7%9000)
		want.Write(piece)
		if _, err := child.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	child.Close()
	if r := tee.Finish(); r != (Report{}) || !sealed {
		t.Errorf("report %+v, sealed %v", r, sealed)
	}
	got, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(got, want.Bytes()) || !bytes.Equal(copied.Bytes(), want.Bytes()) {
		t.Errorf("%v: the file has %d bytes, the copy %d, want %d", err, len(got), copied.Len(), want.Len())
	}
}

// A child that was never started leaves nothing behind.
func TestAbandon(t *testing.T) {
	tee, child, err := New(Options{Log: logFile(t), Copy: &bytes.Buffer{}})
	if err != nil {
		t.Fatal(err)
	}
	child.Close()
	tee.Abandon()
}

// A disk that is slow again and again slows the child down and loses nothing: whoever reads on takes over from the one
// that waits for the disk, line by line and in order.
func TestSlowLog(t *testing.T) {
	const lines = 30000
	r, log, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stored := make(chan []byte)
	go func() { // the disk takes a few blocks, and then nothing for longer than is prompt
		var all bytes.Buffer
		buf := make([]byte, 64<<10)
		for n := 0; ; n++ {
			if n%8 == 3 {
				time.Sleep(2 * prompt)
			}
			k, err := r.Read(buf)
			all.Write(buf[:k])
			if err != nil {
				break
			}
		}
		stored <- all.Bytes()
	}()
	var want bytes.Buffer
	read := 0
	tee, child := newTee(t, Options{Log: log, OnLine: func(Line) { read++ }})
	for i := range lines {
		fmt.Fprintf(&want, "line %d of a server that prints more than its disk takes at once\n", i)
	}
	if _, err := child.Write(want.Bytes()); err != nil {
		t.Fatal(err)
	}
	child.Close()
	report := tee.Finish()
	if got := <-stored; !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%d bytes of %d are stored, or not as they were printed", len(got), want.Len())
	}
	if read != lines || report.Unstored > 0 {
		t.Errorf("%d lines were read along; %+v", read, report)
	}
	<-tee.store.written
	_ = r.Close()
}

// As long as the disk is prompt there is no writer beside the one that reads.
func TestPromptLog(t *testing.T) {
	tee, child := newTee(t, Options{Log: logFile(t)})
	for range 10 {
		if _, err := child.WriteString(strings.Repeat("x", 1000) + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	child.Close()
	if r := tee.Finish(); r.Fault != nil || !tee.store.alone {
		t.Errorf("%+v, alone: %t", r, tee.store.alone)
	}
}
