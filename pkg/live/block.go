package live

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/roles"
)

// mostCause is how many lines the first cause may take.
const mostCause = 3

// Block is the block for a terminal of so many columns and lines. It has one line less: the cursor stands below it.
func (v *View) Block(now time.Time, width, height int) []Line {
	now = v.by(now)
	head, cause, hint := v.header(now, width), v.causeLines(width), Line{{v.Hint, Faint}}.cut(width)
	room := max(height-1-1-len(cause)-1, 1) // without head and hint
	points := v.pointLines(width)
	body := v.body(now, width, room-min(len(points), room/2))
	points = newest(points, room-len(body))
	blanks := room - len(body) - len(points)
	lines := []Line{head}
	add := func(part []Line) {
		if len(part) == 0 {
			return
		}
		if blanks > 0 {
			lines, blanks = append(lines, nil), blanks-1
		}
		lines = append(lines, part...)
	}
	add(body)
	add(points)
	add(cause)
	add([]Line{hint})
	return lines[:min(len(lines), max(height-1, 1))]
}

// header tells what is watched.
func (v *View) header(now time.Time, width int) Line {
	l := v.plan.Layout
	facts := []string{ // what matters most first
		v.elapsed(now), several(l.TotalNodes, "node") + ", " + several(l.TotalGPUs(), "GPU"), "job " + v.job,
	}
	rest := ""
	const least = 16 // columns of the case's name
	for _, f := range facts {
		if with := "   " + f + rest; least+ansi.StringWidth(with) <= width {
			rest = with
		}
	}
	title := report.Printable(roles.Title(v.plan.Case.Name, v.plan.Case.Settings))
	title = ansi.Truncate(title, max(width-ansi.StringWidth(rest), least), "…")
	return Line{{title, Strong}, {rest, Plain}}.cut(width)
}

// elapsed is how much of its time the job has used.
func (v *View) elapsed(now time.Time) string {
	if v.phase == "" {
		return "limit " + clock(v.plan.JobTime())
	}
	return fmt.Sprintf("%s of %s", clock(max(now.Sub(v.launched), 0)), clock(v.plan.JobTime()))
}

func several(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// body tells of the roles, or of the queue while there are none.
func (v *View) body(now time.Time, width, room int) []Line {
	if v.phase == "" {
		return []Line{Line{{gap, Plain}, {v.queueText(now), Busy}}.cut(width)}
	}
	lines := table(v.rows(now, room), width)
	if more := len(lines) - max(room, 1); more > 0 {
		lines = append(lines[:max(room, 1)-1], Line{{fmt.Sprintf("  … %d more", more+1), Faint}}.cut(width))
	}
	return lines
}

// queueText tells of a job that has not begun.
func (v *View) queueText(now time.Time) string {
	switch v.queue.Phase {
	case protocol.JobQueued:
		text := "pending for " + span(max(now.Sub(v.queued), 0))
		if v.queue.Reason != "" {
			text += ": " + report.Printable(v.queue.Reason)
		}
		return text
	case protocol.JobRunning:
		return "it has begun; its agents are being started"
	case protocol.JobEnding, protocol.JobEnded:
		return "it has ended"
	}
	return "it is submitted"
}

// causeLines are the first cause, once it is known.
func (v *View) causeLines(width int) (lines []Line) {
	if v.cause == nil {
		return nil
	}
	text := "✗ " + report.Printable(v.cause.String())
	wrapped := strings.Split(ansi.Wrap(text, width, ""), "\n")
	if len(wrapped) > mostCause {
		wrapped = wrapped[:mostCause]
		wrapped[mostCause-1] = ansi.Truncate(wrapped[mostCause-1], max(width-1, 1), "") + "…"
	}
	for _, w := range wrapped {
		lines = append(lines, Line{{w, Bad}}.cut(width))
	}
	return lines
}

// pointColumns are the numbers of the table of points, with their decimals. The first ones are shown in little room.
var pointColumns = []struct {
	heading, metric string
	decimals        int
}{
	{"output tok/s", "token_throughput", 1}, {"tok/s/GPU", "tok_per_gpu", 1}, {"tok/s/user", "tok_per_user", 1},
	{"TTFT ms", "mean_ttft", 1}, {"TPOT ms", "mean_tpot", 2},
}

// pointLines are the table of what was measured, below its headings.
func (v *View) pointLines(width int) []Line {
	if len(v.points) == 0 {
		return nil
	}
	first := "concurrency"
	heading, used := fmt.Sprintf("  %s", first), len(gap)+len(first)
	columns := 0
	for _, c := range pointColumns {
		if used+len(gap)+len(c.heading) > width {
			break
		}
		heading += gap + c.heading
		used += len(gap) + len(c.heading)
		columns++
	}
	lines := []Line{Line{{heading, Faint}}.cut(width)}
	for _, p := range v.points {
		lines = append(lines, pointLine(p, len(first), columns).cut(width))
	}
	return lines
}

// pointLine is one point; one that does not count says why instead of its numbers.
func pointLine(p report.PointInfo, width, columns int) Line {
	text := fmt.Sprintf("  %*d", width, p.Concurrency)
	if p.State == report.Invalid {
		return Line{{text, Plain}, {"  ✗ does not count: " + p.Reason, Bad}}
	}
	for _, c := range pointColumns[:columns] {
		number := "–"
		if x, ok := p.Values[c.metric]; ok {
			number = strconv.FormatFloat(x, 'f', c.decimals, 64)
		}
		text += fmt.Sprintf("  %*s", len(c.heading), number)
	}
	return Line{{text, Plain}}
}

// newest keeps of a table its headings, and as many of the last lines as fit; nothing if none does.
func newest(table []Line, room int) []Line {
	switch {
	case len(table) <= room:
		return table
	case room < 2:
		return nil
	}
	return append(table[:1:1], table[len(table)-room+1:]...)
}
