package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/runs"
)

// statusCommand tells how runs are.
func statusCommand() *cli.Command {
	return &cli.Command{
		Name:      "status",
		Usage:     "show the state of your active runs, or of the runs that you name",
		ArgsUsage: "[RUN…]",
		Description: `Of one RUN it shows where every role is, and ends with the verdict's exit code; 75 says that it
goes on. Without RUN all of yours are told that are not over.

` + whatRun + `

  disagg-submit status
  disagg-submit status 4459 || disagg-submit logs 4459 --failed
  disagg-submit status 4459 --endpoints >/etc/prometheus/disagg/4459.json`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "all", Usage: "also those that are over"}, jsonFlag(),
			&cli.BoolFlag{
				Name:  "endpoints",
				Usage: "print where the agents of one RUN answer /status and /metrics, as a file_sd of Prometheus",
			},
		},
		Action: func(c *cli.Context) error {
			if c.Bool("endpoints") {
				return showEndpoints(c)
			}
			if c.NArg() == 1 {
				return statusOfOne(c)
			}
			return statusOfMany(c)
		},
	}
}

func statusOfOne(c *cli.Context) error {
	dir, err := oneRun(c)
	if err != nil {
		return err
	}
	f, err := reader().Read(c.Context, dir)
	if err != nil {
		return err
	}
	s := runs.Summarize(f)
	if c.Bool("json") {
		return errors.Join(printJSON(c.App.Writer, runs.List{Schema: 1, Runs: []runs.Summary{s}}),
			command.Exit(s.ExitCode, nil))
	}
	if err := printStatus(c.App.Writer, []runs.Summary{s}, time.Now(), false); err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "\n%s\n", command.ShortPath(s.Dir))
	if f.Hub != nil {
		if err := printRoles(c.App.Writer, *f.Hub); err != nil {
			return err
		}
	}
	if f.Result != nil {
		report.Summary(c.App.Writer, report.Build(report.Input{Plan: f.Plan, Result: *f.Result}))
	}
	return command.Exit(s.ExitCode, nil)
}

func statusOfMany(c *cli.Context) error {
	list, err := chosenRuns(c)
	if err != nil {
		return err
	}
	all := reader().Summaries(c.Context, list)
	shown := all
	if !c.Bool("all") && c.NArg() == 0 {
		shown = slices.DeleteFunc(slices.Clone(all), func(s runs.Summary) bool {
			return s.State.IsOver() || s.State == runs.NotSubmitted
		})
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, runs.List{Schema: 1, Runs: append([]runs.Summary{}, shown...)})
	}
	if len(shown) == 0 {
		fmt.Fprintf(c.App.Writer, "no run is under way; %d %s: --all shows %s\n", len(all),
			plural(len(all), "run is over", "runs are over"), plural(len(all), "it", "them"))
		return nil
	}
	return printStatus(c.App.Writer, shown, time.Now(), true)
}

// chosenRuns are the runs that the command line names, else all.
func chosenRuns(c *cli.Context) ([]protocol.KnownRun, error) {
	cat, err := known()
	if err != nil {
		return nil, err
	}
	if c.NArg() == 0 {
		return cat.Runs()
	}
	var list []protocol.KnownRun
	for _, name := range c.Args().Slice() {
		dir, err := cat.Find(name)
		if err != nil {
			return nil, err
		}
		list = append(list, protocol.KnownRun{Dir: dir})
	}
	return list, nil
}

// longestState is how much of a state a line shows, in characters.
const longestState = 72

// printStatus prints a line per run. A long state is cut if that is wanted.
func printStatus(out io.Writer, list []runs.Summary, now time.Time, cut bool) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RUN\tJOB\tSTATE\tAGE\tCASE")
	for _, s := range list {
		text := s.Text
		if !s.Starts.IsZero() {
			text += ", starts about " + clock(s.Starts, now)
		}
		if r := []rune(text); cut && len(r) > longestState {
			text = string(r[:longestState]) + "…"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.ID, cmp.Or(s.Job, "–"), text, age(s, now), s.Title())
	}
	return w.Flush()
}

// clock is a time of day, with the day unless that is today.
func clock(at, now time.Time) string {
	if at, now = at.Local(), now.Local(); at.YearDay() == now.YearDay() && at.Year() == now.Year() {
		return at.Format("15:04")
	}
	return at.Local().Format("2006-01-02 15:04")
}

// age is for how long a run has gone on, or how long ago it ended.
func age(s runs.Summary, now time.Time) string {
	if s.Ended.IsZero() {
		return since(now.Sub(s.Submitted))
	}
	return since(now.Sub(s.Ended)) + " ago"
}

// since is a length of time, roughly: 41 s, 12 min, 3 h, 5 days.
func since(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours())/24)
}

// printRoles prints where every role is, by what the hub has told last.
func printRoles(out io.Writer, s protocol.State) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s, as of %s\n\n", s.Phase, s.At.Local().Format("2006-01-02 15:04:05"))
	fmt.Fprintln(w, "ROLE\tRANKS\tATTACHED\tSTARTED\tREADY\tGONE\tADDRESS")
	for _, r := range s.Roles {
		ready := "no"
		if r.Ready {
			ready = "yes"
		}
		where := cmp.Or(r.Address, "–")
		if r.Unready != "" {
			where += "  " + report.Printable(r.Unready)
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%d\t%s\n", r.Role, r.Ranks, r.Attached, r.Started, ready, r.Gone, where)
	}
	return w.Flush()
}
