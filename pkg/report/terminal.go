package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// Progress turns what happens in a job into short lines for people. It is not safe for concurrent use.
type Progress struct {
	Out    io.Writer
	Layout roles.Layout
	Points int // that the case asks for
	Begun  time.Time
	Now    func() time.Time

	points   map[int]bool // that were shown, by index
	stopping bool
	seen     map[roles.Role]int // ranks attached
}

// Say prints one line with the time since the beginning.
func (p *Progress) Say(format string, args ...any) {
	fmt.Fprintf(p.Out, "[%7.1fs] %s\n", p.Now().Sub(p.Begun).Seconds(), Printable(fmt.Sprintf(format, args...)))
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
		metric(pt, "token_throughput", 1), metric(pt, "mean_ttft", 1), metric(pt, "mean_tpot", 2))
}

// metric is a number of a point; what the client did not report is not 0.
func metric(pt protocol.Point, name string, decimals int) string {
	v, ok := pt.Metrics[name]
	if !ok {
		return "–"
	}
	return strconv.FormatFloat(v, 'f', decimals, 64)
}

// Summary prints the verdict and the points. A point that does not count is marked, with the reason below.
func Summary(out io.Writer, r protocol.Result) {
	fmt.Fprintf(out, "\n%s: %s\n", Printable(string(r.Verdict)), Printable(r.TestID))
	if r.FirstCause != nil {
		fmt.Fprintf(out, "first cause: %s\n", Printable(r.FirstCause.String()))
	}
	points(out, r.Points)
	if r.Lost != "" {
		fmt.Fprintf(out, "lost:    %s\n", Printable(r.Lost))
	}
	if r.Regression != nil {
		Comparison(out, *r.Regression)
	}
	if r.Upload == nil {
		return
	}
	Uploads(out, *r.Upload)
	if r.Upload.Error != "" {
		fmt.Fprintf(out, "upload:  failed, the records stay pending: %s\n", Printable(r.Upload.Error))
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
func Comparison(out io.Writer, v protocol.RegressionVerdict) {
	fmt.Fprintf(out, "against earlier runs: %s: %s\n", v.Status, Printable(v.Reason))
	for _, f := range v.Findings {
		if f.Gates && f.Status != protocol.RegressionUnknown {
			fmt.Fprintf(out, "  %s\n", Printable(f.String()))
		}
	}
}

func points(out io.Writer, list []protocol.Point) {
	if len(list) == 0 {
		return
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "concurrency\trequests\toutput tok/s\ttotal tok/s\tTTFT ms\tTPOT ms\tE2EL ms\tP99 E2EL ms\t")
	for _, pt := range list {
		mark := ""
		if pt.Invalid != "" {
			mark = " *"
		}
		fmt.Fprintf(w, "%d%s\t%d\t", pt.Concurrency, mark, pt.Successful)
		for _, name := range []string{"token_throughput", "total_token_throughput"} {
			fmt.Fprintf(w, "%s\t", metric(pt, name, 1))
		}
		for _, name := range []string{"mean_ttft", "mean_tpot", "mean_e2el", "p99_e2el"} {
			fmt.Fprintf(w, "%s\t", metric(pt, name, 2))
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush()
	for _, pt := range list {
		if pt.Invalid != "" {
			fmt.Fprintf(out, "* concurrency %d does not count: %s\n", pt.Concurrency, Printable(pt.Invalid))
		}
	}
}

// Printable replaces characters that a terminal would act upon, such as those that begin an escape sequence: a child's
// output must not move the cursor, ring the bell or change the title of whoever reads about it.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return '·'
		}
		return r
	}, s)
}
