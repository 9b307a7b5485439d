package logs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var begun = time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)

// of is a source of the lines of a text that begun at some time.
func of(text string, begun time.Time) Source {
	lines := strings.Split(text, "\n")
	return NewStream(func() ([]byte, bool) {
		if len(lines) == 0 {
			return nil, false
		}
		l := lines[0]
		lines = lines[1:]
		return []byte(l), true
	}, begun, time.UTC)
}

// told lists what a merger gives out.
func told(m *Merger) (list []string) {
	for {
		name, l, ok := m.Next()
		if !ok {
			return list
		}
		list = append(list, name+" "+l.Text)
	}
}

// Lines are merged by their times; one without a time stays after the line before it, and no log's order changes.
func TestMerge(t *testing.T) {
	var m Merger
	m.Add("a", of("[11/27/2026-10:00:01] 1\n[11/27/2026-10:00:05] 5\ntraceback\n[11/27/2026-10:00:02] late", begun))
	m.Add("b", of("before any time\n2026-11-27 10:00:03,500 3\nmore of 3\n2026-11-27 10:00:06,000 6", begun))
	m.Add("c", of("no times\nat all", time.Time{}))
	want := []string{
		"c no times", "c at all", "b before any time", "a [11/27/2026-10:00:01] 1", "b 2026-11-27 10:00:03,500 3",
		"b more of 3", "a [11/27/2026-10:00:05] 5", "a traceback", "a [11/27/2026-10:00:02] late",
		"b 2026-11-27 10:00:06,000 6",
	}
	if diff := cmp.Diff(want, told(&m)); diff != "" {
		t.Error(diff)
	}
}

// What grows is asked again, and what comes late is given out.
func TestMergeGrows(t *testing.T) {
	var m Merger
	var lines []string
	m.Add("a", NewStream(func() ([]byte, bool) {
		if len(lines) == 0 {
			return nil, false
		}
		l := lines[0]
		lines = lines[1:]
		return []byte(l), true
	}, begun, time.UTC))
	for i := range 3 {
		if got := told(&m); got != nil {
			t.Fatalf("%q", got)
		}
		lines = []string{fmt.Sprint(i), "x"}
		if diff := cmp.Diff([]string{fmt.Sprintf("a %d", i), "a x"}, told(&m)); diff != "" {
			t.Error(diff)
		}
	}
}

// The zone of a rank's host is found by when the rank was started; without that it is the reader's.
func TestZones(t *testing.T) {
	india, later := time.FixedZone("IST", 5*3600+1800), begun.Add(2*time.Minute)
	for name, tt := range map[string]struct {
		line    string
		begun   time.Time
		readers *time.Location
		want    time.Time
	}{
		"the host's is UTC, the reader's is not": {"[11/27/2026-10:02:00] x", begun, india, later},
		"the host's is not, the reader's is":     {"[11/27/2026-15:32:00] x", begun, time.UTC, later},
		"the reader's":                           {"[11/27/2026-15:32:00] x", time.Time{}, india, later},
		"a log of another day":                   {"[11/20/2026-15:32:00] x", begun, india, later.AddDate(0, 0, -7)},
		"it is said":                             {"2026-11-27T15:32:00+05:30 x", begun, time.UTC, later},
		"without a year":                         {"INFO 11-27 10:02:00 x", begun, time.UTC, later},
		"without a year, of nobody knows when":   {"INFO 11-27 10:02:00 x", time.Time{}, time.UTC, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewStream(func() ([]byte, bool) { return []byte(tt.line), true }, tt.begun, tt.readers)
			if l, _ := s.Next(); !l.At.Equal(tt.want) || l.Own == tt.want.IsZero() {
				t.Errorf("%v, want %v", l, tt.want)
			}
		})
	}
}

