package report

import (
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"time"

	"github.com/disagg/disagg/pkg/report/chart"
	"github.com/disagg/disagg/pkg/roles"
)

// drawn is a chart in the widths that a page is read in; its style sheet shows the one that fits.
type drawn struct{ Wide, Narrow template.HTML }

// inWidths draws a chart in two widths. Package chart escapes all texts.
func inWidths(wide, narrow float64, draw func(width float64) string) *drawn {
	d := &drawn{Wide: template.HTML(draw(wide)), Narrow: template.HTML(draw(narrow))}
	if d.Wide == "" {
		return nil
	}
	return d
}

const narrowWidth = 360 // of a page that is read at 400 pixels

// curve draws output tokens a second and GPU over those of a user. One point is no curve: it is drawn only beside
// earlier runs.
func (m Model) curve() *drawn {
	c := chart.Curve{
		XTitle: "output tok/s per user →", YTitle: "output tok/s per GPU →",
		Description: "Output tokens per second and GPU over output tokens per second and user, by concurrency",
		Main:        curvePoints(m.Points),
	}
	for _, run := range m.Earlier {
		if list := earlierPoints(run); len(list) > 0 {
			c.Muted = append(c.Muted, list)
		}
	}
	if len(c.Main) == 0 || len(c.Main) == 1 && len(c.Muted) == 0 {
		return nil
	}
	return inWidths(568, narrowWidth, func(width float64) string {
		c.Width, c.Height = width, 0.72*width
		return c.SVG()
	})
}

// curvePoints are the points that count, in the order of their concurrency.
func curvePoints(points []PointInfo) (list []chart.Point) {
	points = slices.Clone(points)
	slices.SortStableFunc(points, func(a, b PointInfo) int { return a.Concurrency - b.Concurrency })
	for _, p := range points {
		if p.State != Counts {
			continue
		}
		if pt, ok := curvePoint(p.Concurrency, p.Values); ok {
			pt.Label = "c" + strconv.Itoa(p.Concurrency)
			list = append(list, pt)
		}
	}
	return list
}

func earlierPoints(run EarlierRun) (list []chart.Point) {
	for _, p := range run.Points {
		if pt, ok := curvePoint(p.Concurrency, p.Values); ok {
			pt.Title = moment(run.At) + ": " + pt.Title
			list = append(list, pt)
		}
	}
	return list
}

func curvePoint(concurrency int, values map[string]float64) (p chart.Point, ok bool) {
	x, hasX := values[tokPerUser]
	y, hasY := values[tokPerGPU]
	p = chart.Point{X: x, Y: y}
	p.Title = fmt.Sprintf("concurrency %d: %s output tok/s/GPU, %s output tok/s/user", concurrency, figure(y),
		figure(x))
	return p, hasX && hasY
}

// latency draws the median and the P99 of a time for each concurrency, with those of the run before.
func (m Model) latency(name, what string) *drawn {
	r := chart.Ranges{
		XTitle: "concurrency", Description: what + " by concurrency: median and 99th percentile, in milliseconds",
	}
	some := false
	for _, p := range m.Points {
		if p.State != Counts {
			continue
		}
		s := chart.Step{Label: strconv.Itoa(p.Concurrency), Main: rangeOf(p.Values, name, "")}
		s.Muted = rangeOf(lastOf(m.Earlier, p.Concurrency), name, "the run before: ")
		r.Steps = append(r.Steps, s)
		some = some || s.Main != nil
	}
	if !some || len(r.Steps) < 2 { // one point's numbers are in the table
		return nil
	}
	return inWidths(392, narrowWidth, func(width float64) string {
		r.Width, r.Height = width, 180
		return r.SVG()
	})
}

func rangeOf(values map[string]float64, name, whose string) *chart.Range {
	middle, has := values["median_"+name]
	high, hasHigh := values["p99_"+name]
	if !has || !hasHigh {
		return nil
	}
	return &chart.Range{
		Value: middle, High: high,
		Title: fmt.Sprintf("%smedian %s ms, P99 %s ms", whose, figure(middle), figure(high)),
	}
}

