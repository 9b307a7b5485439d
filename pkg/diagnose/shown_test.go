package diagnose

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// People see what a terminal would have left of a line: not what was overwritten, no colours, and text only.
func TestShown(t *testing.T) {
	for line, want := range map[string]string{
		"": "", "plain": "plain", "10 %\r20 %\r30 %": "30 %", "10 %\r": "10 %", "10 %\r\r": "", "a\r\r": "",
		"\x1b[31mred\x1b[0m": "red", "\x1b[1;31;40mred": "red", "a\x1b[2Kb": "ab", "\x1b[@a\x1b[~b": "ab",
		"a\x1b[31": "a", "a\x1b[": "a", "a\x1b": "a", "a\x1bb": "ab", "\x1b]0;title": "]0;title", "\x1b[31m": "",
		"a\xffb": "a\ufffdb", "\xff\xfe": "\ufffd", "é\x1b[0mé": "éé", "a\x1b[0\u00e9mb": "ab",
	} {
		if got := string(Shown([]byte(line))); got != want {
			t.Errorf("%q is shown as %q, want %q", line, got, want)
		}
	}
}

// Of a very long line the beginning is looked at: what a finding needs, and no more is kept.
func TestVisibleIsBounded(t *testing.T) {
	long := bytes.Repeat([]byte("x"), 1<<20)
	if got := len(Visible(long)); got != maxKept {
		t.Errorf("%d bytes, want %d", got, maxKept)
	}
	if got := len(Shown(long)); got != len(long) {
		t.Errorf("shown are %d bytes, want all", got)
	}
	if got := string(Visible(append(long, "\rend"...))); got != "end" { // what is visible may stand at the end
		t.Errorf("%.20q", got)
	}
}

// A line is shortened between letters, and says that it is.
func TestShorten(t *testing.T) {
	for text, want := range map[string]string{"": "", "abc": "abc", "abcd": "abc …", "abé": "ab …", "éé": "é …"} {
		if got := shorten(text, 3); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// A block's last lines, the very last of which may not have ended.
func TestLastOf(t *testing.T) {
	for block, want := range map[string]string{
		"": "", "a": "a", "a\n": "a\n", "a\nb": "a\nb", "a\nb\n": "a\nb\n", "a\nb\nc": "b\nc", "a\nb\nc\n": "b\nc\n",
		"\n": "\n", "\n\n\n": "\n\n",
	} {
		if got := string(lastOf([]byte(block), 2)); got != want {
			t.Errorf("%q: %q, want %q", block, got, want)
		}
	}
}

// The last lines that were pushed, in their order, however many there were.
func TestRecent(t *testing.T) {
	var r recent
	var all []string
	for i := range 3*recentLines + 1 {
		if diff := cmp.Diff(all[max(0, len(all)-recentLines):], r.lines()); diff != "" && len(all) > 0 {
			t.Fatalf("after %d lines: %s", i, diff)
		}
		line := strings.Repeat("x", i%5) + "."
		all = append(all, line)
		r.push([]byte(line))
	}
}

// The quick search finds where the first word stands, or one byte away, as a plain search does.
func FuzzScanner(f *testing.F) {
	for _, text := range []string{"an ERROR here", "errorerror", "\xc5rror", "xid\x00", "traceBACK", "oooom", ""} {
		f.Add(text)
	}
	s := newScanner(words())
	f.Fuzz(func(t *testing.T, text string) {
		first := -1
		lower := asciiLower(text)
		for _, w := range words() {
			if at := strings.Index(lower, w); at >= 0 && (first < 0 || at < first) {
				first = at
			}
		}
		got := s.index([]byte(text))
		if (got < 0) != (first < 0) || got > first+1 || got >= 0 && got < first {
			t.Errorf("%q: a word at %d, want at %d", text, got, first)
		}
	})
}

// asciiLower is a text with small letters, as far as they are of ASCII.
func asciiLower(text string) string {
	b := []byte(text)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// Whatever a line is: what is shown of it is text without colours, and never more than there was, but for the marks of
// what is not text.
func FuzzShown(f *testing.F) {
	f.Add([]byte("a\rb\x1b[31mc\xff"))
	f.Add([]byte("\x1b[\x1b[m"))
	f.Fuzz(func(t *testing.T, line []byte) {
		got := Shown(line)
		if !utf8.Valid(got) || bytes.IndexByte(got, escape) >= 0 || len(got) > 3*len(line) {
			t.Errorf("%q is shown as %q", line, got)
		}
		if again := Shown(got); bytes.IndexByte(got, '\r') < 0 && !bytes.Equal(again, got) {
			t.Errorf("%q is shown as %q, and that as %q", line, got, again)
		}
	})
}
