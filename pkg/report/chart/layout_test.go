package chart

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// at is a shape's coordinate.
func (s shape) at(t *testing.T, name string) (f float64) {
	t.Helper()
	if _, err := fmt.Sscan(s.attributes[name], &f); err != nil {
		t.Fatalf("%s of %+v: %v", name, s, err)
	}
	return f
}

// span is how far a text reaches from left to right.
func (s shape) span(t *testing.T) (from, to float64) {
	t.Helper()
	from = s.at(t, "x")
	switch s.attributes["text-anchor"] {
	case middle:
		from -= textWidth(s.text) / 2
	case right:
		from -= textWidth(s.text)
	}
	return from, from + textWidth(s.text)
}

// apart checks that texts of one line do not meet, and lie within the drawing.
func apart(t *testing.T, texts []shape, width float64) {
	t.Helper()
	end := math.Inf(-1)
	for _, s := range texts {
		from, to := s.span(t)
		if from < end-0.1 || from < -0.1 || to > width+0.1 {
			t.Errorf("%s reaches from %v to %v in %v pixels, after %v", s.text, from, to, width, end)
		}
		end = to
	}
}

// More is right and up. The numbers of each axis stand at its lines, the titles in the middle of it.
func TestCurveFrame(t *testing.T) {
	c := Curve{
		Width: 500, Height: 300, Description: "d", XTitle: "across", YTitle: "up",
		Main: []Point{{X: 100, Y: 10}, {X: 200, Y: 30}}, Muted: [][]Point{{{X: 150, Y: 20}}},
	}
	list := shapes(t, c.SVG())
	dots, other := of(list, "circle", "main dot"), of(list, "circle", "muted dot")[0]
	first, last := dots[0], dots[1]
	if !(first.at(t, "cx") < other.at(t, "cx") && other.at(t, "cx") < last.at(t, "cx")) ||
		!(first.at(t, "cy") > other.at(t, "cy") && other.at(t, "cy") > last.at(t, "cy")) {
		t.Errorf("dots at %+v, %+v, %+v", first, other, last)
	}
	if want := fmt.Sprintf("%s,%s %s,%s", first.attributes["cx"], first.attributes["cy"], last.attributes["cx"],
		last.attributes["cy"]); of(list, "polyline", "main line")[0].attributes["points"] != want {
		t.Errorf("the line is not at %s", want)
	}
	if other.at(t, "r") >= first.at(t, "r") {
		t.Error("what is compared with is as large as what is shown")
	}
	grid := slices.Concat(of(list, "line", "axis")[:1], of(list, "line", "grid"))
	var up, across []shape
	for _, s := range of(list, "text", "tick") {
		if s.attributes["text-anchor"] == right {
			up = append(up, s)
		} else {
			across = append(across, s)
		}
	}
	if len(up) != len(grid) || up[0].text != "0" {
		t.Fatalf("%d numbers at %d lines, from %s on", len(up), len(grid), up[0].text)
	}
	for i, s := range up {
		if from, to := s.span(t); from < 0 || to > grid[i].at(t, "x1") ||
			math.Abs(s.at(t, "y")-4-grid[i].at(t, "y1")) > 0.2 {
			t.Errorf("%s reaches from %v to %v", s.text, from, to)
		}
	}
	apart(t, across, c.Width)
	base := grid[0]
	for i, s := range of(list, "line", "axis")[1:] {
		if s.at(t, "x1") != across[i].at(t, "x") || s.at(t, "x2") != s.at(t, "x1") ||
			s.at(t, "y1") != base.at(t, "y1") || s.at(t, "y2") <= s.at(t, "y1") ||
			across[i].at(t, "y") < s.at(t, "y2")+10 {
			t.Errorf("the tick of %s is %+v", across[i].text, s)
		}
	}
	titles := of(list, "text", "title")
	if len(titles) != 2 || titles[0].text != "across" || titles[1].text != "up" ||
		math.Abs(titles[0].at(t, "x")-(base.at(t, "x1")+base.at(t, "x2"))/2) > 0.1 || titles[0].at(t, "y") > c.Height {
		t.Errorf("titles %+v", titles)
	}
	c.YTitle = ""
	if titles := of(shapes(t, c.SVG()), "text", "title"); len(titles) != 1 {
		t.Errorf("%d titles", len(titles))
	}
}

