package supervisor_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/test/check"

	"github.com/disagg/disagg/pkg/logtee"
	"github.com/disagg/disagg/pkg/supervisor"
)

// The raw bytes are all there, whatever they are.
func TestRawLog(t *testing.T) {
	s := check.Supervise(t)
	for name, text := range map[string]string{
		"no last newline": "a\nb", "invalid UTF-8": "\xff\xfe\x00ok\n", "progress bar": "10%\r20%\r100%\n",
		"long line": strings.Repeat("y", 10<<20) + "\n",
		"empty":     "",
	} {
		t.Run(name, func(t *testing.T) {
			in := filepath.Join(t.TempDir(), "in")
			if err := os.WriteFile(in, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			var lines []logtee.Line
			c := run(t, s, func(sp *supervisor.Spec) {
				sp.Argv, sp.Env = []string{"cat", in}, os.Environ()
				sp.Output.OnLine = func(l logtee.Line) { lines = append(lines, l) }
			}, "")
			c.outcome()
			if c.output() != text {
				t.Errorf("the file differs: %d bytes, want %d", len(c.output()), len(text))
			}
			total := 0
			for _, l := range lines {
				total += len(l.Text)
				if len(l.Text) > logtee.MaxLine {
					t.Errorf("a line of %d bytes", len(l.Text))
				}
			}
			if name == "long line" && (len(lines) != 160 || total != 10<<20 || !lines[0].Partial ||
				lines[159].Partial) {
				t.Errorf("%d lines, %d bytes", len(lines), total)
			}
			if name == "progress bar" && (len(lines) != 1 || lines[0].Text != "100%") {
				t.Errorf("lines %+v", lines)
			}
			if _, err := os.Stat(strings.TrimSuffix(c.log, ".log") + ".done"); err != nil {
				t.Error(err)
			}
		})
	}
}

// slow is a reader of the copy that takes its time, or is stuck.
type slow struct {
	unblock chan struct{}
	n       int
}

func (w *slow) Write(b []byte) (int, error) {
	<-w.unblock
	w.n += len(b)
	return len(b), nil
}

// A copy whose reader is stuck neither blocks the child nor loses a byte of the file; what it misses is counted.
func TestStuckCopy(t *testing.T) {
	w := &slow{unblock: make(chan struct{})}
	c := run(t, check.Supervise(t), func(sp *supervisor.Spec) { sp.Output.Copy = w }, "flood", "40")
	select {
	case <-c.Exited():
	case <-time.After(bound):
		t.Fatal("the child is blocked by the copy's reader")
	}
	o := c.outcome()
	if o.Code != 0 || len(c.output()) != 40<<20/(1<<20)*1000*1000 || o.LogDropped == 0 {
		t.Errorf("code %d, %d bytes in the file, %d dropped", o.Code, len(c.output()), o.LogDropped)
	}
	close(w.unblock)
}

// A copy may be behind by any amount: what its reader had no time for while the child ran, it gets afterwards.
func TestSlowCopy(t *testing.T) {
	w := &slow{unblock: make(chan struct{})}
	c := run(t, check.Supervise(t), func(sp *supervisor.Spec) { sp.Output.Copy = w }, "flood", "40")
	<-c.Exited()
	close(w.unblock)
	if o := c.outcome(); o.LogDropped != 0 || w.n != 40_000_000 {
		t.Errorf("the copy has %d bytes, %d were dropped", w.n, o.LogDropped)
	}
}

// A copy that fails is given up; the file goes on.
func TestFailingCopy(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	c := run(t, check.Supervise(t), func(sp *supervisor.Spec) { sp.Output.Copy = w }, "flood", "5")
	if o := c.outcome(); o.Code != 0 || len(c.output()) != 5_000_000 || o.LogDropped != 5_000_000 {
		t.Errorf("code %d, %d bytes in the file, %d dropped", o.Code, len(c.output()), o.LogDropped)
	}
}

// A file that cannot take more is told, with the number of bytes that are missing; the child goes on.
func TestFullDisk(t *testing.T) {
	var copied bytes.Buffer
	c := run(t, check.Supervise(t),
		func(sp *supervisor.Spec) { sp.Output.Log, sp.Output.Copy = open(t, "/dev/full"), &copied }, "print", "hello")
	if o := c.outcome(); o.Code != 0 || o.LogUnstored != 5 || !strings.Contains(o.LogFault, "no space") ||
		copied.String() != "hello" {
		t.Errorf("%+v, copy %q", o, copied.String())
	}
}

func TestSecretsAreHidden(t *testing.T) {
	var copied bytes.Buffer
	c := run(t, check.Supervise(t), func(sp *supervisor.Spec) {
		sp.Output.Copy, sp.Output.Redact = &copied, logtee.NewRedactor([]string{"X_TOKEN=s3cr3t-value"})
	}, "print", "a s3cr3t-value b\nlast s3cr3t-value")
	o := c.outcome()
	want := "a [redacted] b\nlast [redacted]"
	if copied.String() != want || strings.Join(o.Tail, "\n") != want || strings.Join(c.Tail(), "\n") != want {
		t.Errorf("copy %q, tail %q", copied.String(), o.Tail)
	}
	if !strings.Contains(c.output(), "s3cr3t-value") {
		t.Error("the raw file is not raw")
	}
}
