package report

import (
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/protocol"
)

// The comment of a run says what the page says, in short.
func TestMarkdownGolden(t *testing.T) {
	for _, name := range []string{"passed", "failed", "earlier", "invalid", "nasty", "empty"} {
		t.Run(name, func(t *testing.T) { golden(t, name+".md", Markdown(Build(scenarios()[name]))) })
	}
}

// Nothing in a text ends the code span or block that it stands in.
func TestCode(t *testing.T) {
	for text, want := range map[string]string{
		"plain": "`plain`", "a`b": "``a`b``", "``": "``` `` ```", "": "–", "a```": "```` a``` ````",
	} {
		if got := code(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	if got := code(" \t "); got != "–" {
		t.Errorf("blanks became %q", got)
	}
	if got := fenceFor("a\n```\nb"); got != "````" {
		t.Errorf("the fence is %q", got)
	}
	if word("no verdict yet") != "no verdict yet" || word("@all") != "`@all`" {
		t.Error("words")
	}
}

// A comment is never longer than GitHub takes: what has no room is left out, and that is said; verdict and cause come
// first.
func TestMarkdownFits(t *testing.T) {
	in := failed()
	for range 3000 {
		in.Plan.Case.Notes = append(in.Plan.Case.Notes, strings.Repeat("é", 100))
	}
	in.Result.Points = nil
	for i := range 5000 {
		in.Result.Points = append(in.Result.Points, protocol.Point{Index: i, Concurrency: i})
	}
	text := string(Markdown(Build(in)))
	if n := len([]rune(text)); n > markdownMost || n < markdownMost/2 {
		t.Errorf("%d characters", n)
	}
	if !strings.HasPrefix(text, "### failed: ") || !strings.Contains(text, "CUDA out of memory") ||
		!strings.HasSuffix(text, " parts left out: the report is longer than a comment may be.\n") {
		t.Error(text[:500], text[len(text)-200:])
	}
}
