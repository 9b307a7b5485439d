package chart

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// An axis has round ticks around its numbers, begins at 0 where it should, and is logarithmic where the numbers need
// it.
func TestAxis(t *testing.T) {
	tests := map[string]struct {
		values         []float64
		zero, mayBeLog bool
		want           string
	}{
		"from zero":      {[]float64{332, 1023}, true, false, "0 500 1,000 1,500"},
		"not from zero":  {[]float64{589, 676}, false, false, "550 600 650 700"},
		"near to zero":   {[]float64{20, 90}, false, false, "0 50 100"},
		"small numbers":  {[]float64{0.011, 0.013}, true, false, "0.000 0.005 0.010 0.015"},
		"all alike":      {[]float64{100, 100}, false, false, "90 100 110"},
		"nothing but 0":  {[]float64{0}, true, false, "0.0 0.5 1.0"},
		"below zero":     {[]float64{-5, 5}, false, false, "-5 0 5"},
		"logarithmic":    {[]float64{20, 30_000}, true, true, "10 100 1,000 10,000 100,000"},
		"few decades":    {[]float64{20, 2000}, true, true, "10 30 100 300 1,000 3,000"},
		"near to linear": {[]float64{20, 90}, true, true, "0 50 100"},
		"no numbers":     {nil, false, false, "0.0 0.5 1.0"},
	}
	for name, tt := range tests {
		a := newAxis(tt.values, 0, 100, 3, tt.zero, tt.mayBeLog)
		var labels []string
		for _, v := range a.ticks {
			labels = append(labels, a.label(v))
		}
		if got := strings.Join(labels, " "); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
		for _, v := range tt.values {
			if at := a.at(v); math.IsNaN(at) || at < -1e-6 || at > 100+1e-6 {
				t.Errorf("%s: %v is at %v", name, v, at)
			}
		}
	}
}

func TestTimeLabels(t *testing.T) {
	for end, want := range map[float64]string{
		0.05: "0 s 0.01 s 0.02 s 0.03 s 0.04 s 0.05 s", 8.7: "0 s 1 s 2 s 3 s 4 s 5 s 6 s 7 s 8 s",
		99:   "0 s 10 s 20 s 30 s 40 s 50 s 60 s 70 s 80 s 90 s",
		600:  "0 min 1 min 2 min 3 min 4 min 5 min 6 min 7 min 8 min 9 min 10 min",
		9000: "0 h 0.5 h 1 h 1.5 h 2 h 2.5 h",
	} {
		a := timeAxis(end, 0, 800)
		var labels []string
		for _, v := range a.ticks {
			labels = append(labels, timeLabel(v, a.hi))
		}
		if got := strings.Join(labels, " "); got != want {
			t.Errorf("%v s: %s, want %s", end, got, want)
		}
	}
}

// shape is an element of a drawing.
type shape struct {
	name, class, text string
	attributes        map[string]string
}

// shapes reads a drawing, which must be XML.
func shapes(t *testing.T, svg string) (list []shape) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatalf("%v: %s", err, svg)
		}
		switch token := token.(type) {
		case xml.StartElement:
			s := shape{name: token.Name.Local, attributes: map[string]string{}}
			for _, a := range token.Attr {
				s.attributes[a.Name.Local] = a.Value
			}
			s.class = s.attributes["class"]
			list = append(list, s)
		case xml.CharData:
			list[len(list)-1].text += string(token)
		}
	}
}

// of are the shapes of a name and a class.
func of(list []shape, name, class string) (some []shape) {
	for _, s := range list {
		if s.name == name && s.class == class {
			some = append(some, s)
		}
	}
	return some
}

// line makes points on a falling line.
func line(n int) (list []Point) {
	for i := range n {
		c := math.Pow(2, float64(i))
		list = append(list, Point{X: 500 - c/10, Y: c, Label: fmt.Sprintf("c%.0f", c), Title: "x"})
	}
	return list
}

// The points of a series are joined in their order; a series of one point is not.
func TestCurve(t *testing.T) {
	c := Curve{Width: 500, Height: 300, Main: line(3), Muted: [][]Point{line(2), line(1), nil}}
	list := shapes(t, c.SVG())
	for class, want := range map[string]int{"main line": 1, "muted line": 1} {
		if got := len(of(list, "polyline", class)); got != want {
			t.Errorf("%d of %s, want %d", got, class, want)
		}
	}
	main, muted := of(list, "circle", "main dot"), of(list, "circle", "muted dot")
	if len(main) != 3 || len(muted) != 3 {
		t.Errorf("%d and %d dots", len(main), len(muted))
	}
	if (Curve{Width: 500, Height: 300}).SVG() != "" {
		t.Error("nothing is drawn")
	}
}

// Points that stand apart are not joined to those before.
func TestCurveInParts(t *testing.T) {
	points := line(5)
	points[0].Apart, points[2].Apart, points[4].Apart = true, true, true
	c := Curve{Width: 400, Height: 300, Main: points}
	drawn := shapes(t, c.SVG())
	if lines, dots := of(drawn, "polyline", "main line"), of(drawn, "circle", "main dot"); len(lines) != 2 ||
		len(dots) != 5 {
		t.Errorf("%d lines, %d dots", len(lines), len(dots))
	}
}

