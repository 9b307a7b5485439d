package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/compare"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/upload"
)

// compareCommand compares runs.
func compareCommand() *cli.Command {
	return &cli.Command{
		Name:      "compare",
		Usage:     "show how runs differ, in what they ran and in what they measured",
		ArgsUsage: "RUN RUN…",
		Description: "Every run is compared with the first, A. A change is judged by what earlier runs of the " +
			"case span, as the sinks of A's plan know them, or, with --pairs, by measuring both again in one job: " +
			"nothing of that is sent anywhere.\n\n" + whatRun + "\n\n" +
			"  disagg-submit compare 4459 4460 4461\n" +
			"  disagg-submit compare a3f91b 51aa02 --pairs 4 --time 4:00:00",
		Flags: append([]cli.Flag{
			&cli.StringFlag{
				Name: "fail",
				Usage: "exit with 3 if tok/s/GPU has become worse: by more than `PART` (5%), or than earlier runs " +
					"span (spread); with 1 if a point of A has no counterpart",
			},
			&cli.StringSliceFlag{Name: "upload", Usage: "`URL` of a sink that knows earlier runs; may be repeated"},
			jsonFlag(),
		}, pairFlags()...),
		Action: func(c *cli.Context) error {
			if c.NArg() < 2 {
				return fmt.Errorf("want at least two runs (A B), have %d", c.NArg())
			}
			bound, err := failBound(c)
			if err != nil {
				return err
			}
			if c.IsSet("pairs") {
				return measurePairs(c, bound)
			}
			list, err := comparisons(c)
			if err != nil {
				return err
			}
			var verdict error
			if c.IsSet("fail") {
				verdict = exitOf(list, bound)
			}
			if c.Bool("json") {
				return errors.Join(printJSON(c.App.Writer, list), verdict)
			}
			for i, one := range list {
				if i > 0 {
					fmt.Fprintln(c.App.Writer)
				}
				if err := one.Print(c.App.Writer); err != nil {
					return err
				}
			}
			return verdict
		},
	}
}

// exitOf is the exit code of --fail: worse is worse, whatever else cannot be told.
func exitOf(list []compare.Comparison, bound float64) (err error) {
	for _, one := range list {
		if one.Worsened(bound) {
			return command.Exit(protocol.ExitRegression, nil)
		}
		if why := one.Untold(); why != "" && err == nil {
			err = command.Exit(protocol.ExitFailed, fmt.Errorf("cannot tell whether %s is worse: %s", one.B.Name, why))
		}
	}
	return err
}

// failBound is the part by which tok/s/GPU may become worse; 0: what earlier runs span.
func failBound(c *cli.Context) (float64, error) {
	text := c.String("fail")
	if text == "" || text == "spread" {
		return 0, nil
	}
	number, percent := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(number, 64)
	if percent {
		v /= 100
	}
	if err != nil || v <= 0 || v >= 1 {
		return 0, fmt.Errorf("cannot read --fail %q: want a part such as 5%% or 0.05, or spread", text)
	}
	return v, nil
}

func comparisons(c *cli.Context) (list []compare.Comparison, err error) {
	var sides []compare.Side
	for _, name := range c.Args().Slice() {
		dir, err := runNamed(name)
		if err != nil {
			return nil, err
		}
		s, err := sideOf(dir)
		if err != nil {
			return nil, err
		}
		sides = append(sides, s)
	}
	h := earlierRuns(c, sides[0])
	for _, b := range sides[1:] {
		one := compare.Compare(sides[0], b, h)
		one.Differs = launch.Shown(one.Differs)
		list = append(list, one)
	}
	return list, nil
}

// earlierRuns are what the sinks know of the first run's case.
func earlierRuns(c *cli.Context, a compare.Side) results.History {
	urls := c.StringSlice("upload")
	if len(urls) == 0 {
		for _, s := range a.Plan.Upload.Sinks {
			urls = append(urls, s.URL)
		}
	}
	q := historyQuery(a.Plan)
	q.Before = a.At
	h := sinks().History(c.Context, urls, q)
	if h.Error != "" {
		fmt.Fprintf(c.App.ErrWriter, "disagg-submit: earlier runs cannot be asked for: %s\n", h.Error)
	}
	return h
}

// sideOf reads a run.
func sideOf(dir string) (s compare.Side, err error) {
	run, attempts, err := upload.Attempts(dir)
	if err != nil {
		return s, err
	}
	if s.Plan, err = rundir.ReadPlan(run.Plan()); err != nil {
		return s, err
	}
	if len(attempts) == 0 {
		return s, fmt.Errorf("cannot compare %s: it has not begun", dir)
	}
	last := attempts[len(attempts)-1]
	s.Name = filepath.Base(string(run))
	if s.Records, err = last.RecordStore().ReadAll(); err != nil {
		return s, fmt.Errorf("cannot compare %s: %w", dir, err)
	}
	if r, err := rundir.ReadResult(last); err == nil {
		s.Verdict, s.At = r.Verdict, r.EndedAt
	}
	return s, nil
}