// A label covers no point, its own or another; one without a place is left out.
func TestLabelsCoverNoPoint(t *testing.T) {
	for n := 1; n <= 14; n++ {
		list := shapes(t, Curve{Width: 300, Height: 200, Main: line(n)}.SVG())
		for _, s := range of(list, "text", "label") {
			from, to := s.span(t)
			y := s.at(t, "y")
			b := box{from + 0.1, y - fontSize + 2.1, to - 0.1, y + 1.9}
			for _, dot := range of(list, "circle", "main dot") {
				x, y := dot.at(t, "cx"), dot.at(t, "cy")
				if b.meets(box{x - dotSize, y - dotSize, x + dotSize, y + dotSize}) {
					t.Errorf("%d points: label %s covers the point at %v, %v", n, s.text, x, y)
				}
			}
		}
	}
	same := []Point{{X: 1, Y: 1, Label: "first"}, {X: 1, Y: 1, Label: "second"}}
	got := of(shapes(t, Curve{Width: 300, Height: 200, Main: same}.SVG()), "text", "label")
	if len(got) != 2 || got[0].text != "first" {
		t.Errorf("%+v", got)
	}
	wide := []Point{{X: 1, Y: 1, Label: strings.Repeat("w", 100)}}
	if got := of(shapes(t, Curve{Width: 300, Height: 200, Main: wide}.SVG()), "text", "label"); len(got) != 0 {
		t.Errorf("a label of no room: %+v", got)
	}
}

