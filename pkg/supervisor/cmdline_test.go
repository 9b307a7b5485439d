package supervisor

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A file that does not answer is given up, and is not asked for again before it has answered.
func TestReadIsBounded(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "cmdline")
	if err := unix.Mkfifo(file, 0o600); err != nil { // which is opened once somebody writes to it
		t.Fatal(err)
	}
	begun := time.Now()
	for range 100 {
		if data := readBounded(file); data != nil {
			t.Fatalf("nobody has written, and it reads %q", data)
		}
	}
	if took := time.Since(begun); took < answerBound || took > 20*answerBound {
		t.Errorf("100 reads took %v", took)
	}
	first := ask(file)
	if ask(file) != first {
		t.Error("it is read twice at a time")
	}
	answer(t, file, "late")
	<-first.answered
	again := ask(file)
	answer(t, file, "again")
	if <-again.answered; string(first.data) != "late" || string(again.data) != "again" {
		t.Errorf("it read %q, then %q", first.data, again.data)
	}
}

// answer writes to who waits for it.
func answer(t *testing.T, file, text string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_WRONLY, 0) // waits for a reader
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestCmdline(t *testing.T) {
	t.Parallel()
	if args := cmdline(os.Getpid()); !slices.Equal(args, os.Args) {
		t.Errorf("%q, not %q", args, os.Args)
	}
	if args := cmdline(1 << 30); args != nil {
		t.Errorf("of what does not exist: %q", args)
	}
}
