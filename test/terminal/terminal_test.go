package terminal

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/test/check"
)

var bin string // folder of the programs, set once before any test

func TestMain(m *testing.M) { check.Programs(m, &bin) }

var gen0, ctx0 = roles.Role{Kind: roles.Gen}, roles.Role{Kind: roles.Ctx}

// played is a job whose decode server loads.
func played(t *testing.T) *Job {
	t.Helper()
	prefill, decode := roles.Server{Count: 1, GPUs: 8}, roles.Server{Count: 1, GPUs: 48}
	j, err := NewJob(t.TempDir(), 662*time.Second, prefill, decode, 4, 16)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.End() })
	j.Load()
	j.Ready(ctx0, 584)
	j.Progress(gen0, "weights", 61, 660)
	j.write(t)
	return j
}

func (j *Job) write(t *testing.T) {
	t.Helper()
	if err := j.Write(); err != nil {
		t.Fatal(err)
	}
}

// watch watches a job on a terminal of 80 columns and 24 lines.
func watch(t *testing.T, j *Job, env ...string) *Terminal {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, "disagg-submit"), "watch", string(j.Dir))
	cmd.Env = append(
		[]string{"PATH=" + os.Getenv("PATH"), "TERM=xterm-256color", "XDG_DATA_HOME=" + t.TempDir()}, env...)
	term, err := Start(cmd, 80, 24)
	if err != nil {
		t.Fatal(err)
	}
	return term
}

// shows waits until every text is seen.
func (t *Terminal) shows(tb testing.TB, texts ...string) {
	tb.Helper()
	for _, text := range texts {
		check.Eventually(tb, text, func() bool { return strings.Contains(strings.Join(t.Lines(), "\n"), text) })
	}
}

// What a job does is seen as it happens, at any size of the terminal; at its end only lines are left.
func TestWatch(t *testing.T) {
	j := played(t)
	term := watch(t, j)
	term.shows(t, "GEN_0        48/48  loading", "weights 61 %", "q leaves; the job goes on")
	if first := term.Lines()[0]; !strings.Contains(first, ": disagg-e2e-") {
		t.Errorf("the first line is %q", first)
	}
	if err := term.Resize(40, 15); err != nil {
		t.Fatal(err)
	}
	term.shows(t, "GEN_0        48/48  loading")
	if err := term.Resize(200, 60); err != nil {
		t.Fatal(err)
	}
	term.shows(t, "last line ", "n[01-12]")
	if err := term.Resize(80, 24); err != nil {
		t.Fatal(err)
	}
	j.Ready(gen0, 662)
	j.Measure(663)
	j.Point(0, "", 664)
	j.write(t)
	term.shows(t, "point 2 of 2", "tok/s/GPU")
	j.Point(1, "", 665)
	j.write(t)
	if err := j.Judge(protocol.Passed, 0); err != nil {
		t.Fatal(err)
	}
	if code := term.End(); code != 0 {
		t.Errorf("code %d", code)
	}
	last := strings.Join(term.Lines(), "\n")
	for _, want := range []string{"passed: disagg-e2e-gb200_dsr1", "best:", "logs:"} {
		if !strings.Contains(last, want) {
			t.Errorf("the last screen has no %q:\n%s", want, last)
		}
	}
	for _, gone := range []string{"q leaves", "48/48  "} {
		if strings.Contains(last, gone) {
			t.Errorf("the last screen has still %q:\n%s", gone, last)
		}
	}
	restored(t, term)
}

// restored checks that a terminal is as it was: the cursor is there, and no other screen.
func restored(t *testing.T, term *Terminal) {
	t.Helper()
	written := term.Written()
	if strings.Contains(written, "\x1b[?1049h") {
		t.Error("there was another screen")
	}
	if hidden := strings.LastIndex(written, "\x1b[?25l"); hidden > strings.LastIndex(written, "\x1b[?25h") {
		t.Error("the cursor is still hidden")
	}
}

