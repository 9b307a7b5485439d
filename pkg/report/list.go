package report

import (
	"fmt"
	"strings"

	"github.com/disagg/disagg/pkg/report/chart"
	"github.com/disagg/disagg/pkg/roles"
)

// List is what the page of several runs shows: one card each, with a curve of its own; of variants also a curve and a
// table of all.
type List struct {
	Title   string
	Summary string // in one line
	Runs    []ListedRun
}

// ListedRun is a run of a list, or a test that came to none.
type ListedRun struct {
	Name   string
	Status string // what became of it, in a word or two
	Detail string // why, if it is not obvious
	// Settings are what the run has in place of what its case has.
	Settings []roles.Setting
	Page     string // its own page, relative to the list's; "": it has none
	// Model is what is known of the run; nil: nothing is.
	Model *Model
}

// Files are the files of the list's page by their names.
func (l List) Files() (map[string][]byte, error) {
	html, err := execute(indexFile, newIndex(printable(l)))
	if err != nil {
		return nil, err
	}
	return map[string][]byte{pageFile: html, styleFile: []byte(style)}, nil
}

// indexFile is the name of the template.
const indexFile = "list"

// index is what the template of a list shows.
type index struct {
	List
	Cards []card
	Sweep *sweep // nil: nothing was varied
}

type card struct {
	ListedRun
	Class    string
	Curve    *drawn
	Complete string
}

func newIndex(l List) index {
	x := index{List: l, Sweep: newSweep(l.Runs)}
	for _, r := range l.Runs {
		c := card{ListedRun: r, Class: classOf(r.Status)}
		if r.Model != nil {
			c.Curve = r.Model.smallCurve()
			if len(r.Model.Points) > 0 {
				c.Complete = r.Model.complete() + " count"
			}
		}
		x.Cards = append(x.Cards, c)
	}
	return x
}

// classOf is a status as a class of the style sheet.
func classOf(status string) string { return strings.ReplaceAll(status, " ", "-") }

// smallCurve is the curve as one of many. Each has axes of its own: cases differ by far more than runs of one.
func (m Model) smallCurve() *drawn {
	c := chart.Curve{
		Width: 256, Height: 170, Main: curvePoints(m.Points), XTitle: "tok/s/user", YTitle: "tok/s/GPU",
		Description: fmt.Sprintf("Output tokens per second and GPU over those per user, of %s", m.Run.TestID),
	}
	if len(c.Main) < 2 {
		return nil
	}
	return inWidths(256, 256, func(width float64) string { return c.SVG() })
}
