package dispatch

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/roles"
)

// statuses in the order in which a summary counts them.
var statuses = []Status{
	Planned, Submitted, Passed, Failed, Excused, Refused, NotRun, Watching, Skipped, Waived, NotOurs,
}

// Counts is how many runs came to what, in one line.
func Counts(entries []Entry) string {
	n, what := map[Status]int{}, "tests"
	for _, e := range entries {
		n[e.Status]++
		if len(e.Variant) > 0 {
			what = "runs"
		}
	}
	var parts []string
	for _, s := range statuses {
		if n[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[s], s))
		}
	}
	if len(entries) == 1 {
		what = strings.TrimSuffix(what, "s")
	}
	return fmt.Sprintf("%d %s: %s", len(entries), what, strings.Join(parts, ", "))
}

// Summary shows every run in a line, what needs attention last, and how many came to what. Of variants it shows the
// best result beside what was varied.
func Summary(out io.Writer, entries []Entry) error {
	sorted := slices.Clone(entries)
	slices.SortStableFunc(sorted, func(a, b Entry) int {
		return boolToInt(a.Fails(true)) - boolToInt(b.Fails(true))
	})
	varied := slices.ContainsFunc(entries, func(e Entry) bool { return len(e.Variant) > 0 })
	rows := [][]string{{"STATUS", "TIME", "TEST", "WHY"}}
	if varied {
		rows[0] = slices.Insert(rows[0], 3, "BEST tok/s/GPU", "tok/s/user", "CONCURRENCY")
	}
	for _, e := range sorted {
		took := ""
		if e.Took > 0 {
			took = e.Took.Round(time.Second).String()
		}
		row := []string{string(e.Status), took, e.Name, oneLine(e.Detail)}
		if varied {
			row = slices.Insert(row, 3, e.best()...)
		}
		rows = append(rows, row)
	}
	return table(out, rows, Counts(entries))
}

// best is the run's best point as cells of a table.
func (e Entry) best() []string {
	if e.Result != nil {
		if b := report.Build(report.Input{Plan: e.Job.Plan, Result: *e.Result}).Best; b != nil {
			user := "–"
			if b.TokPerUser > 0 {
				user = fmt.Sprintf("%.1f", b.TokPerUser)
			}
			return []string{fmt.Sprintf("%.1f", b.TokPerGPU), user, fmt.Sprint(b.Concurrency)}
		}
	}
	return []string{"–", "–", "–"}
}

// table prints rows in columns, without blanks at the end of a line, and a line below them.
func table(out io.Writer, rows [][]string, last string) error {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		if _, err := fmt.Fprintln(out, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(out, last)
	return err
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func oneLine(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	return text
}

// Plans shows what would be run, a line per run: nodes, GPUs, limit and recipe, or why not.
func Plans(out io.Writer, entries []Entry) error {
	rows := [][]string{{"STATUS", "NODES", "GPUS", "LIMIT", "RECIPE", "TEST", "WHY"}}
	for _, e := range entries {
		nodes, gpus, limit, recipe, why := "", "", "", "", e.Detail
		if p := e.Job.Plan; e.Status == Planned {
			nodes, gpus = fmt.Sprint(p.Layout.TotalNodes), fmt.Sprint(p.Layout.TotalGPUs())
			limit, recipe = p.Timeouts.Job.Std().String(), p.Recipe.Name
			why = strings.Join(p.Case.Notes, "; ")
		}
		rows = append(rows, []string{string(e.Status), nodes, gpus, limit, recipe, e.Name, oneLine(why)})
	}
	return table(out, rows, Counts(entries))
}

// JUnit is the runs as CI systems read them: a failed test is a failure, or an error if what was tested is not to
// blame; one that could not be run, or has not ended, is an error; one that was left out or is excused is skipped.
func JUnit(name string, entries []Entry) ([]byte, error) {
	s := report.Suite{Name: name}
	for _, e := range entries {
		s.Cases = append(s.Cases, e.junit())
	}
	return s.XML()
}

// junitName is the class and the name that CI systems know the run by; of a list's test, those that pytest gives it.
func (e Entry) junitName() (class, name string) {
	if e.Test.Place == "" {
		return "", e.Name
	}
	name = e.Test.ID
	if before, behind, ok := strings.Cut(name, "::"); ok {
		class, name = before, behind
	}
	return class, roles.Title(name, e.Variant)
}

func (e Entry) junit() report.Case {
	class, id := e.junitName()
	c := report.Case{Class: class, Name: id, Took: e.Took, Message: oneLine(e.Detail), Text: e.text()}
	switch e.Status {
	case Failed:
		c.State = report.CaseFailed
	case Refused, NotRun, Watching:
		c.State = report.CaseError
	case Planned:
		c.State, c.Message = report.CaseError, string(NotRun)
	case Skipped, Waived, NotOurs, Excused, Submitted:
		c.State, c.Message = report.CaseSkipped, strings.TrimSpace(string(e.Status)+": "+c.Message)
	}
	if r := e.Result; r != nil {
		if r.FirstCause != nil && e.Status == Failed {
			c.State, c.Type = report.CaseOf(r.FirstCause.Kind), string(r.FirstCause.Kind)
		}
		c.Properties = report.Build(report.Input{Plan: e.Job.Plan, Result: *r}).Properties()
	}
	return c
}

// text is what is known of a failure: its cause with the lines around the telling one, and where the rest is.
func (e Entry) text() string {
	lines := []string{e.Detail}
	if r := e.Result; r != nil && r.FirstCause != nil {
		lines = append(lines, r.FirstCause.Excerpt...)
	}
	if e.RunDir != "" {
		lines = append(lines, "run "+e.RunDir, "job "+e.JobID)
	}
	return strings.Join(slices.DeleteFunc(lines, func(l string) bool { return l == "" }), "\n")
}
