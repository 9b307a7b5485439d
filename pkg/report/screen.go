package report

import (
	"cmp"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// Screen is where a summary is shown.
type Screen struct {
	// Width in columns; 0: lines are as long as they are.
	Width int
	// Attempt is the attempt's folder as it is to be named to people; "": logs are named from there.
	Attempt string
	// Again is the command that runs the same once more; "": there is none.
	Again string
}

// messageLines is how many lines of a screen a message may have.
const messageLines = 3

// Failure is the block that says why a run did not pass: who is to blame and what happened, when, the lines of the log
// around the one that explains, what followed, and what may help. It is empty if nothing failed.
func (s Screen) Failure(m Model) (lines []string) {
	f := m.Failure
	if f == nil {
		return nil
	}
	add := func(indent, text string) {
		for _, l := range wrap(text, s.room(indent)) {
			lines = append(lines, strings.TrimRight(indent+l, " "))
		}
	}
	if text := m.circumstances(); text != "" {
		add("        ", text)
	}
	lines = append(lines, "")
	add("  ", f.Headline())
	for i, l := range wrap(f.Message, s.room("      ")) {
		if i == messageLines {
			break
		}
		lines = append(lines, "      "+l)
	}
	lines = append(lines, s.excerpt(f.Excerpt)...)
	lines = append(lines, "")
	if text := f.consequences(); text != "" {
		add("  ", text)
		lines = append(lines, "")
	}
	var labelled []string
	for _, label := range []struct {
		name, text string
		wrap       func(string, int) []string
	}{
		{"at", f.Source, wrapWords}, {"client", f.clientIn(s.Attempt), wrapWords},
		{"log", f.placeIn(s.Attempt), wrapWords}, {"try", f.Hint, wrap}, {"again", s.Again, wrapWords},
	} {
		if label.text == "" {
			continue
		}
		for i, l := range label.wrap(label.text, s.room("         ")) {
			name := label.name
			if i > 0 {
				name = ""
			}
			labelled = append(labelled, fmt.Sprintf("  %-7s%s", name, harmless(l)))
		}
	}
	for i, l := range lines {
		lines[i] = s.cut(harmless(l))
	}
	return append(lines, labelled...)
}

// Headline is who is to blame, and what happened.
func (f Failure) Headline() string { return f.Who + " " + f.What }

// Sentence is the headline with the line that explains.
func (f Failure) Sentence() string {
	return strings.TrimSuffix(f.Headline()+": "+f.Message, ": ")
}

// place is where in its log the line that explains is, from the attempt's folder.
func (f Failure) place() string { return f.placeIn("") }

// placeIn is where in its log the line that explains is, as editors and pagers take it; "" if there is no log.
func (f Failure) placeIn(attempt string) string {
	if f.Log == "" {
		return ""
	}
	place := cmp.Or(path.Join(attempt, f.Log), f.Log)
	if f.Line > 0 {
		place += fmt.Sprintf(":%d", f.Line)
	}
	return place
}

// clientIn is what the client says, and where.
func (f Failure) clientIn(attempt string) string {
	c := f.Client
	if c == nil {
		return ""
	}
	return fmt.Sprintf("%s (%s:%d)", c.Text, path.Join(attempt, c.Log), c.Line)
}

// excerpt are lines of a log with their numbers; the one that explains has a mark.
func (s Screen) excerpt(list []ExcerptLine) (lines []string) {
	if len(list) == 0 {
		return nil
	}
	lines = append(lines, "")
	digits := len(fmt.Sprint(list[len(list)-1].Number))
	for _, l := range list {
		mark, number := " ", ""
		if l.Marked {
			mark = ">"
		}
		if l.Number > 0 {
			number = fmt.Sprintf("%*d ", digits, l.Number)
		}
		line := fmt.Sprintf("    %s %s%s%s", mark, number, gutter, l.Text)
		lines = append(lines, strings.TrimRight(s.cut(line), " "))
	}
	return lines
}

// room is what is left of a line after an indent; 0: as much as is needed.
func (s Screen) room(indent string) int {
	if s.Width == 0 {
		return 0
	}
	return max(s.Width-len(indent), minWidth)
}

// minWidth is the least that lines are cut and wrapped to.
const minWidth = 20

// cut cuts a line to the width of the screen.
func (s Screen) cut(line string) string {
	runes := []rune(line)
	if width := max(s.Width, minWidth); s.Width > 0 && len(runes) > width {
		return string(runes[:width-2]) + " …"
	}
	return line
}

// wrapWords breaks a text into lines between words alone: a path or a command that is longer than a line stays whole,
// so that it can be copied. 0: it is left as it is.
func wrapWords(text string, width int) (lines []string) {
	line := ""
	for i, word := range strings.Split(text, " ") {
		switch {
		case i == 0:
			line = word
		case width > 0 && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// wrap breaks a text into lines of so many characters at most, between words where that is possible; 0: it is left as
// it is. No text has no lines.
func wrap(text string, width int) (lines []string) {
	rest := []rune(text)
	for width > 0 && len(rest) > width {
		at := width
		for i := width; i >= width/2; i-- {
			if rest[i] == ' ' {
				at = i
				break
			}
		}
		lines = append(lines, string(rest[:at]))
		rest = rest[at:]
		for len(rest) > 0 && rest[0] == ' ' {
			rest = rest[1:]
		}
	}
	if len(rest) > 0 {
		lines = append(lines, string(rest))
	}
	return lines
}
