package live_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/live"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/test/watched"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var (
	gen0, ctx0 = roles.Role{Kind: roles.Gen}, roles.Role{Kind: roles.Ctx}
	begin      = time.Date(2026, 11, 26, 11, 17, 18, 0, time.UTC)
)

// newJob is a job on 14 nodes, unless servers say otherwise.
func newJob(t *testing.T, servers ...roles.Server) *watched.Job {
	t.Helper()
	if servers == nil {
		servers = []roles.Server{{Count: 1, GPUs: 8}, {Count: 1, GPUs: 48}}
	}
	j, err := watched.New(t.TempDir(), begin, servers[0], servers[1], 4, 16, 64, 256, 1024, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// view is what is known of a job to one who has read all that its hub has told.
func view(j *watched.Job) *live.View {
	v := live.New(j.Plan, "4459")
	v.Hint = "q leaves; the job goes on"
	for _, e := range j.Entries {
		v.Entry(e)
	}
	if len(j.Entries) > 0 {
		v.State(j.State)
	}
	return v
}

// text is a block as a terminal shows it.
func text(block []live.Line) string {
	var lines []string
	for _, l := range block {
		lines = append(lines, l.String()+"\n")
	}
	return strings.Join(lines, "")
}

// scenarios are jobs at a moment, in seconds after their begin.
func scenarios(t *testing.T) map[string]struct {
	job *watched.Job
	at  float64
} {
	t.Helper()
	loading := newJob(t)
	loading.Load()
	loading.Ready(ctx0, 584)
	loading.Progress(gen0, "weights", 61, 660)

	measuring := newJob(t)
	measuring.Load()
	measuring.Ready(ctx0, 584)
	measuring.Ready(gen0, 900)
	server := roles.Role{Kind: roles.Coordinator}
	measuring.Event(protocol.EntryKind(protocol.EventStarted), roles.Task{Role: server}, "", 901)
	measuring.Ready(server, 902)
	measuring.Measure(902)
	for i, invalid := range []string{"", "", "3 of 512 requests failed"} {
		measuring.Point(i, invalid, 960+60*float64(i))
	}

	failed := newJob(t)
	failed.Load()
	failed.Progress(gen0, "weights", 61, 660)
	failed.Fail(roles.Task{Role: gen0, Rank: 13}, "exited with code 1: torch.OutOfMemoryError: CUDA out of memory. "+
		"Tried to allocate 10.50 GiB. GPU 2 has a total capacity of 184.00 GiB of which 7.02 GiB is free", 662)

	many := newJob(t, roles.Server{Count: 12, GPUs: 4}, roles.Server{Count: 16, GPUs: 1})
	many.Load()
	for i := range 12 {
		many.Progress(roles.Role{Kind: roles.Ctx, Index: i}, "weights", 30+5*i, 100+float64(i))
	}
	for i := range 16 {
		many.Ready(roles.Role{Kind: roles.Gen, Index: i}, 60+float64(i))
	}
	return map[string]struct {
		job *watched.Job
		at  float64
	}{"loading": {loading, 662}, "measuring": {measuring, 1200}, "failed": {failed, 663}, "many": {many, 115}}
}

var sizes = []struct{ width, height int }{{80, 24}, {200, 60}, {40, 15}}

// The block is what people have looked at.
func TestGolden(t *testing.T) {
	for name, s := range scenarios(t) {
		for _, size := range sizes {
			got := text(view(s.job).Block(s.job.At(s.at), size.width, size.height))
			file := filepath.Join("testdata", fmt.Sprintf("%s-%dx%d.txt", name, size.width, size.height))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v: make it with -update", err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s differs; if that is right: go test ./pkg/live -update\n%s", file, diff)
			}
		}
	}
}

// The page about watching shows what is drawn.
func TestPageIsTrue(t *testing.T) {
	page, err := os.ReadFile("../../docs/howto/watch.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"loading-80x24.txt", "measuring-80x24.txt"} {
		want, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(page), "\n```text\n"+string(want)+"```\n") {
			t.Errorf("docs/howto/watch.md does not show testdata/%s", name)
		}
	}
}

