package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/notice"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/test/check"
	"github.com/disagg/disagg/test/runs"
)

// told is a watcher of a run that a command hears of, what it prints, and the file in which that command keeps it.
func told(t *testing.T) (w *watcher, out *bytes.Buffer, file string) {
	t.Helper()
	t.Setenv("XDG_DATA_HOME", filepath.Join(t.TempDir(), "data"))
	file = filepath.Join(t.TempDir(), "told.json")
	target, err := notice.Parse("cp /dev/stdin " + file)
	if err != nil {
		t.Fatal(err)
	}
	out = &bytes.Buffer{}
	w = &watcher{out: out, plan: runs.Passed().Plan, tools: tools{targets: []notice.Target{target}}}
	w.plan.RunDir = filepath.Join(t.TempDir(), "gone")
	return w, out, file
}

func readNotice(t *testing.T, file string) (n notice.Notice) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &n)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A run that left no verdict, and no run directory, is told with what its scheduler says.
func TestTellLost(t *testing.T) {
	w, out, file := told(t)
	w.tell(launch.Outcome{End: protocol.JobState{Phase: protocol.JobEnded, Word: "NODE_FAIL"}}, nil, true)
	n := readNotice(t, file)
	if n.Verdict != "none" || n.ExitCode != protocol.ExitFailed || !strings.Contains(n.Why, "NODE_FAIL") {
		t.Errorf("verdict %s, code %d, why: %s", n.Verdict, n.ExitCode, n.Why)
	}
	if !strings.Contains(out.String(), "notice:  sent to cp") {
		t.Error(out)
	}
}

// A run that was never submitted is told with the reason, and with the code that the command ends with.
func TestTellNotSubmitted(t *testing.T) {
	w, out, file := told(t)
	w.tellNotSubmitted(&submissionError{protocol.ExitUnavailable, errors.New("cannot submit: Invalid account")})
	n := readNotice(t, file)
	if n.Verdict != "none" || n.ExitCode != protocol.ExitUnavailable || n.Why != "cannot submit: Invalid account" {
		t.Errorf("verdict %s, code %d, why: %s", n.Verdict, n.ExitCode, n.Why)
	}
	if w.tellNotSubmitted(errors.New("again")); !strings.Contains(out.String(), "was told before") {
		t.Error(out)
	}
}

// A job that goes on is not told; nor is a try that another one follows.
func TestTellNobody(t *testing.T) {
	w, out, file := told(t)
	passed := runs.Passed().Result
	w.tell(launch.Outcome{}, errors.New("SIGTERM"), true)
	w.tell(launch.Outcome{Result: &passed}, nil, false)
	if _, err := os.Stat(file); err == nil || out.Len() > 0 {
		t.Errorf("it was told: %s", out)
	}
	w.tell(launch.Outcome{Result: &passed}, errors.New("SIGTERM"), true) // the verdict was there before the signal
	if n := readNotice(t, file); n.Verdict != "passed" {
		t.Errorf("the verdict is %s", n.Verdict)
	}
}

// A run directory that does not answer costs no more than the patience that there is, and the verdict is known without
// it.
func TestLeftOfStuckDisk(t *testing.T) {
	w, _, _ := told(t)
	if err := os.Mkdir(w.plan.RunDir, 0o755); err != nil {
		t.Fatal(err)
	}
	check.Stuck(t, filepath.Join(w.plan.RunDir, "plan.json"), "")
	failed := runs.Died().Result
	l := w.left(launch.Outcome{Result: &failed}, time.Millisecond)
	if l.in.Result.Verdict != protocol.Failed || l.attempt != "" {
		t.Errorf("the verdict is %q, the attempt %q", l.in.Result.Verdict, l.attempt)
	}
}
