package diagnose

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// example is a log of testdata: its first line says which headline is wanted, and a line "@400 text" stands for 400
// of text.
type example struct{ name, want, log string }

func examples(t testing.TB) []example {
	t.Helper()
	files, err := filepath.Glob("testdata/*.log")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	var list []example
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, log, _ := strings.Cut(string(data), "\n")
		want, ok := strings.CutPrefix(head, "# want: ")
		if !ok {
			t.Fatalf("%s: the first line must say which headline is wanted", file)
		}
		list = append(list, example{strings.TrimSuffix(filepath.Base(file), ".log"), want, unfold(log)})
	}
	return list
}

func unfold(log string) string {
	var all strings.Builder
	for line := range strings.Lines(log) {
		if rest, ok := strings.CutPrefix(line, "@"); ok {
			count, text, _ := strings.Cut(rest, " ")
			if n, err := strconv.Atoi(count); err == nil {
				line = strings.Repeat(text, n)
			}
		}
		all.WriteString(line)
	}
	return all.String()
}

// read is a Reader that was given a log in blocks of so many lines.
func read(log string, lines int) *Reader {
	r := NewReader(nil)
	var block []byte
	n := 0
	for line := range strings.Lines(log) {
		block = append(block, line...)
		if n++; n%lines == 0 {
			r.Feed(block)
			block = block[:0]
		}
	}
	r.Feed(block)
	return r
}

const atOnce = 1 << 30 // lines

// Every example has the headline that its first line names, in whatever blocks it comes, and also if every line is
// looked at closely: the search for words leaves nothing out.
func TestHeadline(t *testing.T) {
	for _, e := range examples(t) {
		t.Run(e.name, func(t *testing.T) {
			for _, lines := range []int{atOnce, 1, 7} {
				if got := read(e.log, lines).Headline(); got != e.want {
					t.Fatalf("in blocks of %d lines:\ngot  %q\nwant %q", lines, got, e.want)
				}
			}
			r := NewReader(nil)
			for line := range strings.Lines(e.log) {
				r.read(string(Visible([]byte(strings.TrimSuffix(line, "\n")))))
			}
			if got := r.Headline(); got != e.want {
				t.Errorf("line by line:\ngot  %q\nwant %q", got, e.want)
			}
		})
	}
}

// The context has the line that explains, some lines before it and some after it, whatever follows.
func TestContext(t *testing.T) {
	log := strings.Repeat("loading\n", 50) +
		"one\ntwo\nthree\nfour\nfive\nsix\nseven\nTraceback (most recent call last):\n" +
		"ValueError: no room\nafter 1\nafter 2\nafter 3\nafter 4\n" + strings.Repeat("[W] closing\n", 400)
	want := []string{"one", "two", "three", "four", "five", "six", "seven", "Traceback (most recent call last):",
		"ValueError: no room", "after 1", "after 2", "after 3", "after 4"}
	for _, lines := range []int{atOnce, 1, 3} {
		if diff := cmp.Diff(want, read(log, lines).Context()); diff != "" {
			t.Errorf("in blocks of %d lines: %s", lines, diff)
		}
	}
	if got := read("ValueError: at once\n", 1).Context(); !cmp.Equal(got, []string{"ValueError: at once"}) {
		t.Errorf("without lines around it: %q", got)
	}
	if got := read("nothing\nhappens\n", 1).Context(); got != nil {
		t.Errorf("nothing explains, but the context is %q", got)
	}
}

// An error that a process has survived for long gives way to a later one; sooner the first one counts, and what
// explains less must come much later.
func TestSurvivedErrors(t *testing.T) {
	const early, late, again, reset = "ValueError: early", "KeyError: late", "OSError: again", "ConnectionResetError: x"
	serving := func(n int) string { return strings.Repeat("serving\n", n) }
	tests := map[string]struct {
		between, last, want string
	}{
		"soon":                        {serving(survived), late, early},
		"long after":                  {serving(survived + 1), late, late},
		"among warnings":              {strings.Repeat("[W] retrying\n", 3*survived), late, early},
		"among frames":                {strings.Repeat("frame #1: x (0x7f in libc.so)\n", 3*survived), late, early},
		"a consequence":               {serving(3 * survived), reset, early},
		"a consequence, hours after":  {serving(longSurvived + 1), reset, reset},
		"a pointer, hours after":      {serving(longSurvived + 1), "RuntimeError: See root cause above.", early},
		"errors, each survived":       {strings.Repeat(serving(survived+1)+again+"\n", 3), late, again},
		"pytest has said why already": {serving(2 * survived), late, early},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			first := early
			if strings.HasPrefix(name, "pytest") {
				first = "E       " + early
			}
			for _, lines := range []int{atOnce, 100} {
				if got := read(first+"\n"+tt.between+tt.last+"\n", lines).Headline(); got != tt.want {
					t.Errorf("in blocks of %d lines: got %q, want %q", lines, got, tt.want)
				}
			}
		})
	}
}

// Secrets are taken out before anything is cut to its length, so that no part of one is left.
func TestNothingSecretIsShown(t *testing.T) {
	const secret = "hf_abcdefghijklmnopqrstuvwxyz"
	hide := func(s string) string { return strings.ReplaceAll(s, secret, "*") }
	for _, before := range []int{0, maxHeadline - 20, maxShown - 20} {
		r := NewReader(hide)
		r.Feed([]byte("using " + secret + "\nValueError: " + strings.Repeat("x", before) + secret + "\n"))
		all := r.Headline() + strings.Join(r.Context(), "\n")
		if strings.Contains(all, secret[:4]) {
			t.Errorf("with %d bytes before it: %q", before, all)
		}
	}
	r := NewReader(hide)
	r.Feed([]byte("leaving with " + secret + "\n"))
	if got := r.Headline(); got != "last line: leaving with *" {
		t.Errorf("got %q", got)
	}
}

