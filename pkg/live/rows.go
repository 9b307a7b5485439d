package live

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/roles"
)

// row is what the block tells of a role, or of several of a kind that are equally far.
type row struct {
	name         string // of its only role
	roles        int
	kind         roles.Kind
	state        state
	alive, ranks int
	spent        time.Duration
	note         string
	percent      int           // -1: there is no bar
	quiet        time.Duration // -1: that is not known
	hosts        []string
	lost         bool
}

func (v *View) row(r *role, now time.Time) row {
	out := row{
		name: name(r.Role), roles: 1, kind: r.Role.Kind, state: r.state(), alive: r.alive(), ranks: r.Ranks,
		spent: r.spent(now), note: v.note(r), percent: -1, quiet: -1, hosts: r.hosts(),
		lost: slices.ContainsFunc(r.ranks, func(k rank) bool { return k.lost }),
	}
	if out.state == loading && r.progress.What != "" {
		out.percent = r.progress.Percent
	}
	if quiet, known := r.quiet(now); known {
		out.quiet = quiet
	}
	return out
}

// rows are the rows of all roles; if there are more than fit, those of a kind that are equally far are one.
func (v *View) rows(now time.Time, room int) []row {
	var list []row
	for _, r := range v.roles {
		list = append(list, v.row(r, now))
	}
	if len(list) > room {
		list = fold(list)
	}
	return list
}

// fold puts rows together. What is told of several is what the slowest of them does.
func fold(list []row) (folded []row) {
	for _, r := range list {
		i := slices.IndexFunc(folded, func(f row) bool { return f.kind == r.kind && f.state == r.state })
		if i < 0 {
			folded = append(folded, r)
			continue
		}
		f := &folded[i]
		if r.percent < f.percent {
			f.note, f.percent = r.note, r.percent
		}
		f.roles, f.alive, f.ranks = f.roles+1, f.alive+r.alive, f.ranks+r.ranks
		f.spent, f.quiet, f.lost = max(f.spent, r.spent), max(f.quiet, r.quiet), f.lost || r.lost
		f.hosts = append(f.hosts[:len(f.hosts):len(f.hosts)], r.hosts...)
	}
	return folded
}

// title is the name of the row's role, or how many there are of which kind.
func (r row) title() string {
	if r.roles == 1 {
		return r.name
	}
	return fmt.Sprintf("%d × %s", r.roles, r.kind)
}

// form is what rows tell, and how; a poorer one needs less room.
type form struct {
	gauge int  // columns of a bar
	words bool // "last line 2 s ago", and not "2 s"
	quiet bool
	hosts bool
	note  bool
}

// forms are from the richest to the poorest.
var forms = []form{
	{gauge: 20, words: true, quiet: true, hosts: true, note: true},
	{gauge: 10, words: true, quiet: true, hosts: true, note: true},
	{gauge: 10, quiet: true, hosts: true, note: true},
	{gauge: 6, quiet: true, hosts: true, note: true},
	{gauge: 6, quiet: true, note: true},
	{quiet: true, note: true},
	{note: true},
	{},
}

const gap = "  " // between two columns

// table lays rows out in columns, in the richest form that fits.
func table(rows []row, width int) []Line {
	bars := 0 // columns before a bar
	for _, r := range rows {
		if r.percent >= 0 {
			bars = max(bars, ansi.StringWidth(report.Printable(r.note)))
		}
	}
	var cells [][]Line
	for _, f := range forms {
		cells = nil
		for _, r := range rows {
			cells = append(cells, r.cells(f, bars))
		}
		if needs(cells) <= width {
			break
		}
	}
	return layOut(cells, width)
}

// cells are the columns of a row, in a form. Its bar begins after so many columns of its note.
func (r row) cells(f form, bar int) []Line {
	ranks := fmt.Sprintf("%d/%d", r.alive, r.ranks)
	if f.words {
		ranks += " ranks"
	}
	var spent, quiet, hosts string
	if r.spent > 0 {
		spent = clock(r.spent)
	}
	if r.quiet >= 0 && f.quiet {
		quiet = span(r.quiet)
		if f.words {
			quiet = "last line " + quiet + " ago"
		}
	}
	if f.hosts {
		hosts = report.Printable(compress(r.hosts))
	}
	return []Line{
		{{r.title(), Plain}}, {{ranks, Plain}}, {{r.state.String(), r.style()}}, {{spent, Plain}}, r.noted(f, bar),
		{{quiet, Faint}}, {{hosts, Faint}},
	}
}

// noted is the note of a row, with its bar.
func (r row) noted(f form, bar int) Line {
	if !f.note {
		return nil
	}
	note := report.Printable(r.note)
	if r.percent < 0 || f.gauge == 0 {
		return Line{{note, Plain}}
	}
	return Line{{fmt.Sprintf("%-*s ", bar, note), Plain}, {gauge(r.percent, f.gauge), Busy}}
}

func (r row) style() Style {
	switch {
	case r.lost:
		return Bad
	case r.state == ready:
		return Good
	case r.state == loading, r.state == running:
		return Busy
	}
	return Faint
}

// widths are those of the columns; 0: it is empty.
func widths(cells [][]Line) []int {
	var list []int
	for _, r := range cells {
		for i, c := range r {
			if i == len(list) {
				list = append(list, 0)
			}
			list[i] = max(list[i], c.width())
		}
	}
	return list
}

func needs(cells [][]Line) (width int) {
	for _, w := range widths(cells) {
		if w > 0 {
			width += len(gap) + w
		}
	}
	return width
}

// layOut aligns columns: numbers to the right.
func layOut(cells [][]Line, width int) (lines []Line) {
	list := widths(cells)
	for _, r := range cells {
		var line Line
		for i, c := range r {
			if list[i] == 0 {
				continue
			}
			space := strings.Repeat(" ", list[i]-c.width())
			if i == 1 || i == 3 {
				line = append(append(line, Span{gap + space, Plain}), c...)
			} else {
				line = append(append(append(line, Span{gap, Plain}), c...), Span{space, Plain})
			}
		}
		lines = append(lines, line.trim().cut(width))
	}
	return lines
}

// trim drops blanks at the end.
func (l Line) trim() Line {
	for len(l) > 0 && strings.Trim(l[len(l)-1].Text, " ") == "" {
		l = l[:len(l)-1]
	}
	return l
}
