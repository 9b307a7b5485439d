package logtee

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Who reads aside gets everything once and in order, in whole lines, however the output comes; only a line that is
// too long comes in pieces, and the last one may have no end.
func FuzzAside(f *testing.F) {
	f.Add([]byte("one\ntwo\n\nlast"), uint16(2))
	f.Add(bytes.Repeat([]byte("x"), 3*MaxLine+1), uint16(50000))
	f.Fuzz(func(t *testing.T, text []byte, size uint16) {
		var got []byte
		a := startAside(func(block []byte, missed int64) {
			if missed != 0 {
				t.Errorf("%d bytes are missing", missed)
			}
			if len(got) > 0 && got[len(got)-1] != '\n' && len(got)-1-bytes.LastIndexByte(got, '\n') < MaxLine {
				t.Errorf("a line was cut behind %q", got[max(0, len(got)-20):])
			}
			got = append(got, block...)
		})
		for b := text; len(b) > 0; {
			n := min(len(b), int(size)+1)
			a.put(b[:n])
			b = b[n:]
		}
		a.finish()
		if !bytes.Equal(got, text) {
			t.Errorf("%d bytes became %d: %q", len(text), len(got), got[:min(len(got), 100)])
		}
	})
}

// A reader that is too slow misses the oldest lines, is told how many bytes, and gets the end.
func TestAsideMissesTheOldest(t *testing.T) {
	line, end := []byte(strings.Repeat("y", 99)+"\n"), []byte("the end\n")
	release, reading := make(chan struct{}), make(chan struct{}, 1)
	var read, missed int64
	var last []byte
	a := startAside(func(block []byte, m int64) {
		select {
		case reading <- struct{}{}:
			<-release
		default:
		}
		for l := range bytes.Lines(block) {
			if !bytes.Equal(l, line) && !bytes.Equal(l, end) {
				t.Errorf("a line is %q", l)
			}
			last = append(last[:0], l...)
		}
		read, missed = read+int64(len(block)), missed+m
	})
	a.put(line)
	<-reading // it reads the first line, and goes no further
	total := int64(len(line))
	for total < 3*asideBacklog {
		piece := bytes.Repeat(line, 1000)
		a.put(piece[:len(piece)-50]) // a line in two writes
		a.put(piece[len(piece)-50:])
		total += int64(len(piece))
	}
	a.put(end)
	total += int64(len(end))
	close(release)
	a.finish()
	if missed == 0 || read+missed != total || !bytes.Equal(last, end) {
		t.Errorf("%d bytes were read, %d are missing of %d; the last line is %q", read, missed, total, last)
	}
}

// While the child runs a flood is read at a pace that leaves the processor to others; once it has gone the rest is
// read at once.
func TestAsideKeepsToItsPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times []time.Duration
		begun := time.Now()
		a := startAside(func([]byte, int64) { times = append(times, time.Since(begun)) })
		block := bytes.Repeat([]byte("x\n"), asideBacklog/8)
		pause := time.Duration(len(block)) * time.Second / asidePace
		a.put(block)
		synctest.Wait()
		a.put(block)
		time.Sleep(time.Hour)
		synctest.Wait()
		a.put(block)
		synctest.Wait()
		a.put(block)
		a.finish()
		if want := []time.Duration{0, pause, time.Hour, time.Hour}; !slices.Equal(times, want) {
			t.Errorf("blocks were read at %v, want %v", times, want)
		}
	})
}

// A slow reader holds up neither the child nor the log, which is complete.
func TestAsideHoldsUpNothing(t *testing.T) {
	log := logFile(t)
	release := make(chan struct{})
	tee, child := newTee(t, Options{Log: log, Aside: func([]byte, int64) { <-release }})
	const size = 20_000_000
	lines := bytes.Repeat([]byte(strings.Repeat("x", 99)+"\n"), size/100)
	if _, err := child.Write(lines); err != nil { // it goes through
		t.Fatal(err)
	}
	child.Close()
	<-tee.pumped
	close(release)
	if r := tee.Finish(); r != (Report{}) {
		t.Errorf("report %+v", r)
	}
	if info, err := os.Stat(log.Name()); err != nil || info.Size() != size {
		t.Errorf("the log: %v, %v", info, err)
	}
}

