package doctor

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/report"
)

// Level is how bad a finding is.
type Level string

// The levels.
const (
	OK   Level = "ok"
	Warn Level = "warn" // a job may pass all the same
	Fail Level = "FAIL" // it cannot
)

// Finding is what a check has to say.
type Finding struct {
	Level Level  `json:"level"`
	Check string `json:"check"` // what was looked at, in a word: partition, agent, gpus
	Text  string `json:"text"`  // what was found
	Do    string `json:"do,omitempty"`
	// Refused says that the scheduler would not take the job.
	Refused bool `json:"refused,omitempty"`
}

// Good is a finding of what is as it should be.
func Good(check, format string, args ...any) Finding {
	return Finding{Level: OK, Check: check, Text: fmt.Sprintf(format, args...)}
}

// Doubt is a finding that may be harmless, or of what could not be asked. It says what to do, "" if that is clear.
func Doubt(check, do, format string, args ...any) Finding {
	return Finding{Level: Warn, Check: check, Text: fmt.Sprintf(format, args...), Do: do}
}

// Bad is a finding that a job would fail of, and says what to do.
func Bad(check, do, format string, args ...any) Finding {
	return Finding{Level: Fail, Check: check, Text: fmt.Sprintf(format, args...), Do: do}
}

// String is a finding in one line: the level, what was found, and what to do. What a program on a node has said may be
// part of it, so that nothing in it acts on a terminal.
func (f Finding) String() string {
	line := fmt.Sprintf("%-4s  %s", f.Level, f.Text)
	if f.Do != "" {
		line += ": " + f.Do
	}
	lines := strings.FieldsFunc(line, func(r rune) bool { return r == '\n' || r == '\r' })
	return report.Printable(strings.Join(lines, " "))
}

// Failures are the findings that a job would fail of.
func Failures(list []Finding) []Finding {
	return slices.DeleteFunc(slices.Clone(list), func(f Finding) bool { return f.Level != Fail })
}

// Refused tells whether the scheduler would not take the job.
func Refused(list []Finding) bool {
	return slices.ContainsFunc(list, func(f Finding) bool { return f.Level == Fail && f.Refused })
}

// Print writes findings, a line each, in their order.
func Print(out io.Writer, list []Finding) error {
	for _, f := range list {
		if _, err := fmt.Fprintln(out, f); err != nil {
			return err
		}
	}
	return nil
}

// Report is all that was found, for programs.
type Report struct {
	Schema   int       `json:"schema"` // 1
	OK       bool      `json:"ok"`     // nothing would fail a job
	Findings []Finding `json:"findings"`
}

// NewReport is the report of findings.
func NewReport(list []Finding) Report {
	return Report{Schema: 1, OK: len(Failures(list)) == 0, Findings: append([]Finding{}, list...)}
}