// What is shown does nothing to a terminal, and a progress bar is as it ended.
func TestHarmless(t *testing.T) {
	for raw, want := range map[string]string{
		"10%\r50%\r100%":                 "100%",
		"10%\r50%\r":                     "50%",
		"\x1b[31mred\x1b[0m":             "red",
		"\x1b]0;title\x07bell":           "]0;title·bell",
		"a\x00\x00\x00b":                 "ab",
		"a\tb":                           "a    b",
		"\xff\xfe":                       "\ufffd",
		strings.Repeat("long ", 2000):    strings.Repeat("long ", 2000),
		"2026-11-27 10:00:00 \u202eevil": "2026-11-27 10:00:00 ·evil",
	} {
		if l, _ := of(raw, begun).Next(); l.Text != want {
			t.Errorf("%q: %q, want %q", raw, l.Text, want)
		}
	}
}

// Around a moment is what was printed then, and of lines without a time what may have been.
func TestAround(t *testing.T) {
	const stamps = "[11/27/2026-10:00:01] 1\n[11/27/2026-10:00:05] 5\nTraceback\n  line\n" +
		"[11/27/2026-10:00:09] 9\nlast words"
	const back = "[11/27/2026-10:00:05] 5\nTraceback\n[11/27/2026-10:00:02] late"
	many := "[11/27/2026-10:00:01] 1" + strings.Repeat("\nbar", 30)
	for name, tt := range map[string]struct {
		text     string
		from, to int // seconds after the beginning
		want     []string
	}{
		"a line":              {stamps, 0, 1, []string{"[11/27/2026-10:00:01] 1"}},
		"nothing":             {stamps, 3, 4, nil},
		"a line and its rest": {stamps, 5, 5, []string{"[11/27/2026-10:00:05] 5", "Traceback", "  line"}},
		"before the next":     {stamps, 7, 8, []string{"Traceback", "  line"}},
		"the end of the log":  {stamps, 19, 20, []string{"last words"}},
		"after the end":       {stamps, 25, 30, nil},
		"many without a time": {
			many, 10, 11, append([]string{"… 18 lines without a time, before the 12 that follow"},
				strings.Split(strings.Repeat("bar ", 12), " ")[:12]...),
		},
		"no times at all": {"a\nb", 10, 11, []string{"a", "b"}},
		"a clock that was set back": {
			back, 5, 5, []string{"[11/27/2026-10:00:05] 5", "Traceback"},
		},
		"before a clock was set back":      {back, 4, 4, nil},
		"when the clock was set back to":   {back, 2, 3, []string{"[11/27/2026-10:00:02] late"}},
		"a second that a stamp rounds off": {stamps, 2, 2, []string{"[11/27/2026-10:00:01] 1"}},
		"just as many as are shown": {
			strings.Repeat("bar\n", 11) + "bar", 0, 1, strings.Fields(strings.Repeat("bar ", 12)),
		},
		"each gap counts for itself": {
			many + "\n[11/27/2026-10:00:15] 15\nend", 15, 15, append(append([]string{
				"… 18 lines without a time, before the 12 that follow",
			}, strings.Fields(strings.Repeat("bar ", 12))...), "[11/27/2026-10:00:15] 15", "end"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			at := func(s int) time.Time { return begun.Add(time.Duration(s) * time.Second) }
			a, got := NewAround(of(tt.text, begun), at(tt.from), at(tt.to), at(20)), []string(nil)
			for l, ok := a.Next(); ok; l, ok = a.Next() {
				got = append(got, l.Text)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if _, ok := a.Next(); ok {
				t.Error("there is more after the end")
			}
		})
	}
}

// Merging a line costs about as much as finding its time, and keeps nothing of it.
func BenchmarkMerge(b *testing.B) {
	var m Merger
	line := []byte("[11/27/2026-10:00:01] [TRT-LLM] [I] iter = 1, num_scheduled_requests = 4, elapsed 1.2 ms")
	for i := range 64 {
		m.Add(fmt.Sprint(i), NewStream(func() ([]byte, bool) { return line, true }, begun, time.UTC))
	}
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		m.Next()
	}
}
