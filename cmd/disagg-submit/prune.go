package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/runs"
	"github.com/disagg/disagg/pkg/upload"
)

// pruneCommand deletes the logs of old runs.
func pruneCommand() *cli.Command {
	return &cli.Command{
		Name:  "prune",
		Usage: "delete the logs of old runs; verdicts, reports and records stay",
		Description: `What is deleted of each attempt: logs, the folders that ranks worked in, and what the engine left.
A run that is not over is left alone, and so is what is still to be sent.

  disagg-submit runs prune --older 30d --dry-run
  disagg-submit runs prune --older 90d --keep-results`,
		Flags: []cli.Flag{
			&cli.StringFlag{
				Name: "older", Usage: "runs that ended longer than `TIME` ago, such as 30d; it must be given",
			},
			&cli.BoolFlag{Name: "dry-run", Usage: "tell what would be deleted, and delete nothing"},
			&cli.BoolFlag{
				Name:  "keep-results",
				Usage: "keep the files of the benchmark's client, too, from which records were made",
			},
		},
		Action: prune,
	}
}

func prune(c *cli.Context) error {
	text, err := command.Value(c, "older")
	if err != nil {
		return err
	}
	older, err := parseAge(text)
	if err != nil {
		return fmt.Errorf("cannot read --older: %w", err)
	}
	list, err := knownRuns()
	if err != nil {
		return err
	}
	before, total, n := time.Now().Add(-older), int64(0), 0
	var faults []error
	for _, k := range list {
		if k.At.After(before) {
			continue // it was submitted later
		}
		f, err := reader().Read(c.Context, k.Dir)
		if s := runs.Summarize(f); err != nil || !s.State.IsOver() || s.Ended.After(before) {
			continue
		}
		freed, err := pruneRun(c, f)
		faults = append(faults, err)
		if freed > 0 {
			n, total = n+1, total+freed
			fmt.Fprintf(c.App.Writer, "%9s  %s\n", size(freed), command.ShortPath(k.Dir))
		}
	}
	what := "freed"
	if c.Bool("dry-run") {
		what = "would be freed"
	}
	fmt.Fprintf(c.App.Writer, "%s %s, of %d %s\n", size(total), what, n, plural(n, "run", "runs"))
	return errors.Join(faults...)
}

// pruneRun deletes the logs of every attempt of a run, and tells how many bytes that frees.
func pruneRun(c *cli.Context, f runs.Facts) (freed int64, err error) {
	_, attempts, err := upload.Attempts(f.Dir)
	if err != nil {
		return 0, err
	}
	var faults []error
	for _, a := range attempts {
		var keep []string
		if c.Bool("keep-results") {
			keep = clientFiles(f, a)
		}
		n, err := rundir.Prune(a, keep, c.Bool("dry-run"))
		freed, faults = freed+n, append(faults, err)
	}
	return freed, errors.Join(faults...)
}

// clientFiles are the files that the benchmark's client left in an attempt, of all measurements.
func clientFiles(f runs.Facts, a rundir.Attempt) (list []string) {
	files, err := f.Plan.PointFiles(f.Plan.RunID(a.Number()), a.Dirs(roles.Hub(), f.Plan.Case.TestID))
	if err != nil {
		return nil
	}
	for _, file := range files {
		list = append(list, rundir.Measurements(file)...)
	}
	return list
}

// size is a number of bytes for people.
func size(n int64) string {
	const unit = 1000
	v, units := float64(n), []string{"B", "kB", "MB", "GB", "TB"}
	i := 0
	for v >= unit && i < len(units)-1 {
		v, i = v/unit, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}
