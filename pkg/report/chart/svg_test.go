package chart

import (
	"math"
	"testing"
)

// A number can be drawn if it is one, and can be meant.
func TestDrawable(t *testing.T) {
	for f, want := range map[float64]bool{
		0: true, 1: true, -1: true, 2e-9: true, 1e-9: false, -1e-10: false, 9e11: true, 1e12: false, -1e13: false,
		math.Inf(1): false, math.Inf(-1): false,
	} {
		if got := drawable(f); got != want {
			t.Errorf("%v: %v", f, got)
		}
	}
	if drawable(math.NaN()) {
		t.Error("no number is drawn")
	}
}

// Coordinates have a tenth of a pixel: more would only make files large.
func TestNumber(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0", 1.25: "1.3", 1.24: "1.2", -1.25: "-1.3", 100: "100", 1e6: "1000000",
	} {
		if got := number(f); got != want {
			t.Errorf("%v: %s, want %s", f, got, want)
		}
	}
}

// Capitals, and what stands for a space in names, need more room than other letters; each letter counts once, whatever
// its bytes.
func TestTextWidth(t *testing.T) {
	if got, want := textWidth("GEN_0"), 4*0.72*fontSize+0.6*fontSize; math.Abs(got-want) > 1e-9 {
		t.Errorf("%v, want %v", got, want)
	}
	if textWidth("abc") != textWidth("äö✓") || textWidth("") != 0 {
		t.Error("letters are not alike")
	}
}

// Every element is written whole, with what it looks like without a style sheet, and what texts have is no markup.
func TestElements(t *testing.T) {
	for name, tt := range map[string]struct {
		draw func(*drawing)
		want string
	}{
		"a line": {
			func(d *drawing) { d.line("grid", 1, 2, 3, 4) },
			`<line class="grid" stroke="#dfe4ea" x1="1" y1="2" x2="3" y2="4"/>`,
		},
		"a dot with a title": {
			func(d *drawing) { d.dot("main dot", "a < b", 1, 2, 3.25) },
			`<circle class="main dot" fill="#1f5fae" cx="1" cy="2" r="3.3"><title>a &lt; b</title></circle>`,
		},
		"a path": {
			func(d *drawing) { d.path("own", []place{{1, 2}, {3.04, 4}}) },
			`<polyline class="own" points="1,2 3,4"/>`,
		},
		"a text": {
			func(d *drawing) { d.text("tick", right, 1, 2, `"&`) },
			`<text class="tick" fill="#5c6776" x="1" y="2" text-anchor="end">&#34;&amp;</text>`,
		},
		"an upright text": {
			func(d *drawing) { d.upright("title", 1, 2, "<up>") },
			`<text class="title" fill="#5c6776" transform="translate(1 2) rotate(-90)" text-anchor="middle">` +
				`&lt;up&gt;</text>`,
		},
		"names and values": {
			func(d *drawing) { d.element("rect", `"c"`, "", "fill", `"<`, "width", 2.0, "n", 7) },
			`<rect class="&#34;c&#34;" fill="&#34;&lt;" width="2" n="7"/>`,
		},
	} {
		d := newDrawing(10, 20, "")
		d.Reset()
		tt.draw(d)
		if got := d.String(); got != tt.want {
			t.Errorf("%s:\n%s, want\n%s", name, got, tt.want)
		}
	}
	want := `<svg width="10" height="20" viewBox="0 0 10 20" role="img" aria-label="&lt;b&gt;" ` +
		`font-family="system-ui, sans-serif" font-size="12"></svg>`
	if got := newDrawing(10, 20, "<b>").end(); got != want {
		t.Errorf("%s, want\n%s", got, want)
	}
}