// Whatever the size of a terminal, the block fits, and has at least what is watched.
func TestBlockFits(t *testing.T) {
	for name, s := range scenarios(t) {
		v := view(s.job)
		for width := 1; width <= 220; width += 9 {
			for height := 1; height <= 60; height += 5 {
				block := v.Block(s.job.At(s.at), width, height)
				if len(block) == 0 || len(block) > max(height-1, 1) {
					t.Fatalf("%s: %d lines in %dx%d", name, len(block), width, height)
				}
				for _, l := range block {
					if w := ansi.StringWidth(l.String()); w > width {
						t.Fatalf("%s: %d columns in %dx%d: %q", name, w, width, height, l)
					}
				}
			}
		}
	}
}

// 64 ranks on 16 hosts fit into 24 lines, and no rank is left out.
func TestManyRanksFit(t *testing.T) {
	s := scenarios(t)["many"]
	got := text(view(s.job).Block(s.job.At(s.at), 80, 24))
	for _, want := range []string{"12 × CTX", "48/48", "16 × GEN", "16/16", "weights 30 %"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// A cause is there at once, at every size at which anything is, with a sign that is no colour.
func TestCauseIsShown(t *testing.T) {
	s := scenarios(t)["failed"]
	for height := 6; height < 40; height++ {
		if got := text(view(s.job).Block(s.job.At(s.at), 80, height)); !strings.Contains(got, "✗ GEN_0.13 on n04: ") {
			t.Errorf("at %d lines:\n%s", height, got)
		}
	}
}

// Of a job that has not begun the scheduler's word is shown, with its reason.
func TestQueue(t *testing.T) {
	j := newJob(t)
	v := live.New(j.Plan, "4459")
	look := func(want string) {
		t.Helper()
		if got := text(v.Block(j.At(200), 80, 24)); !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	look("limit 2:00:00")
	look("it is submitted")
	v.Queue(protocol.JobState{Phase: protocol.JobQueued, Word: "PENDING"}, j.At(10))
	v.Queue(protocol.JobState{Phase: protocol.JobQueued, Reason: "it waits for 14 nodes\x1b[2J"}, j.At(20))
	v.Queue(protocol.JobState{}, j.At(30)) // no answer
	look("pending for 3 min: it waits for 14 nodes·[2J")
	want := []string{"job 4459 is pending for 3 min: it waits for 14 nodes·[2J"}
	if diff := cmp.Diff(want, v.Waits(j.At(200))); diff != "" {
		t.Error(diff)
	}
	v.Queue(protocol.JobState{Phase: protocol.JobRunning}, j.At(100))
	look("it has begun; its agents are being started")
	v.Queue(protocol.JobState{Phase: protocol.JobEnding}, j.At(100))
	look("it has ended")
	if got := v.Waits(j.At(200)); got != nil {
		t.Errorf("%q", got)
	}
}

// What a job waits for is said in a line each.
func TestWaits(t *testing.T) {
	arriving := newJob(t)
	arriving.Phase(protocol.Launching, 0)
	arriving.Each(protocol.EntryAttached, 1, roles.Gen, roles.Benchmark)
	checking := newJob(t)
	checking.Phase(protocol.Checking, 0)
	silent := newJob(t)
	silent.Load()
	tests := map[string]struct {
		job  *watched.Job
		at   float64
		want []string
	}{
		"agents":             {arriving, 130, []string{"waiting for 2 min for agents: CTX_0, coordinator"}},
		"hosts are checked":  {checking, 5, nil},
		"nothing is known":   {newJob(t), 5, nil},
		"loading in silence": {silent, 63, []string{"CTX_0 is loading for 1 min", "GEN_0 is loading for 1 min"}},
		"a server that loads": {
			scenarios(t)["loading"].job, 662,
			[]string{"GEN_0 is loading for 10 min: weights 61 %, last line 2 s ago"},
		},
		"many": {
			scenarios(t)["many"].job, 115,
			[]string{"12 × CTX are loading for up to 1 min: weights 30 %, last line 15 s ago"},
		},
		"the benchmark": {scenarios(t)["measuring"].job, 1200, []string{"the benchmark runs for 4 min: point 4 of 6"}},
		"the end": {
			scenarios(t)["failed"].job, 670, []string{"stopping for 8 s: CTX_0, GEN_0, coordinator, benchmark"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, view(tt.job).Waits(tt.job.At(tt.at))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Another attempt starts over; another measurement has points of its own; a lost rank is seen.
func TestAgain(t *testing.T) {
	j := scenarios(t)["measuring"].job
	v := view(j)
	v.Entry(protocol.Entry{Kind: protocol.EntryAgain, At: j.At(1201)})
	got := text(v.Block(j.At(1201), 80, 24))
	if !strings.Contains(got, "point 1 of 6") || strings.Contains(got, "TTFT") {
		t.Errorf("another measurement:\n%s", got)
	}
	v.Entry(protocol.Entry{Kind: protocol.EntryLost, Role: &gen0, Rank: 5, At: j.At(1202)})
	if got := text(v.Block(j.At(1202), 80, 24)); !strings.Contains(got, "47/48") {
		t.Errorf("a lost rank:\n%s", got)
	}
	v.Entry(protocol.Entry{Seq: 1, Kind: protocol.EntryPhase, Phase: protocol.Launching, At: j.At(1300)})
	if got := text(v.Block(j.At(1301), 80, 24)); !strings.Contains(got, "0/48 ranks  absent") ||
		!strings.Contains(got, "0:01 of 2:00:00") {
		t.Errorf("another attempt:\n%s", got)
	}
}

// An agent that arrives before the first phase is told, as the hub's own does, is there.
func TestFirstAgent(t *testing.T) {
	j := newJob(t)
	j.Each(protocol.EntryAttached, 1, roles.Benchmark)
	j.Phase(protocol.Launching, 2)
	if got := text(view(j).Block(j.At(3), 80, 24)); !strings.Contains(got, "benchmark     1/1") {
		t.Error(got)
	}
}

// Entries that no role of the plan has, or that lack what they should have, change nothing.
func TestStrangeEntries(t *testing.T) {
	j := scenarios(t)["loading"].job
	v := view(j)
	before := text(v.Block(j.At(662), 200, 60))
	strange := roles.Role{Kind: roles.Gen, Index: 7}
	for _, e := range []protocol.Entry{
		{Kind: protocol.EntryAttached}, {Kind: protocol.EntryPoint}, {Kind: protocol.EntryKind(protocol.EventProgress)},
		{Kind: protocol.EntryKind(protocol.EventProgress), Role: &gen0},
		{Kind: protocol.EntryAttached, Role: &strange}, {Kind: protocol.EntryLost, Role: &gen0, Rank: 48},
		{Kind: protocol.EntryLost, Role: &gen0, Rank: -1},
	} {
		v.Entry(e)
	}
	v.State(protocol.State{Roles: []protocol.RoleState{{Role: strange, Progress: &protocol.Progress{Percent: 3}}}})
	if diff := cmp.Diff(before, text(v.Block(j.At(662), 200, 60))); diff != "" {
		t.Error(diff)
	}
}

// A clock that is behind the hub's makes no time negative.
func TestClockBehind(t *testing.T) {
	s := scenarios(t)["loading"]
	got := text(view(s.job).Block(s.job.At(-1000), 200, 60))
	if !strings.Contains(got, "9:44 of 2:00:00") || !strings.Contains(got, "last line 0 s ago") {
		t.Error(got)
	}
}

// How much it costs to draw a block of 64 ranks.
func BenchmarkBlock(b *testing.B) {
	j, err := watched.New(b.TempDir(), begin, roles.Server{Count: 4, GPUs: 4}, roles.Server{Count: 3, GPUs: 16}, 4, 16)
	if err != nil {
		b.Fatal(err)
	}
	j.Load()
	v := view(j)
	for b.Loop() {
		v.Block(j.At(60), 80, 24)
	}
}
