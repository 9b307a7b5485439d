package chart

// Point is a point of a [Curve].
type Point struct {
	X, Y  float64
	Label string // beside it; only of the main series
	Title string // what is shown when the pointer rests on it
	Apart bool   // it is not joined to the point before
}

// Curve is one series of points in two dimensions, joined in their order, before others that it is compared with. A
// series of one point is not joined.
type Curve struct {
	Width, Height float64
	Description   string // for those who do not see it
	XTitle        string
	YTitle        string
	Main          []Point
	Muted         [][]Point
}

const dotSize = 4.5 // radius

// SVG draws the curve; "" if there is nothing to draw.
func (c Curve) SVG() string {
	main, muted := drawablePoints(c.Main), make([][]Point, len(c.Muted))
	var xs, ys []float64
	add := func(list []Point) {
		for _, p := range list {
			xs, ys = append(xs, p.X), append(ys, p.Y)
		}
	}
	add(main)
	for i, m := range c.Muted {
		muted[i] = drawablePoints(m)
		add(muted[i])
	}
	if len(xs) == 0 {
		return ""
	}
	d := newDrawing(c.Width, c.Height, c.Description)
	const bottom, edge = 40, 16
	y := newAxis(ys, c.Height-bottom, edge, int(c.Height/70), true, false)
	leftEdge := 26 + widest(y)
	x := newAxis(xs, leftEdge, c.Width-edge-8, int(c.Width/100), false, false)
	d.frame(x, y, c.XTitle, c.YTitle)
	for _, m := range muted {
		d.series("muted", m, x, y, dotSize-1.5)
	}
	d.series("main", main, x, y, dotSize)
	d.labels(main, x, y)
	return d.end()
}

func drawablePoints(list []Point) (good []Point) {
	for _, p := range list {
		if drawable(p.X) && drawable(p.Y) {
			good = append(good, p)
		}
	}
	return good
}

// widest is how wide the widest label of an axis is.
func widest(a axis) (w float64) {
	for _, t := range a.ticks {
		w = max(w, textWidth(a.label(t)))
	}
	return w
}

// frame draws the axes with their ticks and titles.
func (d *drawing) frame(x, y axis, xTitle, yTitle string) {
	d.levels(x, y)
	for _, t := range x.ticks {
		d.line("axis", x.at(t), y.from, x.at(t), y.from+4)
		d.text("tick", middle, x.at(t), y.from+17, x.label(t))
	}
	d.text("title", middle, (x.from+x.to)/2, d.height-5, xTitle)
	if yTitle != "" {
		d.upright("title", fontSize, (y.from+y.to)/2, yTitle)
	}
}

// levels draws the lines of the vertical axis, with their numbers.
func (d *drawing) levels(x, y axis) {
	for i, t := range y.ticks {
		class := "grid"
		if i == 0 {
			class = "axis"
		}
		d.line(class, x.from, y.at(t), x.to, y.at(t))
		d.text("tick", right, x.from-7, y.at(t)+4, y.label(t))
	}
}

// series draws the points of a series, and joins them as far as they belong together.
func (d *drawing) series(class string, list []Point, x, y axis, size float64) {
	places := make([]place, len(list))
	for i, p := range list {
		places[i] = place{x.at(p.X), y.at(p.Y)}
	}
	begin := 0
	for i := range places {
		if end := i + 1; end == len(places) || list[end].Apart {
			if end-begin > 1 {
				d.path(class+" line", places[begin:end])
			}
			begin = end
		}
	}
	for i, p := range list {
		d.dot(class+" dot", p.Title, places[i].x, places[i].y, size)
	}
}

// box is a part of a drawing that something covers.
type box struct{ x1, y1, x2, y2 float64 }

func (b box) meets(o box) bool { return b.x1 < o.x2 && o.x1 < b.x2 && b.y1 < o.y2 && o.y1 < b.y2 }

// labels writes each point's label beside it, where it covers no point and no other label. A label that has no such
// place is left out: the point's title tells it too.
func (d *drawing) labels(list []Point, x, y axis) {
	var taken []box
	for _, p := range list {
		px, py := x.at(p.X), y.at(p.Y)
		taken = append(taken, box{px - dotSize, py - dotSize, px + dotSize, py + dotSize})
	}
	for _, p := range list {
		px, py, w := x.at(p.X), y.at(p.Y), textWidth(p.Label)
		for _, at := range []struct{ dx, dy float64 }{
			{7, -6}, {-7 - w, -6}, {7, 15}, {-7 - w, 15}, {-w / 2, -10}, {-w / 2, 20}, {9, 4}, {-9 - w, 4},
		} {
			b := box{px + at.dx, py + at.dy - fontSize + 2, px + at.dx + w, py + at.dy + 2}
			if !d.free(b, taken) {
				continue
			}
			d.text("label", left, b.x1, py+at.dy, p.Label)
			taken = append(taken, b)
			break
		}
	}
}

// free tells whether a box lies within the drawing and meets none of others.
func (d *drawing) free(b box, taken []box) bool {
	if b.x1 < 0 || b.y1 < 0 || b.x2 > d.width || b.y2 > d.height {
		return false
	}
	for _, t := range taken {
		if b.meets(t) {
			return false
		}
	}
	return true
}