// Who leaves is told the way back; who comes back sees the same, and gets the same verdict and code.
func TestLeaveAndComeBack(t *testing.T) {
	for name, key := range map[string]string{"q": "q", "Ctrl-C": "\x03"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := played(t)
			left := watch(t, j)
			left.shows(t, "weights 61 %")
			if err := left.Type(key); err != nil {
				t.Fatal(err)
			}
			if code := left.End(); code != protocol.ExitPending {
				t.Errorf("left with code %d", code)
			}
			const way = "goes on. disagg-submit watch "
			text := left.Written()
			if !strings.Contains(text, "left ("+name+")") || !strings.Contains(text, way) {
				t.Errorf("left with %q", text)
			}
			restored(t, left)
			back := watch(t, j)
			back.shows(t, "weights 61 %")
			j.Fail(roles.Task{Role: gen0, Rank: 13}, "exited with code 1: CUDA out of memory", 662)
			j.write(t)
			back.shows(t, "✗ GEN_0.13 on n04: exited with code 1: CUDA out of memory")
			if err := j.Judge(protocol.Failed, 1); err != nil {
				t.Fatal(err)
			}
			late := watch(t, j) // when all is over
			for _, term := range []*Terminal{back, late} {
				if code := term.End(); code != 1 {
					t.Errorf("code %d", code)
				}
				term.shows(t, "failed: disagg-e2e-gb200_dsr1", "  GEN_0.13 on n04 ")
			}
		})
	}
}

// colour is a sequence that sets a colour.
var colour = regexp.MustCompile("\x1b\\[(?:\\d+;)*(?:3[0-7]|9[0-7]|38;|48;)[\\d;]*m")

// A terminal that cannot be drawn on gets lines, one that wants no colours gets none, and the others get them.
func TestKindsOfTerminal(t *testing.T) {
	for name, tt := range map[string]struct {
		env            []string
		drawn, colours bool
	}{
		"usual":        {nil, true, true},
		"no colours":   {[]string{"NO_COLOR=1"}, true, false},
		"dumb":         {[]string{"TERM=dumb"}, false, false},
		"without name": {[]string{"TERM="}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := played(t)
			term := watch(t, j, tt.env...)
			term.shows(t, "CTX_0 is ready")
			if tt.drawn {
				term.shows(t, "weights 61 %")
			}
			if err := j.Judge(protocol.Cancelled, protocol.ExitCancelled); err != nil {
				t.Fatal(err)
			}
			if code := term.End(); code != protocol.ExitCancelled {
				t.Errorf("code %d", code)
			}
			written := term.Written()
			if drawn := strings.Contains(written, "\x1b"); drawn != tt.drawn {
				t.Errorf("drawn: %v\n%q", drawn, written)
			}
			if got := colour.MatchString(written); got != tt.colours {
				t.Errorf("colours: %v\n%q", got, written)
			}
			if lines := strings.Join(term.Lines(), "\n"); !strings.Contains(lines, "cancelled: disagg-e2e") {
				t.Errorf("%s", lines)
			}
		})
	}
}

// Lines that scroll above the block stay whole, and in order.
func TestLinesAboveBlock(t *testing.T) {
	j := played(t)
	term := watch(t, j)
	term.shows(t, "weights 61 %")
	for i := range 5 {
		j.Event(protocol.EntryKind(protocol.EventUnhealthy), roles.Task{Role: ctx0}, strings.Repeat("x", 60)+" "+
			string(rune('a'+i)), 661)
		j.write(t)
	}
	term.shows(t, "x e")
	const unhealthy = "CTX_0.0: unhealthy: "
	lines := slices.DeleteFunc(term.Lines(), func(l string) bool { return !strings.Contains(l, unhealthy) })
	if len(lines) != 5 {
		t.Errorf("%d lines:\n%s", len(lines), strings.Join(term.Lines(), "\n"))
	}
	if err := j.Judge(protocol.Failed, 1); err != nil {
		t.Fatal(err)
	}
	term.End()
}
