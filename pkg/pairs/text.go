package pairs

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/disagg/disagg/pkg/compare"
	"github.com/disagg/disagg/pkg/results"
)

// Print prints for people what pairs say.
func (r Result) Print(out io.Writer) error {
	kept := "servers were started for each measurement"
	if r.Kept {
		kept = "on kept servers, each after a warm-up"
	}
	fmt.Fprintf(out, "%d of %d pairs, %s\n\n", r.Pairs, r.Asked, kept)
	if len(r.Rows) == 0 {
		fmt.Fprintln(out, "no concurrency was measured by both")
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "conc\tmetric\tA -> B\tchange\tby chance\twould have been seen\t")
	for _, row := range r.Rows {
		for _, c := range row.Cells {
			fmt.Fprintf(w, "%d\t%s\t%s -> %s\t%s\t%s\t%s\t\n", row.Concurrency, c.label(), compare.Short(c.A),
				compare.Short(c.B), c.change(), chance(c.P), c.seen())
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out, "▼ worse, ▲ better, = no difference was seen, ? too few pairs to tell")
	return nil
}

func (c Cell) label() string {
	if m, ok := results.MetricNamed(c.Metric); ok {
		return compare.Heading(m)
	}
	return c.Metric
}

func (c Cell) change() string {
	mark := map[Mark]string{Worse: "▼", Better: "▲", Same: "=", Unclear: "?"}[c.Mark]
	return fmt.Sprintf("%+.1f %% %s", 100*c.Change, mark)
}

// seen is the smallest change that would have been seen, in words.
func (c Cell) seen() string {
	if c.Detectable == 0 {
		return "–"
	}
	return fmt.Sprintf("from %.1f %%", 100*c.Detectable)
}

// chance is a probability as people read it.
func chance(p float64) string {
	if p < 0.0001 {
		return "< 0.0001"
	}
	return strconv.FormatFloat(p, 'f', 4, 64)
}