// Labels cover neither points nor each other nor the edge, however close the points are.
func TestLabelsAreReadable(t *testing.T) {
	for n := 1; n <= 14; n++ {
		for _, width := range []float64{256, 360, 568} {
			list := shapes(t, Curve{Width: width, Height: 0.7 * width, Main: line(n)}.SVG())
			var boxes []box
			for _, s := range of(list, "text", "label") {
				var x, y float64
				if _, err := fmt.Sscan(s.attributes["x"]+" "+s.attributes["y"], &x, &y); err != nil {
					t.Fatal(err)
				}
				b := box{x + 0.1, y - fontSize + 2.1, x + textWidth(s.text) - 0.1, y + 1.9}
				for _, other := range boxes {
					if b.meets(other) {
						t.Errorf("%d points in %v pixels: label %s meets another", n, width, s.text)
					}
				}
				boxes = append(boxes, b)
			}
			if len(boxes) == 0 || n < 4 && len(boxes) < n {
				t.Errorf("%d points in %v pixels: only %d labels", n, width, len(boxes))
			}
		}
	}
}

// Ranges have a dot and a cap each; a step without one has its label all the same.
func TestRanges(t *testing.T) {
	r := Ranges{Width: 300, Height: 180, Steps: []Step{
		{Label: "4", Main: &Range{Value: 10, High: 20}, Muted: &Range{Value: 11, High: 21}}, {Label: "8"},
		{Label: "16", Main: &Range{Value: math.NaN(), High: 1}},
	}}
	list := shapes(t, r.SVG())
	if dots, caps := of(list, "circle", "main dot"), of(list, "line", "main range"); len(dots) != 1 || len(caps) != 2 {
		t.Errorf("%d dots, %d lines", len(dots), len(caps))
	}
	if (Ranges{Width: 300, Height: 180, Steps: []Step{{Label: "4"}}}).SVG() != "" {
		t.Error("nothing is drawn")
	}
}

// Bars lie within the drawing, whatever their times are; a text is only where there is room for it.
func TestBars(t *testing.T) {
	b := Bars{Width: 600, End: 100, Mark: &Moment{At: 90, Text: "first cause"}, Rows: []Row{{
		Label: "GEN_0", Bars: []Bar{
			{From: -5, To: 40, Class: "load", Text: "wide"}, {From: 40, To: 41, Class: "serve", Text: "narrow"},
			{From: 90, To: 1000, Class: "serve"}, {From: math.Inf(-1), To: 3, Class: "serve"},
		},
	}}}
	list := shapes(t, b.SVG())
	for _, s := range append(of(list, "rect", "load"), of(list, "rect", "serve")...) {
		var x, w float64
		if _, err := fmt.Sscan(s.attributes["x"]+" "+s.attributes["width"], &x, &w); err != nil || x < 0 || x+w > 600 {
			t.Errorf("a bar from %v, %v wide: %v", x, w, err)
		}
	}
	var texts []string
	for _, s := range of(list, "text", "inside") {
		texts = append(texts, s.text)
	}
	if diff := cmp.Diff([]string{"wide"}, texts); diff != "" {
		t.Error(diff)
	}
	if mark := of(list, "text", "mark text"); len(mark) != 1 || mark[0].attributes["text-anchor"] != right {
		t.Errorf("%+v", mark)
	}
	if (Bars{Width: 600, End: 3}).SVG() != "" {
		t.Error("no rows are drawn")
	}
}

// FuzzCharts makes sure that whatever the numbers and texts are, a chart is XML without a number that is none.
func FuzzCharts(f *testing.F) {
	f.Add("c4", 1.0, 2.0, 3.0, 4.0)
	f.Add("<script>\"'&\x00\xff", math.Inf(1), math.NaN(), -1e300, 1e300)
	f.Add("", 0.0, 0.0, 1e-300, 1e14)
	f.Fuzz(func(t *testing.T, text string, a, b, c, d float64) {
		main := []Point{{a, b, text, text, a > b}, {c, d, text, text, c > d}}
		for _, svg := range []string{
			Curve{
				Width: 300, Height: 200, XTitle: text, YTitle: text, Description: text, Main: main,
				Muted: [][]Point{main},
			}.SVG(),
			Ranges{Width: 300, Height: 180, Steps: []Step{{text, &Range{a, b, text}, &Range{c, d, text}}}}.SVG(),
			Bars{
				Width: 300, End: a, Rows: []Row{{text, []Bar{{b, c, text, text, text}}}}, Mark: &Moment{d, text},
			}.SVG(),
		} {
			if strings.Contains(svg, "NaN") && !strings.Contains(text, "NaN") ||
				strings.Contains(svg, "Inf") && !strings.Contains(text, "Inf") {
				t.Errorf("a number is none: %.2000s", svg)
			}
			for _, part := range []string{"<script", "<!"} {
				if strings.Contains(svg, part) {
					t.Errorf("%q became %.2000s", text, svg)
				}
			}
		}
	})
}
