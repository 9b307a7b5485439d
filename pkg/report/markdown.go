package report

import (
	"fmt"
	"strings"
)

// markdownMost is how many characters Markdown may have: GitHub takes 65,536 for a comment.
const markdownMost = 60_000

// Markdown is the report for a comment on a pull request, or for the summary of a CI job: in GitHub's dialect, at most
// 60,000 characters long. Texts that come from elsewhere stand in code spans, where nothing in them has a meaning: they
// name nobody and link to nothing.
func Markdown(m Model) []byte {
	d := markdown{most: markdownMost}
	d.add("### %s: %s\n\n", word(m.Run.Ending()), code(m.Run.Title()))
	d.head(m)
	d.failure(m)
	if r := m.Regression; r != nil {
		d.add("**Regression check: %s.** %s\n\n", word(r.Status), code(r.Reason))
	}
	d.points(m)
	for _, note := range m.Notes {
		d.add("- %s\n", code(note))
	}
	d.findings(m)
	if d.left > 0 {
		fmt.Fprintf(&d.Builder, "\n%s left out: the report is longer than a comment may be.\n", several(d.left, "part"))
	}
	return []byte(strings.TrimRight(d.String(), "\n") + "\n")
}

// markdown grows part by part; a part that has no room is left out.
type markdown struct {
	strings.Builder
	most int // characters
	used int
	left int // parts that had no room
}

// lastWord is what is kept free for saying that something is left out.
const lastWord = 120

func (d *markdown) add(format string, args ...any) {
	part := fmt.Sprintf(format, args...)
	size := len([]rune(part))
	if d.used+size > d.most-lastWord {
		d.left++
		return
	}
	d.used += size
	d.WriteString(part)
}

// head is what was measured, best first.
func (d *markdown) head(m Model) {
	if b := m.Best; b != nil {
		user := ""
		if b.TokPerUser > 0 {
			user = fmt.Sprintf(" and **%s output tok/s/user**", figure(b.TokPerUser))
		}
		d.add("**%s output tok/s/GPU**%s at concurrency %d", figure(b.TokPerGPU), user, b.Concurrency)
		if before := m.before(); before != "" && b.Change != 0 {
			d.add(" (%s to %s)", percent(b.Change), before)
		}
		d.add("\n\n")
	}
	var facts []string
	for _, f := range []string{
		m.Setup.gpus(), m.Setup.Origin.GPU, m.Setup.servers(), m.load(), m.Setup.Model, m.Setup.Precision,
		m.Setup.engine(), m.gpuUse(),
	} {
		if f != "" {
			facts = append(facts, code(f))
		}
	}
	if m.Run.Seconds > 0 {
		facts = append(facts, span(m.Run.Seconds))
	}
	if len(facts) > 0 {
		d.add("%s\n\n", strings.Join(facts, " · "))
	}
}

// failure is the first cause, with the lines around the one that explains.
func (d *markdown) failure(m Model) {
	f := m.Failure
	if f == nil {
		return
	}
	d.add("**%s** %s\n\n", code(f.Who), code(f.What))
	if f.Message != "" {
		d.add("%s\n\n", code(f.Message))
	}
	if text := strings.TrimSpace(strings.Join([]string{m.circumstances(), f.consequences()}, ". ")); text != "." {
		d.add("%s\n\n", upperFirst(text))
	}
	d.excerpt(f.Excerpt)
	if f.Log != "" {
		d.add("%s\n\n", code(f.place()))
	}
	if f.Client != nil {
		d.add("**client** %s\n\n", code(f.clientIn("")))
	}
	if f.Hint != "" {
		d.add("**try** %s\n\n", code(f.Hint))
	}
}

// excerpt is a few lines of a log, of which one is marked.
func (d *markdown) excerpt(lines []ExcerptLine) {
	if len(lines) == 0 {
		return
	}
	var text strings.Builder
	for _, l := range lines {
		sign, number := " ", ""
		if l.Marked {
			sign = ">"
		}
		if l.Number > 0 {
			number = fmt.Sprintf("%6d  ", l.Number)
		}
		fmt.Fprintf(&text, "%s %s%s\n", sign, number, l.Text)
	}
	fence := fenceFor(text.String())
	d.add("%stext\n%s%s\n\n", fence, text.String(), fence)
}

// points is the table, and one more for each measurement that followed.
func (d *markdown) points(m Model) {
	columns := m.columns()
	d.table(columns, m.Points)
	for _, again := range m.Again {
		d.add("Measurement %d, on the same servers:\n\n", again.Number)
		d.table(columns, again.Points)
	}
}

func (d *markdown) table(columns []column, points []PointInfo) {
	if len(points) == 0 {
		return
	}
	var text strings.Builder
	text.WriteString("| concurrency | requests |")
	rule := "\n|---:|---:|"
	for _, c := range columns {
		text.WriteString(" " + c.Heading + " |")
		rule += "---:|"
	}
	text.WriteString(rule + "\n")
	for _, p := range points {
		text.WriteString(p.markdown(columns))
	}
	d.add("%s\n", text.String())
	for _, p := range points {
		if p.State == Invalid {
			d.add("- concurrency %d does not count: %s\n", p.Concurrency, code(p.Reason))
		}
	}
	d.add("\n")
}

// markdown is the point's row: one that does not count is struck out.
func (p PointInfo) markdown(columns []column) string {
	strike := ""
	if p.State == Invalid {
		strike = "~~"
	}
	row := fmt.Sprintf("| %s%d%s | %s |", strike, p.Concurrency, strike, p.requests())
	for _, c := range p.cells(columns) {
		text := c.Value
		if text != "–" {
			text = strike + text + strike
		}
		if c.Change != "" {
			text += " (" + strings.TrimSpace(c.Change+" "+c.Mark) + ")"
		}
		row += " " + text + " |"
	}
	return row + "\n"
}

// findings are those of the regression check that people should look at.
func (d *markdown) findings(m Model) {
	if m.Regression == nil {
		return
	}
	for _, f := range m.Regression.Findings {
		if f.Status != statusPassed && f.Status != statusUnknown {
			d.add("- %s\n", code(f.Text))
		}
	}
}

// word is a text as it stands if it is but words, and else a code span.
func word(text string) string {
	for _, r := range text {
		if r != ' ' && (r < 'a' || r > 'z') {
			return code(text)
		}
	}
	return text
}

// code is a text as a code span.
func code(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return "–"
	}
	fence := strings.Repeat("`", longestRun(text)+1)
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") {
		text = " " + text + " "
	}
	return fence + text + fence
}

// fenceFor is a fence that no line of a text ends.
func fenceFor(text string) string { return strings.Repeat("`", max(3, longestRun(text)+1)) }

// longestRun is the length of the longest run of backticks.
func longestRun(text string) (longest int) {
	n := 0
	for _, c := range text {
		if n++; c != '`' {
			n = 0
		}
		longest = max(longest, n)
	}
	return longest
}
