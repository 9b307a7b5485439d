package chart

import (
	"fmt"
	"slices"
)

// Bar is a span of time in a row.
type Bar struct {
	From, To float64 // seconds
	Class    string  // how it looks; see package doc
	Text     string  // in it, if there is room
	Title    string  // what is shown when the pointer rests on it
}

// Row is one line of [Bars].
type Row struct {
	Label string
	Bars  []Bar
}

// Moment is a point of time that matters.
type Moment struct {
	At   float64 // seconds
	Text string
}

// Bars is what happened when, in rows, from second 0 to End.
type Bars struct {
	Width       float64
	Description string // for those who do not see it
	Rows        []Row
	End         float64
	Mark        *Moment           // nil: none
	Fill        map[string]string // colour of each class where no style sheet says otherwise
}

const (
	barHeight = 14
	barTop    = 24 // above the first row
	timeFoot  = 22 // below the last row
	narrow    = 560
)

// SVG draws the rows; "" if there are none. In a narrow chart a row's label stands above it.
func (b Bars) SVG() string {
	if len(b.Rows) == 0 || !drawable(b.End) {
		return ""
	}
	rowHeight, labels := 24.0, 0.0
	for _, r := range b.Rows {
		labels = max(labels, textWidth(r.Label)+14)
	}
	if b.Width < narrow {
		rowHeight, labels = 36, 2
	}
	foot := barTop + rowHeight*float64(len(b.Rows))
	d := newDrawing(b.Width, foot+timeFoot, b.Description)
	x := timeAxis(b.End, labels, b.Width-10)
	for _, t := range x.ticks {
		d.line("grid", x.at(t), barTop-6, x.at(t), foot)
		label := timeLabel(t, x.hi)
		half := textWidth(label) / 2
		d.text("tick", middle, min(max(x.at(t), half), b.Width-half), foot+16, label)
	}
	for i, r := range b.Rows {
		b.row(d, r, x, barTop+float64(i)*rowHeight+rowHeight-barHeight-5)
	}
	if b.Mark != nil && drawable(b.Mark.At) {
		d.moment(*b.Mark, x, foot)
	}
	return d.end()
}

func (b Bars) row(d *drawing, r Row, x axis, top float64) {
	if b.Width < narrow {
		d.text("label", left, x.from, top-5, r.Label)
	} else {
		d.text("label", right, x.from-8, top+barHeight-3, r.Label)
	}
	for _, bar := range r.Bars {
		if !drawable(bar.From) || !drawable(bar.To) {
			continue
		}
		from, to := x.at(min(max(bar.From, 0), x.hi)), x.at(min(max(bar.To, 0), x.hi))
		d.element("rect", bar.Class, bar.Title, "fill", b.Fill[bar.Class], "x", from, "y", top,
			"width", max(to-from, 1), "height", float64(barHeight))
		if bar.Text != "" && textWidth(bar.Text)+6 < to-from {
			d.text("inside", middle, (from+to)/2, top+barHeight-3, bar.Text)
		}
	}
}

// moment draws a line across all rows, and its text above them, on the side that has room.
func (d *drawing) moment(m Moment, x axis, foot float64) {
	at := x.at(min(max(m.At, 0), x.hi))
	d.line("mark line", at, barTop-8, at, foot)
	anchor := left
	if at > (x.from+x.to)/2 {
		anchor = right
	}
	d.text("mark text", anchor, at, barTop-11, m.Text)
}

// timeSteps are the distances of ticks, in seconds.
var timeSteps = []float64{
	0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 2 * 3600, 6 * 3600, 24 * 3600,
}

func timeAxis(end, from, to float64) axis {
	a := axis{lo: 0, hi: max(end, 0.01), from: from, to: to}
	most := max((to-from)/80, 2)
	step := timeSteps[len(timeSteps)-1]
	if i := slices.IndexFunc(timeSteps, func(s float64) bool { return a.hi/s <= most }); i >= 0 {
		step = timeSteps[i]
	}
	for i := 0; float64(i)*step <= a.hi && i < 100; i++ {
		a.ticks = append(a.ticks, float64(i)*step)
	}
	return a
}

// timeLabel is a time on an axis that ends then, in the unit that suits it.
func timeLabel(t, end float64) string {
	switch {
	case end >= 2*3600:
		return fmt.Sprintf("%g h", t/3600)
	case end >= 180:
		return fmt.Sprintf("%g min", t/60)
	}
	return fmt.Sprintf("%.4g s", t)
}