// A headline fits on a line of a terminal or two, and does nothing to it. Of a test whose name is long the reason is
// shown.
func TestHeadlineIsShort(t *testing.T) {
	long := "OSError: " + strings.Repeat("x", 1000)
	cut := long[:maxHeadline] + " …"
	tests := map[string]string{
		long: cut,
		"FAILED a.py::test_e2e[" + strings.Repeat("long-", 60) + "] - OSError: no room": "OSError: no room",
		"\x1b[31mOSError: \x1b]0;t\a red\x1b[0m\tblue":                                  "OSError: ]0;t  red blue",
		"OSError: \xff":         "OSError: \ufffd",
		"a.b.MyError":           "a.b.MyError",
		"[rank3] KeyError: 'x'": "KeyError: 'x'",
	}
	for log, want := range tests {
		if got := read(log+"\n", 1).Headline(); got != want {
			t.Errorf("%q:\ngot  %q\nwant %q", log, got, want)
		}
	}
}

// kept is how many bytes a Reader holds.
func (r *Reader) kept() int {
	n := cap(r.last)
	for _, l := range r.recent.ring {
		n += cap(l)
	}
	for _, f := range r.finds {
		if f == nil {
			continue
		}
		for _, l := range f.lines {
			n += len(l)
		}
	}
	return n
}

// What is kept does not grow with the output.
func TestMemoryIsBounded(t *testing.T) {
	const bound = int(weights)*(recentLines+after+1)*(maxKept+64) + 2*(recentLines+1)*maxKept
	long := strings.Repeat("y", 64<<10)
	kinds := []string{
		"ValueError: ", "[E] ", "E   KeyError: ", "connection reset ", "", "RuntimeError: see above ",
		"Killed ", "\x1b[1m",
	}
	r := NewReader(nil)
	for i := range 100 {
		r.Feed([]byte(kinds[i%len(kinds)] + long + "\n" + strings.Repeat("serving\n", i%7*survived)))
		if n := r.kept(); n > bound || len(r.open) > int(weights) {
			t.Fatalf("after %d lines: %d bytes are kept, %d finds grow", i+1, n, len(r.open))
		}
	}
}

// Whatever comes, and in whatever blocks, a Reader says the same, in valid text of bounded size.
func FuzzReader(f *testing.F) {
	for _, e := range examples(f) {
		if len(e.log) < 4<<10 {
			f.Add(e.log, uint8(1))
		}
	}
	f.Add("\x1b[\x00\r\r\nE   FAILED x.py - \nERROR \n[", uint8(2))
	f.Fuzz(func(t *testing.T, log string, lines uint8) {
		if strings.Count(log, "\n") > lastLines { // the last line is looked for so far back in a block
			return
		}
		whole, pieces := read(log, atOnce), read(log, int(lines)+1)
		if a, b := whole.Headline(), pieces.Headline(); a != b {
			t.Errorf("in blocks of %d lines: %q, else %q", int(lines)+1, b, a)
		}
		if diff := cmp.Diff(whole.Context(), pieces.Context()); diff != "" {
			t.Errorf("in blocks of %d lines: %s", int(lines)+1, diff)
		}
		h := whole.Headline()
		if len(h) > maxHeadline+len(" …") || !utf8.ValidString(h) || strings.ContainsAny(h, "\n\x1b") {
			t.Errorf("headline %q", h)
		}
		for _, l := range whole.Context() {
			if len(l) > maxShown+len(" …") || !utf8.ValidString(l) || strings.Contains(l, "\n") {
				t.Errorf("context %q", l)
			}
		}
	})
}

// The line that explains has its number in the output, and so has the first line of the context, in whatever blocks the
// output comes and whatever follows.
func TestLinesAreCounted(t *testing.T) {
	tests := map[string]struct {
		log            string
		telling, first int
	}{
		"far inside": {
			strings.Repeat("loading\n", 50) + "ValueError: x\n" + strings.Repeat("[W] y\n", 99), 51, 43,
		},
		"at once":         {"ValueError: x\nafter\n", 1, 1},
		"without an end":  {"loading\n\nValueError: x", 3, 1},
		"the root of two": {"a\nKeyError: 'x'\nRuntimeError: see above for details\n", 2, 1},
		"nothing":         {"loading\n", 0, 0},
		"behind a survived one": {
			"ValueError: x\n" + strings.Repeat("serving\n", survived+1) + "KeyError: 'y'\n", survived + 3, survived - 5,
		},
	}
	for name, tt := range tests {
		for _, lines := range []int{atOnce, 1, 7} {
			telling, first := read(tt.log, lines).Lines()
			if telling != tt.telling || first != tt.first {
				t.Errorf("%s, in blocks of %d lines: line %d, context from %d, want %d and %d", name, lines, telling,
					first, tt.telling, tt.first)
			}
		}
	}
}

// The last lines are there even if none explains, with the number of the first of them.
func TestLast(t *testing.T) {
	var log strings.Builder
	for i := range 30 {
		fmt.Fprintf(&log, "line %d\n", i+1)
	}
	for _, end := range []string{"", "the end"} {
		for _, lines := range []int{atOnce, 1, 7} {
			last, first := read(log.String()+end, lines).Last()
			want := "line 30"
			if end != "" {
				want = end
			}
			if len(last) != recentLines || last[len(last)-1] != want || last[0] != fmt.Sprintf("line %d", first) {
				t.Errorf("in blocks of %d lines: from %d: %q", lines, first, last)
			}
		}
	}
	if last, first := NewReader(nil).Last(); last != nil || first != 1 {
		t.Errorf("of no output: from %d: %q", first, last)
	}
}
