package chart

import "slices"

// Range is a value, and a higher one that is rarely exceeded.
type Range struct {
	Value, High float64
	Title       string // what is shown when the pointer rests on it
}

// Step is a place on the horizontal axis of [Ranges].
type Step struct {
	Label string
	Main  *Range // nil: there is none
	Muted *Range // what it is compared with; nil: nothing
}

// Ranges is a range at each of several steps, which have equal distances.
type Ranges struct {
	Width, Height float64
	Description   string // for those who do not see it
	XTitle        string
	Steps         []Step
}

// SVG draws the ranges; "" if there is nothing to draw. The vertical axis is logarithmic if the numbers need it.
func (r Ranges) SVG() string {
	var values []float64
	r.Steps = slices.Clone(r.Steps)
	for i := range r.Steps {
		s := &r.Steps[i]
		for _, of := range []**Range{&s.Main, &s.Muted} {
			if *of != nil && !(drawable((*of).Value) && drawable((*of).High)) {
				*of = nil
			}
			if *of != nil {
				values = append(values, (*of).Value, (*of).High)
			}
		}
	}
	if len(values) == 0 {
		return ""
	}
	d := newDrawing(r.Width, r.Height, r.Description)
	y := newAxis(values, r.Height-40, 12, int(r.Height/45), true, true)
	x := axis{lo: 0, hi: float64(len(r.Steps)), from: 14 + widest(y), to: r.Width - 8}
	d.levels(x, y)
	every := 1 + int(float64(len(r.Steps))*40/(x.to-x.from)) // labels must not meet
	for i, s := range r.Steps {
		at := x.at(float64(i) + 0.5)
		d.ranged("muted", s.Muted, at+6, y)
		d.ranged("main", s.Main, at, y)
		if i%every == 0 {
			d.text("tick", middle, at, y.from+17, s.Label)
		}
	}
	d.text("title", middle, (x.from+x.to)/2, r.Height-5, r.XTitle)
	return d.end()
}

// ranged draws a range: a dot, a line, and a cap.
func (d *drawing) ranged(class string, r *Range, x float64, y axis) {
	if r == nil {
		return
	}
	size := dotSize - 0.5
	if class == "muted" {
		size = dotSize - 2
	}
	d.line(class+" range", x, y.at(r.Value), x, y.at(r.High))
	d.line(class+" range", x-size, y.at(r.High), x+size, y.at(r.High))
	d.dot(class+" dot", r.Title, x, y.at(r.Value), size)
}
