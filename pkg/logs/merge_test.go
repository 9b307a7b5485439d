package logs

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// list is a source of lines.
type list []Line

func (s *list) Next() (l Line, ok bool) {
	if len(*s) == 0 {
		return l, false
	}
	l, *s = (*s)[0], (*s)[1:]
	return l, true
}

// Lines of one time come in the order in which their sources were added, however many there are.
func TestMergeKeepsTheOrderOfSources(t *testing.T) {
	var m Merger
	var want []string
	for i := range 20 {
		name := fmt.Sprint(i)
		m.Add(name, &list{{Text: "x", At: begun}, {Text: "y", At: begun}})
		want = append(want, name+" x", name+" y")
	}
	if got := told(&m); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// A source that has no line yet does not hold up the others; its line comes when no other has one.
func TestMergeWaitsForNobody(t *testing.T) {
	var m Merger
	var late, early list
	m.Add("late", &late)
	m.Add("early", &early)
	early = list{{Text: "2", At: begun.Add(2)}, {Text: "3", At: begun.Add(3)}}
	if name, l, ok := m.Next(); name != "early" || l.Text != "2" || !ok {
		t.Errorf("%s %+v %v", name, l, ok)
	}
	late = list{{Text: "1", At: begun.Add(1)}, {Text: "4", At: begun.Add(4)}}
	if got, want := told(&m), []string{"early 3", "late 1", "late 4"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := told(&m); got != nil {
		t.Errorf("after the end: %q", got)
	}
	late = list{{Text: "9", At: begun.Add(9)}, {Text: "5", At: begun.Add(5)}} // its order is kept, also after a rest
	if got, want := told(&m), []string{"late 9", "late 5"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A merger of nothing has no line.
func TestMergeOfNothing(t *testing.T) {
	var m Merger
	if name, l, ok := m.Next(); ok || name != "" || l != (Line{}) {
		t.Errorf("%q %+v", name, l)
	}
}

// unordered makes sources whose times go forth and back, as those of hosts whose clocks are set do.
func unordered(seed uint64) (sources [][]Line) {
	random := rand.New(rand.NewPCG(seed, 0))
	for i := range random.IntN(8) {
		var lines []Line
		for n := range random.IntN(30) {
			at := begun.Add(time.Duration(random.IntN(20)) * time.Second)
			lines = append(lines, Line{Text: fmt.Sprintf("%d.%d", i, n), At: at})
		}
		sources = append(sources, lines)
	}
	return sources
}

// Whatever the times say: no line is lost, no log's order is changed, and of the lines whose turn it is the earliest
// comes first.
func FuzzMerge(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		left := unordered(seed)
		var m Merger
		for i, lines := range left {
			m.Add(fmt.Sprint(i), (*list)(&lines))
		}
		for name, l, ok := m.Next(); ok; name, l, ok = m.Next() {
			var i int
			if _, err := fmt.Sscan(name, &i); err != nil || len(left[i]) == 0 || left[i][0] != l {
				t.Fatalf("%s has %+v, out of its turn", name, l)
			}
			for other, lines := range left {
				if len(lines) > 0 && lines[0].At.Before(l.At) {
					t.Errorf("%s has %+v, although %d has %+v", name, l, other, lines[0])
				}
			}
			left[i] = left[i][1:]
		}
		for i, lines := range left {
			if len(lines) > 0 {
				t.Errorf("%d keeps %d lines", i, len(lines))
			}
		}
	})
}
