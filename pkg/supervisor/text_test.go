package supervisor

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The splitter gives out everything once, in order, in pieces of bounded size, however the stream is cut.
func FuzzSplitter(f *testing.F) {
	f.Add([]byte("a\nb\r\n10%\r20%\nlast"), uint16(3))
	f.Add(bytes.Repeat([]byte("x"), 3*MaxLine), uint16(40000))
	f.Add([]byte("\xff\x00\n\n\n"), uint16(1))
	f.Fuzz(func(t *testing.T, text []byte, size uint16) {
		var got, want []Line
		collect := func(to *[]Line) *splitter { return newSplitter(func(l Line) { *to = append(*to, l) }) }
		whole := collect(&want)
		whole.write(text)
		whole.end()
		pieces := collect(&got)
		for b := text; len(b) > 0; {
			n := min(len(b), int(size)+1)
			pieces.write(b[:n])
			b = b[n:]
		}
		pieces.end()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("in pieces of %d: %s", int(size)+1, diff)
		}
		total := 0
		for _, l := range got {
			total += len(l.Text)
			if len(l.Text) > MaxLine || strings.ContainsAny(l.Text, "\n") {
				t.Errorf("a line of %d bytes: %q", len(l.Text), l.Text[:min(len(l.Text), 100)])
			}
		}
		if !bytes.ContainsRune(text, '\r') && total != len(text)-bytes.Count(text, []byte{'\n'}) {
			t.Errorf("%d bytes came out of %d", total, len(text))
		}
	})
}

func TestTail(t *testing.T) {
	var b tailBuffer
	if got := b.lines(10); got != nil {
		t.Errorf("an empty tail is %q", got)
	}
	for i := range 100_000 { // several times around
		b.write(fmt.Appendf(nil, "line %d\n", i))
	}
	if diff := cmp.Diff([]string{"line 99998", "line 99999"}, b.lines(2)); diff != "" {
		t.Error(diff)
	}
	if n := len(b.lines(1 << 30)); n < tailSize/len("line 99999\n") {
		t.Errorf("%d lines are kept", n)
	}
	b.write([]byte("1%\r2%\rdone\r\n\xffx\n" + strings.Repeat("y", maxShown+10) + "\nno end"))
	want := []string{"done", "\ufffdx", strings.Repeat("y", maxShown) + " …", "no end"}
	if diff := cmp.Diff(want, b.lines(4)); diff != "" {
		t.Error(diff)
	}
	b.write(bytes.Repeat([]byte("z"), 3*tailSize))
	if got := b.lines(5); len(got) != 1 || len(got[0]) != maxShown+len(" …") {
		t.Errorf("after a line longer than all of it: %d lines", len(got))
	}
}

func TestHeadlines(t *testing.T) {
	tests := map[string]string{
		"ok\nall good":                        "",
		"x\nValueError: bad\nmore":            "ValueError: bad",
		"a.b.MyError: one\nOSError: two\nend": "OSError: two",
		"E   AssertionError: no\n=== short test summary info ===\nFAILED perf/test_x.py::test_e2e[a-b] - AssertionError: no\n1 failed": "FAILED perf/test_x.py::test_e2e[a-b] - AssertionError: no",
		"torch: CUDA out of memory. Tried\nRuntimeError: x":                                                                            "torch: CUDA out of memory. Tried",
		"panic: runtime error: index out of range\n\ngoroutine 1 [running]:\nmain":                                                     "panic: runtime error: index out of range",
		"[rank3] RuntimeError: NCCL error in x":                                                                                        "[rank3] RuntimeError: NCCL error in x",
		"sh: 1: frob: not found":                                                                                                       "sh: 1: frob: not found",
		"KeyboardInterrupt\n":                                                                                                          "KeyboardInterrupt",
		"terminate called after throwing an instance of 'std::bad_alloc'":                                                              "terminate called after throwing an instance of 'std::bad_alloc'",
	}
	for text, want := range tests {
		if got := headline(strings.Split(text, "\n")); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if got := headline([]string{"ValueError: " + strings.Repeat("x", 1000)}); len(got) > maxHeadline+10 {
		t.Errorf("a headline of %d bytes", len(got))
	}
}

// memoryFiles makes a cgroup tree of files.
func memoryFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestMemoryGroups(t *testing.T) {
	v1 := memoryFiles(t, map[string]string{
		"memory/job/step/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", "memory/job/step/memory.limit_in_bytes": "9223372036854771712\n",
		"memory/job/memory.limit_in_bytes": "1048576\n",
	})
	g := findMemoryGroup(v1, []byte("4:memory:/job/step\n1:cpu,cpuacct:/\n0::/x\n"))
	if n, ok := g.oomKills(); !ok || n != 2 || g.v2 {
		t.Errorf("version 1: %+v, %d, %v", g, n, ok)
	}
	if l := g.limit(); l != 1<<20 {
		t.Errorf("version 1: limit %d", l)
	}
	v2 := memoryFiles(t, map[string]string{"job/memory.events": "low 0\noom 1\noom_kill 1\n", "job/memory.max": "2097152\n"})
	g = findMemoryGroup(v2, []byte("0::/job\n"))
	if n, ok := g.oomKills(); !ok || n != 1 || !g.v2 || g.limit() != 2<<20 {
		t.Errorf("version 2: %+v, %d, %v, limit %d", g, n, ok, g.limit())
	}
	none := findMemoryGroup(t.TempDir(), []byte("garbage\n0::/job\n4:memory:/x\n"))
	if n, ok := none.oomKills(); ok || n != 0 || none.limit() != 0 {
		t.Errorf("none: %+v", none)
	}
}

func TestRanOut(t *testing.T) {
	killed := Outcome{Started: true, Code: 137, Signal: "SIGKILL", PeakRSS: 960}
	tests := []struct {
		before, after int64
		counted       bool
		o             Outcome
		limit         int64
		want          bool
	}{
		{1, 2, true, killed, 0, true},
		{1, 1, true, killed, 1000, false},                                // the kernel says that it was not
		{0, 1, true, Outcome{Started: true, Code: 1}, 0, true},           // a part of the tree was ended
		{0, 1, true, Outcome{Started: true, Code: 0}, 0, false},          // and the rest did not mind
		{0, 0, false, killed, 1000, true},                                // at the limit, as far as anybody knows
		{0, 0, false, killed, 2000, false},                               // far from it
		{0, 0, false, killed, 0, false},                                  // no limit is known
		{0, 0, false, Outcome{Started: true, PeakRSS: 999}, 1000, false}, // not killed
	}
	for _, tt := range tests {
		if got := ranOut(tt.before, tt.after, tt.counted, tt.o, tt.limit); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("12 (a) b) S 1 2 3 4"))
	f.Add([]byte("1 (x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, ok := parseStat(data); ok && !bytes.Contains(data, []byte("("+p.comm+")")) {
			t.Errorf("%q gives %+v", data, p)
		}
	})
}
