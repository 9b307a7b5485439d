package main

import (
	"cmp"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/runs"
)

// runsCommand lists runs.
func runsCommand() *cli.Command {
	return &cli.Command{
		Name:  "runs",
		Usage: "list your runs, the newest first: verdict, best result, and where they are",
		Description: `Your runs are those that you have submitted, by the list in your data folder, and those whose
folders lie in the current folder or below its runs/.

  disagg-submit runs --since 7d --failed
  disagg-submit runs --case '*dsr1*con2048*' --tag baseline --json`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "case", Usage: "only cases whose name fits the pattern `GLOB`"},
			&cli.StringFlag{Name: "since", Usage: "only of the last `TIME`, such as 7d, 12h or 1-12:00:00"},
			&cli.BoolFlag{Name: "failed", Usage: "only those that are over and have not passed"},
			&cli.StringSliceFlag{
				Name: "tag", Usage: "only those with the `TAG`; may be repeated, or several with commas",
			},
			jsonFlag(),
		},
		Subcommands: []*cli.Command{pruneCommand()},
		Action:      listRuns,
	}
}

func listRuns(c *cli.Context) error {
	if c.NArg() > 0 {
		return command.Unknown(c)
	}
	keep, err := filterOf(c, time.Now())
	if err != nil {
		return err
	}
	list, err := knownRuns()
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(k protocol.KnownRun) bool { return !keep.may(k) })
	shown := slices.DeleteFunc(reader().Summaries(c.Context, list), func(s runs.Summary) bool { return !keep.fits(s) })
	if c.Bool("json") {
		return printJSON(c.App.Writer, runs.List{Schema: 1, Runs: append([]runs.Summary{}, shown...)})
	}
	return printRuns(c.App.Writer, shown)
}

// filter chooses runs.
type filter struct {
	glob   string
	after  time.Time // zero: any
	failed bool
	tags   []string
}

func filterOf(c *cli.Context, now time.Time) (f filter, err error) {
	f = filter{glob: c.String("case"), failed: c.Bool("failed"), tags: command.List(c, "tag")}
	if _, err := path.Match(f.glob, ""); err != nil {
		return f, fmt.Errorf("cannot read --case %q: %w", f.glob, err)
	}
	if c.IsSet("since") {
		d, err := parseAge(c.String("since"))
		if err != nil {
			return f, fmt.Errorf("cannot read --since: %w", err)
		}
		f.after = now.Add(-d)
	}
	return f, nil
}

// may tells whether a run fits as far as is known without reading it.
func (f filter) may(k protocol.KnownRun) bool {
	ok := true
	if f.glob != "" {
		ok, _ = path.Match(f.glob, k.Case)
	}
	return ok && !k.At.Before(f.after)
}

func (f filter) fits(s runs.Summary) bool {
	for _, t := range f.tags {
		if !slices.Contains(s.Tags, t) {
			return false
		}
	}
	return !f.failed || (s.State.IsOver() || s.State == runs.Kept) && s.Verdict != protocol.Passed
}

// parseAge reads a length of time such as 7d, 12h or 1-12:00:00; 0s is none at all. A number alone would be minutes for
// Slurm, and days for whoever thinks of old runs: it is refused.
func parseAge(text string) (time.Duration, error) {
	if text == "0s" {
		return 0, nil
	}
	age, err := roles.ParseLimit(text)
	if _, number := strconv.Atoi(text); err != nil || number == nil {
		return 0, fmt.Errorf("%q is no length of time: want for example 7d, 12h or 1-12:00:00", text)
	}
	return age.Std(), nil
}

func printRuns(out io.Writer, list []runs.Summary) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RUN\tWHEN\tVERDICT\tGPUS\tBEST tok/s/GPU\tENGINE\tTAGS\tCASE\tFOLDER")
	for _, s := range list {
		best := "–"
		if s.Best != nil {
			best = fmt.Sprintf("%.1f at concurrency %d", s.Best.TokPerGPU, s.Best.Concurrency)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\n", s.ID, s.Submitted.Local().Format("2006-01-02 15:04"),
			word(s), s.GPUs, best, cmp.Or(s.Engine, "–"), cmp.Or(strings.Join(s.Tags, ","), "–"), s.Title(),
			command.ShortPath(s.Dir))
	}
	return w.Flush()
}

// word is the verdict, or how far a run is that has none.
func word(s runs.Summary) string {
	return cmp.Or(string(s.Verdict), strings.ReplaceAll(string(s.State), "_", " "))
}
