package notice

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
)

// List is what became of a list of tests.
type List struct {
	// Counts is how many tests came to what: passed, failed, not run and so on, as the list's summary calls it.
	Counts map[string]int `json:"counts"`
	// Failures are the tests that make the list fail, in its order.
	Failures []Failure `json:"failures"`
}

// Failure is a test that makes its list fail.
type Failure struct {
	Test   string `json:"test"`
	Status string `json:"status"` // as in Counts
	Why    string `json:"why,omitempty"`
	// FirstCause is absent if there is no verdict.
	FirstCause *Cause `json:"first_cause,omitempty"`
	RunDir     string `json:"run_dir,omitempty"` // absent if nothing was submitted
	JobID      string `json:"job_id,omitempty"`
}

// ListEnded is how a list of tests ended.
type ListEnded struct {
	ID      string // of this run of the list, as no other has it
	Name    string // of the list
	Began   time.Time
	At      time.Time
	Code    int    // the exit code
	Summary string // how many tests came to what, in one line
	Links   Links
}

// OfList is the notice of a list, without an id.
func OfList(l List, end ListEnded) Notice {
	n := Notice{
		Schema: 1, At: end.At.UTC(), RunID: end.ID, Case: end.Name, TestID: end.Name, Verdict: string(protocol.Failed),
		ExitCode: end.Code, Seconds: end.At.Sub(end.Began).Seconds(), Points: []Point{}, Links: end.Links, List: &l,
	}
	switch end.Code {
	case protocol.ExitPassed:
		n.Verdict = string(protocol.Passed)
	case protocol.ExitPending: // jobs go on
		n.Verdict = report.NoVerdict
	}
	if n.Verdict != string(protocol.Passed) {
		n.Why = report.Printable(end.Summary)
	}
	n.Text = strings.Join(l.lines(report.Printable(n.heading()), end), "\n")
	return n
}

// mostTold is how many failures the text tells one by one. The document has all.
const mostTold = 20

// lines are the list for people.
func (l List) lines(heading string, end ListEnded) []string {
	lines := []string{heading, end.Summary}
	for i, f := range l.Failures {
		if i == mostTold {
			lines = append(lines, fmt.Sprintf("and %d more", len(l.Failures)-i))
			break
		}
		why := cmp.Or(f.Why, "see "+f.RunDir)
		lines = append(lines, report.Printable(fmt.Sprintf("%s %s: %s", f.Status, f.Test, why)))
	}
	return append(lines, cmp.Or(end.Links.Report, end.Links.RunDir))
}
