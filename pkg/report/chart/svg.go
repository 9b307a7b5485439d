package chart

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// fontSize is that of all texts, in CSS pixels.
const fontSize = 12

// drawing is an <svg> element in the making.
type drawing struct {
	strings.Builder
	width, height float64
}

// newDrawing begins a drawing. The description is what a screen reader says instead of it.
func newDrawing(width, height float64, description string) *drawing {
	d := &drawing{width: width, height: height}
	fmt.Fprintf(d, `<svg width="%s" height="%s" viewBox="0 0 %[1]s %[2]s"`+
		` role="img" aria-label="%[3]s" font-family="system-ui, sans-serif" font-size="%[4]d">`,
		number(width), number(height), html.EscapeString(description), fontSize)
	return d
}

func (d *drawing) end() string {
	d.WriteString("</svg>")
	return d.String()
}

// look is how a class is drawn where no style sheet says otherwise.
var look = map[string]string{
	"grid": `stroke="#dfe4ea"`, "axis": `stroke="#9aa5b3"`,
	"tick": `fill="#5c6776"`, "title": `fill="#5c6776"`, "label": `fill="#1b2430"`,
	"inside":    `fill="#ffffff"`,
	"main line": `fill="none" stroke="#1f5fae" stroke-width="2"`, "main dot": `fill="#1f5fae"`,
	"main range": `stroke="#1f5fae" stroke-width="2"`,
	"muted line": `fill="none" stroke="#9aa5b3" stroke-width="1.5"`, "muted dot": `fill="#9aa5b3"`,
	"muted range": `stroke="#9aa5b3" stroke-width="2"`,
	"mark line":   `stroke="#b3261e" stroke-width="1.5"`, "mark text": `fill="#b3261e"`,
}

// element writes an element of a class; its attributes are names and values in turn. A title is shown by a browser
// while the pointer rests on the element.
func (d *drawing) element(name, class, title string, attributes ...any) {
	fmt.Fprintf(d, `<%s class="%s"`, name, html.EscapeString(class))
	if l := look[class]; l != "" {
		d.WriteString(" " + l)
	}
	for i := 0; i+1 < len(attributes); i += 2 {
		value := fmt.Sprint(attributes[i+1])
		if f, ok := attributes[i+1].(float64); ok {
			value = number(f)
		}
		fmt.Fprintf(d, ` %s="%s"`, attributes[i], html.EscapeString(value))
	}
	if title == "" {
		d.WriteString("/>")
		return
	}
	fmt.Fprintf(d, "><title>%s</title></%s>", html.EscapeString(title), name)
}

func (d *drawing) line(class string, x1, y1, x2, y2 float64) {
	d.element("line", class, "", "x1", x1, "y1", y1, "x2", x2, "y2", y2)
}

func (d *drawing) dot(class, title string, x, y, r float64) {
	d.element("circle", class, title, "cx", x, "cy", y, "r", r)
}

func (d *drawing) path(class string, points []place) {
	text := make([]string, len(points))
	for i, p := range points {
		text[i] = number(p.x) + "," + number(p.y)
	}
	d.element("polyline", class, "", "points", strings.Join(text, " "))
}

// The anchors of a text: where it is given by.
const (
	left   = "start"
	middle = "middle"
	right  = "end"
)

func (d *drawing) text(class, anchor string, x, y float64, text string) {
	fmt.Fprintf(d, `<text class="%s" %s x="%s" y="%s" text-anchor="%s">%s</text>`, class, look[class],
		number(x), number(y), anchor, html.EscapeString(text))
}

// upright writes a text that is read from below.
func (d *drawing) upright(class string, x, y float64, text string) {
	fmt.Fprintf(d, `<text class="%s" %s transform="translate(%s %s) rotate(-90)" text-anchor="middle">%s</text>`,
		class, look[class], number(x), number(y), html.EscapeString(text))
}

// place is a point of a drawing, in CSS pixels from its upper left corner.
type place struct{ x, y float64 }

// number is a coordinate, to a tenth of a pixel.
func number(f float64) string { return strconv.FormatFloat(math.Round(f*10)/10, 'f', -1, 64) }

// textWidth is about how wide a text is: a little more than most fonts need.
func textWidth(text string) (width float64) {
	for _, r := range text {
		if unicode.IsUpper(r) || r == '_' {
			width += 0.72 * fontSize
		} else {
			width += 0.6 * fontSize
		}
	}
	return width
}

// drawable tells whether a number can be drawn: it is one, and neither so large nor so small that it cannot be meant.
func drawable(f float64) bool {
	size := math.Abs(f)
	return f == 0 || size > 1e-9 && size < 1e12
}