// Everything that was printed is read before the log counts as complete, also where the child was never started.
func TestAsideIsFinishedWithTheLog(t *testing.T) {
	var got bytes.Buffer
	tee, child := newTee(t, Options{Log: logFile(t), Aside: func(b []byte, _ int64) { got.Write(b) }})
	fmt.Fprint(child, "one\ntwo")
	child.Close()
	tee.Finish()
	if got.String() != "one\ntwo" {
		t.Errorf("read %q", got.String())
	}
	tee, child, err := New(Options{Log: logFile(t), Aside: func([]byte, int64) { t.Error("something was read") }})
	if err != nil {
		t.Fatal(err)
	}
	child.Close()
	tee.Abandon()
}

// told is what somebody who reads aside was given.
type told struct {
	blocks []string
	missed []int64
}

func (r *told) read(block []byte, missed int64) {
	r.blocks, r.missed = append(r.blocks, string(block)), append(r.missed, missed)
}

// Behind a gap the next line is the first: neither the line that had begun before, nor one that goes on behind it, is
// given out in part, however long they are. Both count as missed.
func TestAsideBehindAGap(t *testing.T) {
	type put struct {
		block  string
		missed int64
	}
	long := strings.Repeat("y", 2*MaxLine)
	for name, tt := range map[string]struct {
		puts   []put
		blocks []string
		missed []int64
	}{
		"no gap":              {[]put{{"a\nb", 0}, {"c\nd\n", 0}}, []string{"a\n", "bc\n", "d\n"}, []int64{0, 0, 0}},
		"between lines":       {[]put{{"a\n", 0}, {"b\nc\n", 5}}, []string{"a\n", "c\n"}, []int64{0, 7}},
		"in a line":           {[]put{{"a\nbe", 0}, {"b\nc\n", 5}}, []string{"a\n", "c\n"}, []int64{0, 9}},
		"nothing behind":      {[]put{{"b\n", 5}}, []string{""}, []int64{7}},
		"a line begins there": {[]put{{"b\nc", 5}, {"d\n", 0}}, []string{"", "cd\n"}, []int64{7, 0}},
		"a line goes on": {
			[]put{{"be", 5}, {"b", 0}, {"b\nc\n", 0}}, []string{"", "", "c\n"}, []int64{7, 1, 2},
		},
		"a long line goes on": {
			[]put{{long, 5}, {long + "\nc\n", 0}}, []string{"", "c\n"}, []int64{5 + 2*MaxLine, 2*MaxLine + 1},
		},
		"a gap in a line that goes on": {
			[]put{{"be", 5}, {"b\nc\n", 3}}, []string{"", "c\n"}, []int64{7, 5},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got told
			a := &aside{read: got.read}
			for _, p := range tt.puts {
				a.give([]byte(p.block), p.missed)
			}
			if !slices.Equal(got.blocks, tt.blocks) || !slices.Equal(got.missed, tt.missed) {
				t.Errorf("%.40q, missed %v; want %.40q, %v", got.blocks, got.missed, tt.blocks, tt.missed)
			}
		})
	}
}

// As much as may wait does wait; one byte more, and what waited is left out.
func TestAsideBacklog(t *testing.T) {
	a := &aside{changed: make(chan struct{}, 1)}
	a.put(make([]byte, asideBacklog-1))
	a.put([]byte("x"))
	if a.missed != 0 || len(a.waiting) != asideBacklog {
		t.Errorf("%d bytes are missed, %d wait", a.missed, len(a.waiting))
	}
	a.put([]byte("y"))
	if a.missed != asideBacklog || string(a.waiting) != "y" {
		t.Errorf("%d bytes are missed, %d wait", a.missed, len(a.waiting))
	}
	if block, missed := a.exchange(nil); string(block) != "y" || missed != asideBacklog {
		t.Errorf("%d bytes, %d are missed", len(block), missed)
	}
	if block, missed := a.exchange(nil); len(block) > 0 || missed != 0 {
		t.Errorf("told twice: %d bytes, %d are missed", len(block), missed)
	}
}

// A flood does not leave its memory behind: a large buffer is kept only while it is needed.
func TestAsideGivesMemoryBack(t *testing.T) {
	large := make([]byte, 0, 2*asideKeep)
	for name, tt := range map[string]struct {
		waits int
		kept  bool
	}{"a flood": {asideKeep, true}, "a line": {asideKeep - 1, false}} {
		a := &aside{waiting: make([]byte, tt.waits)}
		a.exchange(large)
		if kept := cap(a.waiting) == cap(large); kept != tt.kept {
			t.Errorf("%s: the buffer is kept: %v", name, kept)
		}
	}
}
