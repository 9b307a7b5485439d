package live

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/roles"
)

// shown are the lines of a block as a terminal has them.
func shown(lines []Line) (list []string) {
	for _, l := range lines {
		list = append(list, l.String())
	}
	return list
}

// measured are points of a view, one for each reason; "": it counts.
func measured(v *View, reasons ...string) {
	for i, reason := range reasons {
		v.Entry(protocol.Entry{Kind: protocol.EntryPoint, At: at(10 + i), Point: &protocol.Point{
			Index: i, Concurrency: v.plan.Case.Load.Concurrency[i], Successful: 1, Invalid: reason,
			Metrics: map[string]float64{"token_throughput": 80, "mean_ttft": 1.25, "mean_tpot": 2},
		}})
	}
}

// The first line has of its facts the ones that matter most, as far as there is room beside the name.
func TestHeader(t *testing.T) {
	v := small()
	v.plan.Case.Name = "a-name-of-more-than-sixteen"
	v.plan.Case.Settings = []roles.Setting{{Key: "x", Value: "1\x1b"}}
	for width, want := range map[int]string{
		120: "a-name-of-more-than-sixteen with x=1·   job 17   2 nodes, 8 GPUs   limit 1:00:00",
		60:  "a-name-of-more-t…   job 17   2 nodes, 8 GPUs   limit 1:00:00",
		59:  "a-name-of-more-…   job 17   2 nodes, 8 GPUs   limit 1:00:00",
		58:  "a-name-of-more-than-six…   2 nodes, 8 GPUs   limit 1:00:00",
		49:  "a-name-of-more-than-six…   job 17   limit 1:00:00",
		32:  "a-name-of-more-…   limit 1:00:00",
		31:  "a-name-of-more-than-s…   job 17",
		8:   "a-name-…",
	} {
		if got := v.header(at(0), width).String(); got != want {
			t.Errorf("%d columns: %q, want %q", width, got, want)
		}
	}
	if got := v.header(at(0), 200); got[0].Style != Strong {
		t.Error("the name is like the rest")
	}
}