// fills are the colours of the timeline's bars where no style sheet says otherwise.
var fills = map[string]string{
	"wait": "#e6eaef", "load": "#c3ced9", "serve": "#8fb3da", "measure": "#1f5fae", "invalid": "#b3261e",
}

// mostRows is how many servers of a kind have a row each: of more, all have one row.
const mostRows = 16

// timeline draws what each role did when, the points, and where the first cause struck.
func (m Model) timeline() *drawn {
	t := m.Timeline
	if t.Begin.IsZero() || !t.End.After(t.Begin) {
		return nil
	}
	b := chart.Bars{
		End: t.seconds(t.End), Fill: fills, Rows: t.rows(),
		Description: "When each role loaded and served, and when each point was measured",
	}
	if f := m.Failure; f != nil && !f.At.IsZero() {
		b.Mark = &chart.Moment{At: f.Seconds, Text: "first cause, " + span(max(f.Seconds, 0))}
	}
	return inWidths(960, narrowWidth, func(width float64) string {
		b.Width = width
		return b.SVG()
	})
}

func (t Timeline) rows() (rows []chart.Row) {
	for _, k := range roles.Kinds() {
		var list []RoleSpan
		for _, r := range t.Roles {
			if r.Role.Kind == k {
				list = append(list, r)
			}
		}
		if len(list) > mostRows {
			rows = append(rows, t.groupRow(k, list))
			continue
		}
		for _, r := range list {
			rows = append(rows, t.roleRow(r))
		}
	}
	return rows
}

func (t Timeline) roleRow(r RoleSpan) chart.Row {
	row := chart.Row{Label: r.Role.String()}
	if r.Role == roles.Hub().Role {
		row.Bars = t.pointBars()
		return row
	}
	end := r.Ended
	if end.IsZero() {
		end = t.End
	}
	bar := func(class, what string, from time.Time, ends ...time.Time) {
		if to := earliest(append(ends, end)...); !from.IsZero() {
			b := chart.Bar{Class: class, From: t.seconds(from), To: t.seconds(to)}
			b.Title = fmt.Sprintf("%s: %s for %s, from %s on", row.Label, what, span(b.To-b.From), span(b.From))
			row.Bars = append(row.Bars, b)
		}
	}
	bar("wait", "waiting to be started", r.Arrived, r.Started)
	bar("load", "loading", r.Started, r.Ready)
	bar("serve", "ready", r.Ready)
	return row
}

// groupRow shows many servers as one, which is ready when the last of them is.
func (t Timeline) groupRow(k roles.Kind, list []RoleSpan) chart.Row {
	all := RoleSpan{Role: roles.Role{Kind: k}}
	ready := 0
	for _, r := range list {
		all.Arrived, all.Started = earliest(all.Arrived, r.Arrived), earliest(all.Started, r.Started)
		if !r.Ready.IsZero() {
			ready++
		}
		if r.Ready.After(all.Ready) {
			all.Ready = r.Ready
		}
		if r.Ended.After(all.Ended) {
			all.Ended = r.Ended
		}
	}
	if ready < len(list) {
		all.Ready = time.Time{}
	}
	row := t.roleRow(all)
	row.Label = fmt.Sprintf("%s × %d", k, len(list))
	return row
}

func (t Timeline) pointBars() (bars []chart.Bar) {
	for _, p := range t.Points {
		b := chart.Bar{
			Class: "measure", From: t.seconds(p.Begin), To: t.seconds(p.End), Text: "c" + strconv.Itoa(p.Concurrency),
		}
		b.Title = fmt.Sprintf("concurrency %d: %s", p.Concurrency, span(b.To-b.From))
		if p.Invalid {
			b.Class, b.Title = "invalid", b.Title+", does not count"
		}
		bars = append(bars, b)
	}
	return bars
}

// earliest is the first of some times; those that are zero are none.
func earliest(times ...time.Time) (first time.Time) {
	for _, at := range times {
		if first.IsZero() || !at.IsZero() && at.Before(first) {
			first = at
		}
	}
	return first
}
