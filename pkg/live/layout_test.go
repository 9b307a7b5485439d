package live_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/live"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/test/watched"
)

// shape is a block's lines, each as a letter: head, Role, point, Cause, hint; a blank is a blank line.
func shape(block []live.Line) string {
	var out strings.Builder
	for i, l := range block {
		text := l.String()
		switch {
		case i == 0:
			out.WriteByte('h')
		case text == "":
			out.WriteByte('_')
		case strings.HasPrefix(text, "q leaves"):
			out.WriteByte('q')
		case strings.HasPrefix(text, "✗"), strings.HasSuffix(out.String(), "C"): // it takes several lines
			out.WriteByte('C')
		case strings.HasPrefix(text, "  …"):
			out.WriteByte('+')
		case strings.HasPrefix(text, "  concurrency"):
			out.WriteByte('t')
		case strings.HasPrefix(text, "    "):
			out.WriteByte('p')
		default:
			out.WriteByte('R')
		}
	}
	return out.String()
}

// Where there is little room the blank lines go first, then the first of the points, then the last of the roles; what
// is watched and the first cause stay, and the newest point as long as there is a line for it.
func TestWhatIsLeftOut(t *testing.T) {
	measuring, failed := scenarios(t)["measuring"], scenarios(t)["failed"]
	for _, tt := range []struct {
		job    *watched.Job
		at     float64
		height int
		want   string
	}{
		{measuring.job, measuring.at, 30, "h_RRRR_tppp_q"},
		{measuring.job, measuring.at, 14, "h_RRRR_tppp_q"},
		{measuring.job, measuring.at, 13, "h_RRRR_tpppq"},
		{measuring.job, measuring.at, 12, "h_RRRRtpppq"},
		{measuring.job, measuring.at, 11, "hRRRRtpppq"},
		{measuring.job, measuring.at, 10, "hRRRRtppq"},
		{measuring.job, measuring.at, 9, "hRR+tppq"},
		{failed.job, failed.at, 30, "h_RRRR_CCC_q"},
		{failed.job, failed.at, 10, "hRRRRCCCq"},
		{failed.job, failed.at, 9, "hRR+CCCq"},
		{failed.job, failed.at, 7, "h+CCCq"},
		{failed.job, failed.at, 3, "h+"},
		{failed.job, failed.at, 1, "h"},
	} {
		if got := shape(view(tt.job).Block(tt.job.At(tt.at), 70, tt.height)); got != tt.want {
			t.Errorf("in %d lines: %s, want %s", tt.height, got, tt.want)
		}
	}
}

// The newest points are kept, below their headings.
func TestNewestPointsAreKept(t *testing.T) {
	s := scenarios(t)["measuring"]
	got := text(view(s.job).Block(s.job.At(s.at), 80, 10))
	if !strings.Contains(got, "concurrency") || !strings.Contains(got, "  64  ✗") || strings.Contains(got, "   4   ") {
		t.Error(got)
	}
}

// Roles that do not fit are counted.
func TestMoreRoles(t *testing.T) {
	j := newJob(t, roles.Server{Count: 1, GPUs: 8}, roles.Server{Count: 1, GPUs: 8})
	j.Load()
	if got := text(view(j).Block(j.At(50), 80, 6)); !strings.Contains(got, "\n  … 2 more\n") {
		t.Error(got) // two of four roles, and this line
	}
}

// The head tells as much as fits, the time first, and cuts the case's name last.
func TestHead(t *testing.T) {
	s := scenarios(t)["loading"]
	for _, tt := range []struct {
		width int
		want  string
	}{
		{120, "gb200_dsr1-fp4_1k1k_con2048_ctx1_tp8_gen1_dep48_eplb0_mtp0_ccb-NIXL   job 4459   14 nodes, 56 GPUs   " +
			"11:02 of 2:00:00"},
		{66, "gb200_dsr1-fp4_…   job 4459   14 nodes, 56 GPUs   11:02 of 2:00:00"},
		{65, "gb200_dsr1-fp4_1k1k_con20…   14 nodes, 56 GPUs   11:02 of 2:00:00"},
		{35, "gb200_dsr1-fp4_…   11:02 of 2:00:00"},
		{34, "gb200_dsr1-fp4_1k1k_co…   job 4459"}, // the time does not fit
		{16, "gb200_dsr1-fp4_…"},
		{5, "gb20…"},
	} {
		got := view(s.job).Block(s.job.At(s.at), tt.width, 24)[0].String()
		if got != tt.want {
			t.Errorf("in %d columns: %q, want %q", tt.width, got, tt.want)
		}
	}
}

