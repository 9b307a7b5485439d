package compare

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/disagg/disagg/pkg/results"
)

// mostDifferences is how many differences are listed.
const mostDifferences = 12

// PrintSides prints for people which runs are compared, and what they ran differently.
func (c Comparison) PrintSides(out io.Writer) {
	fmt.Fprintf(out, "A  %s\nB  %s\n%s\n", c.A, c.B, c.whatDiffers())
}

// Print prints a comparison for people.
func (c Comparison) Print(out io.Writer) error {
	c.PrintSides(out)
	for _, text := range c.Missing {
		fmt.Fprintf(out, "%s\n", text)
	}
	if len(c.Rows) == 0 {
		fmt.Fprintln(out, "\nno concurrency was measured by both")
		return nil
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "conc\t")
	for _, m := range Metrics() {
		fmt.Fprintf(w, "%s\t\t", Heading(m))
	}
	fmt.Fprintln(w)
	unclear, judged := -1, -1 // earlier runs of the cells that are, or none
	for _, r := range c.Rows {
		fmt.Fprintf(w, "%d\t", r.Concurrency)
		for _, m := range Metrics() {
			text, change := r.cell(m)
			fmt.Fprintf(w, "%s\t%s\t", text, change)
		}
		fmt.Fprintln(w)
		for _, cell := range r.Cells {
			past := &judged
			if cell.Mark == Unclear {
				past = &unclear
			}
			*past = max(*past, cell.Past)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if unclear >= 0 {
		fmt.Fprintf(out, "? whether this is usual cannot be told: there are %d earlier runs of this case\n", unclear)
	}
	if judged >= 0 {
		fmt.Fprintf(out, "▼ worse, ▲ better than what the last %d runs of this case span\n", judged)
	}
	return nil
}

// Heading is a metric's label, with its unit where that is not part of it.
func Heading(m results.Metric) string {
	if m.Unit == "ms" {
		return m.Label + " ms"
	}
	return m.Label
}

// String is the side in a line.
func (l Label) String() string {
	parts := []string{l.Name}
	if !l.At.IsZero() {
		parts = append(parts, l.At.UTC().Format("2006-01-02 15:04"))
	}
	if l.Verdict != "" {
		parts = append(parts, string(l.Verdict))
	}
	return strings.Join(parts, "  ")
}

func (c Comparison) whatDiffers() string {
	var b strings.Builder
	switch len(c.Differs) {
	case 0:
		b.WriteString("differs: nothing known")
	case 1:
		fmt.Fprintf(&b, "differs: %s. Nothing else: one variable", c.Differs[0])
	default:
		fmt.Fprintf(&b, "differs in %d things: which one did it cannot be told", len(c.Differs))
		for i, d := range c.Differs {
			if i == mostDifferences {
				fmt.Fprintf(&b, "\n  and %d more", len(c.Differs)-i)
				break
			}
			fmt.Fprintf(&b, "\n  %s", d)
		}
	}
	if len(c.Unknown) > 0 {
		fmt.Fprintf(&b, "\nnot recorded for both: %s", strings.Join(c.Unknown, ", "))
	}
	return b.String()
}

func (r Row) cell(m results.Metric) (text, change string) {
	for _, c := range r.Cells {
		if c.Metric != m.Name {
			continue
		}
		mark := map[Mark]string{Worse: " ▼", Better: " ▲", Unclear: " ?"}[c.Mark]
		return Short(c.A) + " -> " + Short(c.B), fmt.Sprintf("%+.1f %%%s", 100*c.Change, mark)
	}
	return "–", ""
}

// Short is a number with about three digits.
func Short(v float64) string {
	switch {
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}
