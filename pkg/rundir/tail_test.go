package rundir_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/rundir"
)

// lines is what a tail gives out of a text that is written in pieces of some size.
func lines(t *testing.T, text []byte, size int) (list []string) {
	t.Helper()
	tail := rundir.Tail{File: filepath.Join(t.TempDir(), "x.log")}
	take := func(line []byte) { list = append(list, string(line)) }
	tail.Read(take) // not there yet
	f, err := os.Create(tail.File)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for b := text; len(b) > 0; {
		n := min(len(b), size)
		if _, err := f.Write(b[:n]); err != nil {
			t.Fatal(err)
		}
		tail.Read(take)
		b = b[n:]
	}
	tail.Rest(take)
	tail.Rest(take) // nothing is given out twice
	return list
}

// A tail gives out each line once, without its end, when it is complete.
func TestTail(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.log")
	tail := rundir.Tail{File: file}
	var got []string
	take := func(line []byte) { got = append(got, string(line)) }
	for _, step := range []struct {
		add  string
		want []string
	}{
		{"one\ntw", []string{"one"}},
		{"", nil},
		{"o\r\n\nthree", []string{"two", ""}},
		{"\n", []string{"three"}},
		{"four", nil},
	} {
		got = nil
		f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err == nil {
			_, err = f.WriteString(step.add)
		}
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		tail.Read(take)
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("after %q: %s", step.add, diff)
		}
	}
	got = nil
	tail.Rest(take)
	if diff := cmp.Diff([]string{"four"}, got); diff != "" {
		t.Error(diff)
	}
}

// What has no end for too long is given out in pieces, so that no memory is enough to hold up the rest.
func TestTailBoundsLines(t *testing.T) {
	const most = 1 << 20
	long := strings.Repeat("x", most)
	for name, tt := range map[string]struct {
		text string
		want []int // lengths
	}{
		"as long as may be": {long + "\nnext\n", []int{most, 4}},
		"longer by one":     {long + "x\nnext\n", []int{most, 1, 4}},
		"without an end":    {long + long + "xx", []int{most, most, 2}},
		"its end is cut":    {long + "\r\nnext\n", []int{most, 0, 4}},
	} {
		for _, size := range []int{most / 3, 10 * most} {
			var got []int
			for _, line := range lines(t, []byte(tt.text), size) {
				got = append(got, len(line))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s, in pieces of %d: %s", name, size, diff)
			}
		}
	}
}

// However a text arrives, its lines are the same, and nothing of it is lost.
func FuzzTail(f *testing.F) {
	f.Add([]byte("a\nb\r\n10%\r20%\nlast"), uint16(3))
	f.Add(bytes.Repeat([]byte("xy"), 1<<19+1), uint16(40000))
	f.Add([]byte("\xff\x00\n\n\n\r\r\n"), uint16(1))
	f.Fuzz(func(t *testing.T, text []byte, size uint16) {
		if len(text) > 1<<22 || len(text)/(int(size)+1) > 1000 {
			t.Skip("it would take too long")
		}
		got := lines(t, text, int(size)+1)
		if diff := cmp.Diff(lines(t, text, len(text)+1), got); diff != "" {
			t.Errorf("in pieces of %d: %s", int(size)+1, diff)
		}
		if len(text) < 1<<20 && !bytes.ContainsRune(text, '\r') {
			if joined := strings.Join(got, "\n"); joined != strings.TrimSuffix(string(text), "\n") {
				t.Errorf("%q came out of %q", joined, text)
			}
		}
	})
}

// The last lines of a file are whole lines, and no more than are asked for.
func TestLastLines(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.log")
	if got := rundir.LastLines(file, 3, 100); got != nil {
		t.Errorf("of nothing: %q", got)
	}
	tests := map[string]struct {
		text  string
		most  int
		bytes int64
		want  []string
	}{
		"all":                   {"a\nb\n", 3, 100, []string{"a", "b"}},
		"some":                  {"a\nb\nc\nd\n", 2, 100, []string{"c", "d"}},
		"from the end":          {"aaaa\nbbbb\ncccc\n", 9, 12, []string{"bbbb", "cccc"}},
		"exactly so many bytes": {"aaaa\nbbbb\n", 9, 10, []string{"aaaa", "bbbb"}},
		"without an end":        {"a\nb", 1, 100, []string{"b"}},
		"empty":                 {"", 1, 100, nil},
		"a long line":           {"aaaaaaaaaa", 1, 4, nil},
	}
	for name, tt := range tests {
		if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, rundir.LastLines(file, tt.most, tt.bytes)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
