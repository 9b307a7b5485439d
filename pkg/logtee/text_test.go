package logtee

import (
	"bytes"
	"fmt"
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
		collect := func(to *[]Line) *Splitter { return NewSplitter(func(l Line) { *to = append(*to, l) }) }
		whole := collect(&want)
		whole.Write(text)
		whole.End()
		pieces := collect(&got)
		for b := text; len(b) > 0; {
			n := min(len(b), int(size)+1)
			pieces.Write(b[:n])
			b = b[n:]
		}
		pieces.End()
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

// The end of an output is as it was printed, whether the buffer has been filled or not.
func TestEnd(t *testing.T) {
	var b tailBuffer
	if end, at := b.end(10); len(end) > 0 || !at.IsZero() {
		t.Errorf("the end of nothing is %q, at %v", end, at)
	}
	var all []byte
	for i := range 100_000 {
		piece := fmt.Appendf(nil, "%d\r", i)
		all = append(all, piece...)
		b.write(piece)
		if i%9973 != 0 {
			continue
		}
		for _, n := range []int{0, 1, 7, 5000, tailSize} {
			want := all[max(0, len(all)-n):]
			if end, at := b.end(n); !bytes.Equal(end, want) || at.IsZero() {
				t.Fatalf("the last %d of %d bytes: %d", n, len(all), len(end))
			}
		}
	}
}

// asItIs hides nothing.
func asItIs(s string) string { return s }

func TestTail(t *testing.T) {
	var b tailBuffer
	if got := b.lines(10, asItIs); got != nil {
		t.Errorf("an empty tail is %q", got)
	}
	for i := range 100_000 { // several times around
		b.write(fmt.Appendf(nil, "line %d\n", i))
	}
	if diff := cmp.Diff([]string{"line 99998", "line 99999"}, b.lines(2, asItIs)); diff != "" {
		t.Error(diff)
	}
	if n := len(b.lines(1<<30, asItIs)); n < tailSize/len("line 99999\n") {
		t.Errorf("%d lines are kept", n)
	}
	b.write([]byte("1%\r2%\rdone\r\n\xffx\n" + strings.Repeat("y", maxShown+10) + "\nno end"))
	want := []string{"done", "\ufffdx", strings.Repeat("y", maxShown) + " …", "no end"}
	if diff := cmp.Diff(want, b.lines(4, asItIs)); diff != "" {
		t.Error(diff)
	}
	b.write(bytes.Repeat([]byte("z"), 3*tailSize))
	if got := b.lines(5, asItIs); len(got) != 1 || len(got[0]) != maxShown+len(" …") {
		t.Errorf("after a line longer than all of it: %d lines", len(got))
	}
}