// A cause that takes too many lines is cut, and shows that it is.
func TestLongCause(t *testing.T) {
	j := newJob(t)
	j.Load()
	j.Fail(roles.Task{Role: gen0}, strings.Repeat("because ", 60)+"\x1b[2J", 100)
	var lines []string
	for _, l := range view(j).Block(j.At(101), 80, 24) {
		if s := l.String(); strings.Contains(s, "because") {
			lines = append(lines, s)
		}
	}
	if len(lines) != 3 || !strings.HasSuffix(lines[2], "…") || strings.HasSuffix(lines[1], "…") {
		t.Errorf("%q", lines)
	}
}

// The columns of points are as many as fit. A metric that was not measured is no 0.
func TestColumnsOfPoints(t *testing.T) {
	j := newJob(t)
	j.Load()
	j.Measure(10)
	v := view(j)
	v.Entry(protocol.Entry{Kind: protocol.EntryPoint, Point: &protocol.Point{
		Concurrency: 4, Metrics: map[string]float64{"token_throughput": 480, "mean_tpot": 8.126},
	}})
	headings := []string{"output tok/s", "tok/s/GPU", "tok/s/user", "TTFT ms", "TPOT ms"}
	width := len("  concurrency")
	for n := range headings {
		width += len("  " + headings[n])
		for less, want := range []string{strings.Join(headings[:n+1], "  "), strings.Join(headings[:n], "  ")} {
			want = strings.TrimSuffix("  concurrency  "+want, "  ")
			if got := text(v.Block(j.At(20), width-less, 24)); !strings.Contains(got, "\n"+want+"\n") {
				t.Errorf("no %q in %d columns:\n%s", want, width-less, got)
			}
		}
	}
	want := fmt.Sprintf("\n  %11d  %12s  %9s  %10s  %7s  %7s\n", 4, "480.0", "8.6", "123.1", "–", "8.13")
	if got := text(v.Block(j.At(20), 80, 24)); !strings.Contains(got, want) {
		t.Errorf("no %q in\n%s", want, got)
	}
}

// A point that was measured again takes the place of the one before, in the order of the case's list.
func TestPointMeasuredAgain(t *testing.T) {
	j := newJob(t)
	j.Load()
	j.Measure(10)
	v := view(j)
	for _, p := range []protocol.Point{
		{Index: 1, Concurrency: 16, Invalid: "away"}, {Index: 0, Concurrency: 4, Metrics: map[string]float64{"x": 1}},
		{Index: 1, Concurrency: 16, Metrics: map[string]float64{"token_throughput": 7}},
	} {
		v.Entry(protocol.Entry{Kind: protocol.EntryPoint, Point: &p})
	}
	got := text(v.Block(j.At(20), 80, 24))
	if strings.Contains(got, "away") || !strings.Contains(got, "point 3 of 6") ||
		strings.Index(got, "\n            4  ") > strings.Index(got, "\n           16  ") {
		t.Error(got)
	}
}

// Servers are waited for in a line each, up to a few; the coordinator only while nothing before it loads, and a long
// list of roles is cut.
func TestWhoIsWaitedFor(t *testing.T) {
	many := newJob(t, roles.Server{Count: 12, GPUs: 4}, roles.Server{Count: 16, GPUs: 1})
	many.Phase(protocol.Launching, 0)
	want := []string{"waiting for 5 s for agents: CTX_0, CTX_1, CTX_2, CTX_3, 26 more"}
	if diff := cmp.Diff(want, view(many).Waits(many.At(5))); diff != "" {
		t.Error(diff)
	}
	server := roles.Task{Role: roles.Role{Kind: roles.Coordinator}}
	j := newJob(t)
	j.Load()
	j.Event(protocol.EntryKind(protocol.EventStarted), server, "", 3)
	if got := view(j).Waits(j.At(63)); len(got) != 2 {
		t.Errorf("%q, want the two that load before the coordinator", got)
	}
	j.Ready(ctx0, 10)
	j.Ready(gen0, 10)
	if diff := cmp.Diff([]string{"coordinator is loading for 1 min"}, view(j).Waits(j.At(63))); diff != "" {
		t.Error(diff)
	}
	four := newJob(t, roles.Server{Count: 2, GPUs: 4}, roles.Server{Count: 2, GPUs: 4})
	four.Load()
	if got := view(four).Waits(four.At(63)); len(got) != 4 {
		t.Errorf("%q, want a line each", got)
	}
}
