package report

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// Progress turns what happens in a job into short lines for people. It is not safe for concurrent use.
type Progress struct {
	Out    io.Writer
	Layout roles.Layout
	Points int  // that the case asks for
	Keeps  bool // servers may stay when the benchmark is over
	Begun  time.Time
	Now    func() time.Time
	Said   time.Time // when the last line was printed

	points   map[int]bool // that were shown, by index
	stopping bool
	seen     map[roles.Role]int // ranks attached
}

// Say prints one line with the time since the beginning.
func (p *Progress) Say(format string, args ...any) {
	p.Said = p.Now()
	fmt.Fprintf(p.Out, "[%8s] %s\n", since(p.Said.Sub(p.Begun)), Printable(fmt.Sprintf(format, args...)))
}

// since is a time since the beginning: to a tenth of a second at first, when much happens, and then as clocks show it.
func since(d time.Duration) string {
	s := int(d.Seconds())
	switch {
	case s < 100:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case s < 3600:
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

// Show prints what is worth a line of a journal entry.
func (p *Progress) Show(e protocol.Entry) {
	who := ""
	if e.Role != nil {
		who = roles.Task{Role: *e.Role, Rank: e.Rank}.String()
	}
	switch e.Kind {
	case protocol.EntryAttached:
		p.attached(e)
	case protocol.EntryKind(protocol.EventReady):
		p.Say("%s is ready", e.Role)
	case protocol.EntryPhase:
		p.phase(e.Phase)
	case protocol.EntryPoint:
		if e.Point != nil {
			p.point(*e.Point)
		}
	case protocol.EntryKind(protocol.EventExited):
		asked := p.stopping || strings.HasPrefix(e.Detail, protocol.StoppedDetail)
		if e.Role != nil && e.Role.Kind != roles.Benchmark && !asked {
			p.Say("%s ended: %s", who, e.Detail)
		}
	case protocol.EntryKind(protocol.EventPreflight):
		if e.Detail != "" {
			p.Say("%s: %s", who, e.Detail)
		}
	case protocol.EntryVerdict, protocol.EntryUpload:
		p.Say("%s: %s", e.Kind, e.Detail)
	case protocol.EntryAgain:
		p.points = nil
		p.Say("%s", e.Detail)
	case protocol.EntryStepTimes:
		p.Say("step time of decode: %s", e.Detail)
	case protocol.EntryGPUUse:
		p.Say("use of GPUs: %s", e.Detail)
	case protocol.EntryStep:
		p.Say("the step of %s: %s", e.Role, e.Detail)
	case protocol.EntryDropped:
		p.Say("%s", e.Detail)
	case protocol.EntryLost, protocol.EntryStepFailed, protocol.EntryKind(protocol.EventLeaving),
		protocol.EntryKind(protocol.EventUnhealthy), protocol.EntryKind(protocol.EventStalled),
		protocol.EntryKind(protocol.EventUnreachable), protocol.EntryKind(protocol.EventDiskStuck),
		protocol.EntryKind(protocol.EventDiskBack):
		p.Say("%s: %s: %s", who, strings.ReplaceAll(string(e.Kind), "_", " "), e.Detail)
	}
}

// Restart begins to tell of another job, which is the same one tried again.
func (p *Progress) Restart(l roles.Layout) {
	p.Layout, p.points, p.seen, p.stopping = l, nil, nil, false
}

func (p *Progress) attached(e protocol.Entry) {
	if e.Role == nil {
		return
	}
	if p.seen == nil {
		p.seen = map[roles.Role]int{}
	}
	p.seen[*e.Role]++
	if pl, ok := p.Layout.Find(*e.Role); ok && p.seen[*e.Role] == pl.Ranks {
		p.Say("%s: %d of %d ranks arrived", e.Role, pl.Ranks, pl.Ranks)
	}
}

func (p *Progress) phase(ph protocol.Phase) {
	switch ph {
	case protocol.Launching: // of a requeued job, once more
		p.points, p.seen, p.stopping = nil, nil, false
	case protocol.Checking:
		p.Say("all %d ranks arrived; checking the hosts", p.Layout.Tasks())
	case protocol.Readying:
		p.Say("servers are loading")
	case protocol.Measuring:
		p.Say("all servers are ready; the benchmark runs")
	case protocol.Stopping:
		p.stopping = true
		if p.Keeps {
			p.Say("the measurement is over; servers that are kept stay")
			return
		}
		p.Say("stopping every role")
	}
}

func (p *Progress) point(pt protocol.Point) {
	if p.points == nil {
		p.points = map[int]bool{}
	}
	p.points[pt.Index] = true
	line := fmt.Sprintf("point %d of %d: concurrency %d", len(p.points), p.Points, pt.Concurrency)
	if pt.Invalid != "" {
		p.Say("%s does not count: %s", line, pt.Invalid)
		return
	}
	p.Say("%s: %s output tok/s, TTFT %s ms, TPOT %s ms", line,
		decimal(pt.Metrics, throughput, 1), decimal(pt.Metrics, "mean_ttft", 1), decimal(pt.Metrics, "mean_tpot", 2))
}

// decimal is a number of a point; what the client did not report is not 0.
func decimal(values map[string]float64, name string, decimals int) string {
	v, ok := values[name]
	if !ok {
		return "–"
	}
	return strconv.FormatFloat(v, 'f', decimals, 64)
}

// Summary prints the verdict, the failure and the points. A point that does not count is marked, with the reason below.
func Summary(out io.Writer, m Model) { Screen{}.Summary(out, m) }

// Summary prints the verdict, the failure and the points, as they fit the screen.
func (s Screen) Summary(out io.Writer, m Model) {
	fmt.Fprintf(out, "\n%s: %s\n", m.Run.Ending(), m.Run.Title())
	for _, line := range s.Failure(m) {
		fmt.Fprintln(out, line)
	}
	points(out, m.Points)
	for _, again := range m.Again {
		fmt.Fprintf(out, "measurement %d, on the same servers:\n", again.Number)
		points(out, again.Points)
	}
	if b := m.Best; b != nil && len(m.Points) > 1 {
		fmt.Fprintf(out, "best:    %s output tok/s/GPU at concurrency %d (%s)\n", figure(b.TokPerGPU), b.Concurrency,
			m.Setup.gpus())
	}
	if text := m.gpuUse(); text != "" {
		fmt.Fprintf(out, "GPUs:    %s\n", text)
	}
	if m.Lost != "" {
		fmt.Fprintf(out, "lost:    %s\n", m.Lost)
	}
	if m.Regression != nil {
		comparison(out, *m.Regression)
	}
	if m.Upload == nil {
		return
	}
	Uploads(out, *m.Upload)
	if m.Upload.Error != "" {
		fmt.Fprintf(out, "upload:  failed, the records stay pending: %s\n", m.Upload.Error)
	}
}

// Uploads prints what was sent to each sink, but for what the submitting side is still to send.
func Uploads(out io.Writer, r protocol.UploadReport) {
	for _, u := range r.Each() {
		if u.Local || u.Sent+u.Pending+u.Dead == 0 {
			continue
		}
		dead := ""
		if u.Dead > 0 {
			dead = fmt.Sprintf(", %d refused", u.Dead)
		}
		fmt.Fprintf(out, "records: %s (%d sent, %d pending%s)\n", Printable(u.URL), u.Sent, u.Pending, dead)
	}
}

// Comparison prints what a comparison with earlier runs says: the verdict, then what gates and can be told.
func Comparison(out io.Writer, v protocol.RegressionVerdict) { comparison(out, *JudgementOf(v)) }

func comparison(out io.Writer, j Judgement) {
	fmt.Fprintf(out, "against earlier runs: %s: %s\n", Printable(j.Status), Printable(j.Reason))
	for _, f := range j.Findings {
		if f.Gates && f.Status != statusUnknown {
			fmt.Fprintf(out, "  %s\n", Printable(f.Text))
		}
	}
}

// summaryColumns are the numbers of the summary, with their decimals: what fits into a line of a terminal.
var summaryColumns = []struct {
	heading, name string
	decimals      int
}{
	{"output tok/s", throughput, 1}, {"tok/s/GPU", tokPerGPU, 1}, {"tok/s/user", tokPerUser, 1},
	{"total tok/s", "total_token_throughput", 1},
	{"TTFT ms", "mean_ttft", 2}, {"TPOT ms", "mean_tpot", 2}, {"E2EL ms", "mean_e2el", 2},
	{"P99 E2EL ms", "p99_e2el", 2},
}

// points is the table of the points that were measured.
func points(out io.Writer, list []PointInfo) {
	list = slices.DeleteFunc(slices.Clone(list), func(p PointInfo) bool { return p.State == NotRun })
	if len(list) == 0 {
		return
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "concurrency\trequests\t")
	for _, c := range summaryColumns {
		fmt.Fprintf(w, "%s\t", c.heading)
	}
	fmt.Fprintln(w)
	for _, p := range list {
		mark := ""
		if p.State == Invalid {
			mark = " *"
		}
		fmt.Fprintf(w, "%d%s\t%d\t", p.Concurrency, mark, p.Successful)
		for _, c := range summaryColumns {
			fmt.Fprintf(w, "%s\t", decimal(p.Values, c.name, c.decimals))
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush()
	for _, p := range list {
		if p.State == Invalid {
			fmt.Fprintf(out, "* concurrency %d does not count: %s\n", p.Concurrency, p.Reason)
		}
	}
}
