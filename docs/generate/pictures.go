package main

import (
	"errors"
	"fmt"
	"html"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"
)

// screens are the pictures of terminals, by what each shows: a file that a test compares with what people see.
var screens = map[string]string{
	"watch.svg":   "pkg/live/testdata/loading-80x24.txt",
	"points.svg":  "pkg/live/testdata/measuring-80x24.txt",
	"failure.svg": "pkg/report/testdata/screen.txt",
}

// pictures draws what people see of a run, from what the tests compare with.
func pictures(files map[string][]byte) error {
	for name, source := range screens {
		text, err := os.ReadFile(source)
		if err != nil {
			return err
		}
		files["docs/pictures/"+name] = []byte(terminal(string(text)))
	}
	page, err := os.ReadFile("pkg/report/testdata/earlier.html")
	if err != nil {
		return err
	}
	curve := regexp.MustCompile(`(?s)<svg.*?</svg>`).Find(page)
	if curve == nil {
		return errors.New("cannot draw the report: its page has no curve")
	}
	files["docs/pictures/curve.svg"] = []byte(onPaper(string(curve)))
	return nil
}

// Sizes of a terminal in a picture, in pixels.
const (
	column, row = 8.4, 19.0
	margin      = 16.0
)

// terminal draws a screen. What tells of a fault, or of what to look at, is in another colour.
func terminal(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	columns := 0
	for _, l := range lines {
		columns = max(columns, utf8.RuneCountInString(l))
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" font-size="14" `+
		`font-family="ui-monospace, Menlo, Consolas, monospace">`+"\n",
		2*margin+float64(columns)*column, 2*margin+float64(len(lines))*row)
	b.WriteString(`<rect width="100%" height="100%" rx="8" fill="#0d1117"/>` + "\n")
	for i, l := range lines {
		if l == "" {
			continue
		}
		fmt.Fprintf(&b, `<text x="%.0f" y="%.0f" textLength="%.1f" xml:space="preserve" fill="%s">%s</text>`+"\n",
			margin, margin+float64(i+1)*row-5, float64(utf8.RuneCountInString(l))*column, colour(l),
			html.EscapeString(l))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func colour(line string) string {
	switch text := strings.TrimSpace(line); {
	case strings.Contains(text, "✗"), strings.HasPrefix(text, ">"):
		return "#ff7b72"
	case strings.HasPrefix(text, "try "):
		return "#7ee787"
	}
	return "#e6edf3"
}

// onPaper makes a drawing of a page a picture of its own, with the page's colours for paper.
func onPaper(svg string) string {
	return strings.Replace(svg, "<svg", `<svg xmlns="http://www.w3.org/2000/svg" style="background:#ffffff"`, 1) + "\n"
}
