package launch

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/disagg/disagg/pkg/hub"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

// Progress turns what happens in a job into short lines for people.
type Progress struct {
	Out    io.Writer
	Plan   roles.Plan
	Begun  time.Time
	points int

	stopping bool
	seen     map[roles.Role]int // ranks attached
}

// Say prints one line with the time since the beginning.
func (p *Progress) Say(format string, args ...any) {
	fmt.Fprintf(p.Out, "[%7.1fs] %s\n", time.Since(p.Begun).Seconds(), fmt.Sprintf(format, args...))
}

// Tell prints what is worth a line.
func (p *Progress) Tell(e hub.Entry) {
	switch e.Kind {
	case "attached":
		p.attached(*e.Role)
	case "ready":
		p.Say("%s is ready", e.Role)
	case "phase":
		p.phase(e.Phase)
	case "point":
		p.point(*e.Point)
	case "exited":
		if e.Role.Kind != roles.Benchmark && !p.stopping {
			p.Say("%s.%d ended: %s", e.Role, e.Rank, e.Detail)
		}
	case "preflight":
		if e.Detail != "" {
			p.Say("%s.%d: %s", e.Role, e.Rank, e.Detail)
		}
	case "lost", "leaving", "step_failed", "unhealthy", "stalled", "unreachable":
		p.Say("%s.%d: %s %s", e.Role, e.Rank, e.Kind, e.Detail)
	case "verdict", "upload":
		p.Say("%s: %s", e.Kind, e.Detail)
	}
}

func (p *Progress) attached(r roles.Role) {
	if p.seen == nil {
		p.seen = map[roles.Role]int{}
	}
	p.seen[r]++
	if pl, ok := p.Plan.Layout.Find(r); ok && p.seen[r] == pl.Ranks {
		p.Say("%s: %d of %d ranks arrived", r, pl.Ranks, pl.Ranks)
	}
}

func (p *Progress) phase(ph hub.Phase) {
	switch ph {
	case hub.Looking:
		p.Say("all %d ranks arrived; looking at the hosts", p.Plan.Layout.Tasks())
	case hub.Readying:
		p.Say("servers are loading")
	case hub.Measuring:
		p.Say("all servers are ready; the benchmark runs")
	case hub.Stopping:
		p.stopping = true
		p.Say("stopping every role")
	}
}

func (p *Progress) point(pt results.Point) {
	p.points++
	line := fmt.Sprintf("point %d of %d: concurrency %d", p.points, len(p.Plan.Case.Load.Concurrency), pt.Concurrency)
	if pt.Invalid != "" {
		p.Say("%s does not count: %s", line, pt.Invalid)
		return
	}
	m := pt.Metrics
	p.Say("%s: %.1f output tok/s, TTFT %.1f ms, TPOT %.2f ms", line, m["token_throughput"], m["mean_ttft"], m["mean_tpot"])
}

// Summary prints the verdict, the points and where everything is.
func Summary(out io.Writer, d roles.RunDir, r results.Result) {
	fmt.Fprintf(out, "\n%s: %s\n", r.Verdict, r.TestID)
	if r.FirstCause != nil {
		fmt.Fprintf(out, "first cause: %s\n", r.FirstCause)
	}
	if len(r.Points) > 0 {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(w, "concurrency\trequests\toutput tok/s\ttotal tok/s\tTTFT ms\tTPOT ms\tE2EL ms\tP99 E2EL ms\t")
		for _, pt := range r.Points {
			m := pt.Metrics
			fmt.Fprintf(w, "%d\t%d\t%.1f\t%.1f\t%.2f\t%.2f\t%.2f\t%.2f\t\n", pt.Concurrency, pt.Successful,
				m["token_throughput"], m["total_token_throughput"], m["mean_ttft"], m["mean_tpot"], m["mean_e2el"], m["p99_e2el"])
		}
		_ = w.Flush()
	}
	a := CurrentAttempt(d)
	fmt.Fprintf(out, "report:  %s\nlogs:    %s\n", a.Report(), a.Logs())
	if u := r.Upload; u != nil {
		fmt.Fprintf(out, "records: %s (%d sent, %d pending)\n", u.URL, u.Sent, u.Pending)
		if u.Error != "" {
			fmt.Fprintf(out, "upload:  failed, the records stay pending: %s\n", u.Error)
		}
	}
}