// Boxes that only touch do not meet.
func TestMeets(t *testing.T) {
	b := box{10, 10, 20, 20}
	for name, tt := range map[string]struct {
		o    box
		want bool
	}{
		"itself": {b, true}, "within": {box{12, 12, 13, 13}, true}, "right": {box{20, 10, 30, 20}, false},
		"left": {box{0, 10, 10, 20}, false}, "above": {box{10, 0, 20, 10}, false},
		"below":    {box{10, 20, 20, 30}, false},
		"a corner": {box{19, 19, 30, 30}, true}, "far": {box{30, 30, 40, 40}, false},
		"beside": {box{30, 10, 40, 20}, false}, "under": {box{10, 30, 20, 40}, false},
	} {
		if got := b.meets(tt.o); got != tt.want || tt.o.meets(b) != got {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A range is a line from its value to the higher one with a cap there; what it is compared with stands beside it, and
// is smaller. Drawing changes nothing of what is drawn.
func TestRangesLayout(t *testing.T) {
	r := Ranges{Width: 300, Height: 180, XTitle: "across", Steps: []Step{
		{Label: "4", Main: &Range{Value: 10, High: 20}, Muted: &Range{Value: 10, High: 20}},
		{Label: "8", Main: &Range{Value: 10, High: math.Inf(1)}, Muted: &Range{Value: math.NaN(), High: 1}},
	}}
	list := shapes(t, r.SVG())
	if r.Steps[1].Main == nil || r.Steps[1].Muted == nil {
		t.Error("what cannot be drawn was removed from what was given")
	}
	var sizes []float64
	for _, class := range []string{"main", "muted"} {
		dots, lines := of(list, "circle", class+" dot"), of(list, "line", class+" range")
		if len(dots) != 1 || len(lines) != 2 {
			t.Fatalf("%d dots, %d lines of %s", len(dots), len(lines), class)
		}
		x, y, size := dots[0].at(t, "cx"), dots[0].at(t, "cy"), dots[0].at(t, "r")
		body, top := lines[0], lines[1]
		if body.at(t, "x1") != x || body.at(t, "x2") != x || body.at(t, "y1") != y || body.at(t, "y2") >= y {
			t.Errorf("%s: %+v", class, body)
		}
		if top.at(t, "y1") != body.at(t, "y2") || top.at(t, "y2") != top.at(t, "y1") ||
			math.Abs(top.at(t, "x1")-(x-size)) > 0.15 || math.Abs(top.at(t, "x2")-(x+size)) > 0.15 {
			t.Errorf("%s: %+v", class, top)
		}
		sizes = append(sizes, x, size)
	}
	if sizes[2]-sizes[0] != 6 || sizes[3] >= sizes[1] {
		t.Errorf("main and muted at %v", sizes)
	}
	var names []string
	for _, s := range of(list, "text", "tick") {
		if s.attributes["text-anchor"] == middle {
			names = append(names, s.text)
		}
	}
	if strings.Join(names, " ") != "4 8" || of(list, "text", "title")[0].text != "across" {
		t.Errorf("labels %q", names)
	}
}

// Of many steps some have their labels, so that they do not meet.
func TestLabelsOfManySteps(t *testing.T) {
	for _, n := range []int{1, 7, 8, 40, 200} {
		r := Ranges{Width: 300, Height: 180}
		for range n {
			r.Steps = append(r.Steps, Step{Label: "1024", Main: &Range{Value: 1, High: 2}})
		}
		var row []shape
		for _, s := range of(shapes(t, r.SVG()), "text", "tick") {
			if s.attributes["text-anchor"] == middle {
				row = append(row, s)
			}
		}
		apart(t, row, r.Width)
		if len(row) < min(n, 4) {
			t.Errorf("%d of %d steps have a label", len(row), n)
		}
	}
}

// A row's label stands before it, in a narrow chart above it; no row meets another, and the marks are above all.
func TestBarsLayout(t *testing.T) {
	for _, width := range []float64{300, narrow - 1, narrow, 900} {
		for _, at := range []float64{0, 50, 100} {
			b := Bars{Width: width, End: 100, Mark: &Moment{At: at, Text: "why"}}
			b.Fill = map[string]string{"load": "red"}
			for _, name := range []string{"GEN_0", "DISAGG_SERVER"} {
				b.Rows = append(b.Rows, Row{Label: name, Bars: []Bar{{From: 0, To: 50, Class: "load", Text: "half"},
					{From: 50, To: 50, Class: "load"}}})
			}
			list := shapes(t, b.SVG())
			rects, names, inside := of(list, "rect", "load"), of(list, "text", "label"), of(list, "text", "inside")
			ticks := of(list, "text", "tick")
			if len(rects) != 4 || len(names) != 2 || len(inside) != 2 || rects[0].attributes["fill"] != "red" {
				t.Fatalf("%d bars, %d labels, %d texts: %+v", len(rects), len(names), len(inside), rects[0])
			}
			for i, s := range names {
				bar, next := rects[2*i], rects[2*i+1]
				top, end := bar.at(t, "y"), bar.at(t, "x")+bar.at(t, "width")
				_, to := s.span(t)
				if width < narrow && (s.at(t, "y") >= top || s.at(t, "x") != bar.at(t, "x")) ||
					width >= narrow && (to >= bar.at(t, "x") || s.at(t, "y") < top || s.at(t, "y") > top+barHeight) {
					t.Errorf("%v wide: label %+v of bar %+v", width, s, bar)
				}
				if next.at(t, "width") != 1 || math.Abs(next.at(t, "x")-end) > 0.2 {
					t.Errorf("a bar without a length: %+v after %v", next, end)
				}
				if from, to := inside[i].span(t); from < bar.at(t, "x") || to > end {
					t.Errorf("a text from %v to %v in a bar to %v", from, to, end)
				}
				if i > 0 && top < rects[0].at(t, "y")+barHeight+5 || ticks[0].at(t, "y") < top+barHeight {
					t.Errorf("row %d is at %v", i, top)
				}
			}
			apart(t, ticks, width)
			mark, text := of(list, "line", "mark line")[0], of(list, "text", "mark text")[0]
			if text.text != "why" || mark.at(t, "x1") != mark.at(t, "x2") || mark.at(t, "y1") >= rects[0].at(t, "y") ||
				mark.at(t, "y2") < rects[2].at(t, "y")+barHeight || text.at(t, "x") != mark.at(t, "x1") ||
				text.at(t, "y") > mark.at(t, "y1") {
				t.Errorf("%+v, %+v", mark, text)
			}
			apart(t, []shape{text}, width)
		}
	}
	b := Bars{Width: 600, End: 10, Rows: []Row{{Label: "x"}}, Mark: &Moment{At: math.NaN(), Text: "why"}}
	if got := of(shapes(t, b.SVG()), "text", "mark text"); len(got) != 0 {
		t.Errorf("a mark at no time: %+v", got)
	}
	b.Mark = &Moment{At: 50, Text: "late"}
	if got := of(shapes(t, b.SVG()), "line", "mark line"); len(got) != 1 || got[0].at(t, "x1") > 600 {
		t.Errorf("a mark after the end: %+v", got)
	}
}