// One of anything is one, of more there are several.
func TestSeveral(t *testing.T) {
	for n, want := range map[int]string{0: "0 nodes", 1: "1 node", 2: "2 nodes"} {
		if got := several(n, "node"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// A job's time runs from its attempt's first entry, and never backwards.
func TestElapsed(t *testing.T) {
	v := small()
	if got := v.elapsed(at(9)); got != "limit 1:00:00" {
		t.Error(got)
	}
	v.Entry(protocol.Entry{Seq: 1, Kind: protocol.EntryPhase, Phase: protocol.Launching, At: at(5)})
	for seconds, want := range map[int]string{9: "0:04 of 1:00:00", 0: "0:00 of 1:00:00", 4000: "1:06:35 of 1:00:00"} {
		if got := v.elapsed(at(seconds)); got != want {
			t.Errorf("%d: %s, want %s", seconds, got, want)
		}
	}
}

// What the scheduler says of a job that has not begun is said in words.
func TestQueueText(t *testing.T) {
	v := small()
	for _, step := range []struct {
		state protocol.JobState
		at    int
		want  string
	}{
		{protocol.JobState{}, 0, "it is submitted"},
		{protocol.JobState{Phase: protocol.JobQueued}, 10, "pending for 50 s"},
		{protocol.JobState{Phase: protocol.JobQueued, Reason: "why\a"}, 20, "pending for 50 s: why·"},
		{protocol.JobState{}, 30, "pending for 50 s: why·"}, // no answer is none
		{protocol.JobState{Phase: protocol.JobRunning}, 40, "it has begun; its agents are being started"},
		{protocol.JobState{Phase: protocol.JobQueued}, 55, "pending for 5 s"}, // it was requeued
		{protocol.JobState{Phase: protocol.JobQueued}, 70, "pending for 5 s"},
		{protocol.JobState{Phase: protocol.JobEnding}, 80, "it has ended"},
		{protocol.JobState{Phase: protocol.JobEnded}, 90, "it has ended"},
	} {
		v.Queue(step.state, at(step.at))
		if got := v.queueText(at(60)); got != step.want {
			t.Errorf("at %d: %q, want %q", step.at, got, step.want)
		}
	}
	v.Queue(protocol.JobState{Phase: protocol.JobQueued}, at(100))
	if got := v.queueText(at(60)); got != "pending for 0 s" {
		t.Errorf("by a clock that is behind: %q", got)
	}
}

// A cause takes three lines at most, the last of which says that there is more; it is a sign, and no colour alone.
func TestCauseLines(t *testing.T) {
	v := small()
	if v.causeLines(80) != nil {
		t.Error("there is no cause")
	}
	v.State(protocol.State{Cause: &protocol.Cause{Role: gen, Detail: strings.Repeat("word ", 40) + "\x1b"}})
	got := v.causeLines(40)
	for i, l := range got {
		if l.width() > 40 || l[0].Style != Bad || strings.Contains(l.String(), "\x1b") {
			t.Errorf("%d: %q", i, l)
		}
	}
	if len(got) != mostCause || !strings.HasPrefix(got[0].String(), "✗ GEN_0") ||
		!strings.HasSuffix(got[2].String(), "…") {
		t.Errorf("%q", shown(got))
	}
	if got := v.causeLines(1000); len(got) != 1 || strings.HasSuffix(got[0].String(), "…") {
		t.Errorf("%q", shown(got))
	}
	v.State(protocol.State{})
	if v.causeLines(80) != nil {
		t.Error("a cause that was withdrawn stays")
	}
}

// A point has as many numbers as there is room for; one that does not count has its reason, with a sign.
func TestPointLines(t *testing.T) {
	v := small()
	if v.pointLines(80) != nil {
		t.Error("nothing was measured")
	}
	measured(v, "", "1 of 2 requests failed\x1b")
	for width, want := range map[int][]string{
		80: {
			"  concurrency  output tok/s  tok/s/GPU  tok/s/user  TTFT ms  TPOT ms",
			"            4          80.0          –       500.0      1.2     2.00",
			"            8  ✗ does not count: 1 of 2 requests failed·",
		},
		27: {"  concurrency  output tok/s", "            4          80.0", "            8  ✗ does not …"},
		26: {"  concurrency", "            4", "            8  ✗ does not…"},
		6:  {"  con…", "     …", "     …"},
	} {
		if diff := cmp.Diff(want, shown(v.pointLines(width))); diff != "" {
			t.Errorf("%d columns: %s", width, diff)
		}
	}
	if l := pointLine(report.PointInfo{State: report.Invalid, Reason: "r"}, 3, 5); l[1].Style != Bad {
		t.Errorf("%v", l)
	}
}

// Of a table that does not fit the headings and the newest lines stay; headings alone are nothing.
func TestNewest(t *testing.T) {
	var table []Line
	for _, text := range []string{"head", "1", "2", "3"} {
		table = append(table, Line{{text, Plain}})
	}
	for room, want := range map[int]string{
		-1: "", 0: "", 1: "", 2: "head 3", 3: "head 2 3", 4: "head 1 2 3", 5: "head 1 2 3",
	} {
		if got := strings.Join(shown(newest(table, room)), " "); got != want {
			t.Errorf("%d: %q, want %q", room, got, want)
		}
	}
	if got := table[1].String(); got != "1" {
		t.Errorf("the table was written into: %q", got)
	}
	if got := newest(nil, 0); got != nil {
		t.Errorf("%v", got)
	}
}

// Rows that do not fit although they are folded are counted.
func TestBodyCounts(t *testing.T) {
	v := small()
	reach(v, protocol.Launching, 0)
	for room, want := range map[int]string{
		5: "CTX_0 CTX_1 GEN_0 coordinator benchmark", 4: "2 × CTX GEN_0 coordinator benchmark",
		3: "2 × CTX GEN_0 … 2 more", 2: "2 × CTX … 3 more", 1: "… 4 more", 0: "… 4 more", -2: "… 4 more",
	} {
		var names []string
		for _, l := range v.body(at(1), 80, room) {
			text := strings.TrimSpace(l.String())
			if name, _, cut := strings.Cut(text, "  "); cut {
				text = name
			}
			names = append(names, text)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%d lines: %q, want %q", room, got, want)
		}
	}
}

// Parts of a block have blanks between them while there is room; then rows and points share what there is, and the hint
// is the last line.
func TestBlockOfHeights(t *testing.T) {
	v := small()
	v.Hint = "hint"
	v.plan.Case.Load.Concurrency = []int{1, 2, 3, 4}
	reach(v, protocol.Measuring, 0)
	measured(v, "", "", "", "")
	mark := func(l string) string {
		switch {
		case l == "":
			return "_"
		case strings.HasPrefix(l, "c "):
			return "h"
		case strings.HasPrefix(l, "  concurrency"):
			return "P"
		case strings.HasPrefix(l, "            "):
			return "p"
		case l == "hint":
			return "H"
		}
		return "r"
	}
	for height, want := range map[int]string{
		30: "h_rrrrr_Ppppp_H", 16: "h_rrrrr_Ppppp_H", 15: "h_rrrrr_PppppH", 14: "h_rrrrrPppppH", 13: "hrrrrrPppppH",
		12: "hrrrrrPpppH", 11: "hrrrrPpppH", 8: "hrrrPpH", 5: "h_rH", 3: "hr", 2: "h", 1: "h",
	} {
		var got strings.Builder
		for _, l := range shown(v.Block(at(60), 80, height)) {
			got.WriteString(mark(l))
		}
		if got.String() != want {
			t.Errorf("%d lines: %s, want %s", height, got.String(), want)
		}
	}
}

// A row in which nothing can be cut further is cut: whatever the terminal, no panic and no line too wide.
func FuzzBlock(f *testing.F) {
	f.Add(80, 24, "weights", 61, "reason", int32(60))
	f.Add(1, 1, "模型\x1b", -7, "", int32(-9))
	f.Add(20, 9, "", 1000, "\u202e", int32(1<<30))
	f.Fuzz(func(t *testing.T, width, height int, what string, percent int, reason string, seconds int32) {
		if width < 1 || width > 500 || height < -5 || height > 500 {
			return
		}
		v := small()
		reach(v, protocol.Readying, 0)
		tell(v, protocol.EntryAttached, gen, 0, 0)
		tell(v, started, gen, 0, 1)
		v.Entry(protocol.Entry{Kind: progress, Role: &gen, Progress: &protocol.Progress{What: what, Percent: percent}})
		measured(v, reason)
		now := at(int(seconds))
		for _, l := range v.Block(now, width, height) {
			if l.width() > width || strings.ContainsAny(l.String(), "\x1b\n\r\a") {
				t.Errorf("%d columns: %q", width, l)
			}
		}
		if lines := v.Waits(now); len(lines) > mostWaits {
			t.Errorf("%q", lines)
		}
	})
}
