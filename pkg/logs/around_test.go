package logs

import (
	"strings"
	"testing"
	"time"
)

// A log that grows for days is not read further than to the line that is given out.
func TestAroundReadsNoFurtherThanItMust(t *testing.T) {
	lines := list{{Text: "1", At: begun, Own: true}, {Text: "2", At: begun, Own: true}}
	a := NewAround(&lines, begun, begun, begun)
	if l, ok := a.Next(); !ok || l.Text != "1" || len(lines) != 1 {
		t.Errorf("%+v, %d lines are left", l, len(lines))
	}
}

// What was printed before the first time of a log is from after the rank's start, if that is known; else it may be from
// any time before.
func TestAroundBeforeTheFirstTime(t *testing.T) {
	const text = "banner\n2026-11-27 10:00:30 x"
	before := begun.Add(-time.Hour)
	if l, ok := NewAround(of(text, begun), before, before, begun).Next(); ok {
		t.Errorf("an hour before the rank was started: %+v", l)
	}
	for name, began := range map[string]time.Time{"known": begun, "unknown": {}} {
		if l, ok := NewAround(of(text, began), begun, begun, begun).Next(); !ok || l.Text != "banner" {
			t.Errorf("the start is %s: %+v", name, l)
		}
	}
}

// How many lines were left out is told at the time of the first that was not: among other logs it stands before that.
func TestAroundTellsWhatIsLeftOutInItsPlace(t *testing.T) {
	text := "2026-11-27 10:00:01 x" + strings.Repeat("\nbar", 13)
	a := NewAround(of(text, begun), begun.Add(time.Minute), begun.Add(time.Minute), begun.Add(time.Hour))
	note, ok := a.Next()
	first, more := a.Next()
	if !ok || !more || !strings.HasPrefix(note.Text, "… 1 lines without") || !note.At.Equal(first.At) || note.Own {
		t.Errorf("%+v, then %+v", note, first)
	}
}
