package testlist

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/lazyregexp"
	"github.com/disagg/disagg/pkg/roles"
)

// Marker is what a line says about its test.
type Marker string

// The markers.
const (
	Skip     Marker = "SKIP"     // it is not run
	XFail    Marker = "XFAIL"    // it is run, and expected to fail
	Unstable Marker = "UNSTABLE" // it is run, and does not count
)

// Test is one line of a list.
type Test struct {
	ID     string         // as pytest knows it, with its path
	Limit  roles.Duration // of the test; 0: the list does not say
	Marker Marker         // "": none
	Reason string         // of the marker
	Scope  string         // of a waive: the platform that it is for; "": every one
	Place  string         // file:line
	block  *block         // nil: none
}

var (
	scoped  = lazyregexp.New(`^full:([^/\s]+)/(.*)$`)
	idOf    = lazyregexp.New(`^(\S+?\[[^\]]*\]|\S+)(?:\s+|$)`)
	markers = lazyregexp.New(`^(TIMEOUT|SKIP|XFAIL|UNSTABLE|ISOLATION)\s*(?:\(([^)]*)\))?\s*`)
	options = lazyregexp.New(`^-[km]\s+(?:"[^"]*"|'[^']*'|\S+)\s*`)
)

// mostMinutes bounds a test's limit.
const mostMinutes = 60 * 24 * 30

// parseLine reads one line; ok is false for one that is empty or a comment.
func parseLine(text, place string) (t Test, ok bool, err error) {
	text, _, _ = strings.Cut(text, "#")
	if text = strings.TrimSpace(text); text == "" {
		return Test{}, false, nil
	}
	t.Place = place
	if m := scoped().FindStringSubmatch(text); m != nil {
		t.Scope, text = m[1], m[2]
	}
	m := idOf().FindStringSubmatch(text)
	if m == nil {
		return t, true, fmt.Errorf("%s: cannot read %.200q: want a test id", place, text)
	}
	t.ID = m[1]
	for rest := text[len(m[0]):]; rest != ""; {
		if o := options().FindString(rest); o != "" { // of tests that are none of ours
			t.ID, rest = t.ID+" "+strings.TrimSpace(o), rest[len(o):]
			continue
		}
		m := markers().FindStringSubmatch(rest)
		if m == nil {
			return t, true, fmt.Errorf("%s: cannot read %.200q after the test: want TIMEOUT (MINUTES), SKIP, "+
				"XFAIL, UNSTABLE or ISOLATION", place, rest)
		}
		if err := t.mark(m[1], strings.TrimSpace(m[2])); err != nil {
			return t, true, err
		}
		rest = rest[len(m[0]):]
	}
	return t, true, nil
}

// Pasted reads what a person passes for a test: a line of a list, with what stands after its id, or any other name of
// a case, which stays as it is.
func Pasted(text string) (Test, error) {
	text = strings.TrimSpace(text)
	id := idOf().FindString(text)
	behind, file := text[len(id):], strings.HasSuffix(text, ".yaml") || strings.HasSuffix(text, ".yml")
	wholeID := behind != "" && strings.HasSuffix(strings.TrimSpace(id), "]") && !file // a path may have blanks
	if !wholeID && !strings.HasPrefix(behind, "#") && !markers().MatchString(behind) {
		return Test{ID: text}, nil
	}
	t, _, err := parseLine(text, "cannot read the line")
	t.Place = ""
	return t, err
}

func (t *Test) mark(name, argument string) error {
	switch name {
	case "ISOLATION": // every test has a job of its own
		return nil
	case string(Skip), string(XFail), string(Unstable):
		t.Marker, t.Reason = Marker(name), argument
		return nil
	}
	n, err := strconv.Atoi(argument)
	if err != nil || n < 1 || n > mostMinutes {
		return fmt.Errorf("%s: TIMEOUT (%s): want whole minutes, 1 to %d", t.Place, argument, mostMinutes)
	}
	t.Limit = roles.Duration(time.Duration(n) * time.Minute)
	return nil
}
