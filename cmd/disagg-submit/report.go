package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/regression"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/report/gather"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/rundir"
)

// reportCommand makes a run's report again.
func reportCommand() *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "make the report of a run again, also beside earlier runs",
		ArgsUsage: "[RUN]",
		Description: aboutRun + ` It may be the folder of a list of runs, too.

HTML is written where the job left it, and the page's path is printed. Everything else is printed.

  disagg-submit report --format md >> "$GITHUB_STEP_SUMMARY"
  disagg-submit report 4459 --single-file > report.html`,
		Flags: []cli.Flag{
			&cli.StringFlag{
				Name: "format", Value: "html", Usage: "`FORMAT` of the report: html, text, md, junit or json",
			},
			&cli.BoolFlag{Name: "single-file", Usage: "print one HTML file that needs no other, to send it elsewhere"},
			&cli.StringSliceFlag{
				Name: "against", Usage: "an earlier `RUN` of the same test; may be repeated, or several with commas",
			},
		},
		Action: func(c *cli.Context) error {
			dir, err := oneRun(c)
			if err != nil {
				return err
			}
			if runs := runsIn(dir); len(runs) > 0 {
				return reportOnList(c, dir, runs)
			}
			in, attempt, err := gather.Run(dir)
			if err != nil {
				return err
			}
			m, err := beside(in, command.List(c, "against"))
			if err != nil {
				return err
			}
			if c.String("format") == "text" {
				screenOf(c.App.Writer, in.Plan, attempt).Summary(c.App.Writer, m)
				return nil
			}
			return showReport(c, m, attempt)
		},
	}
}

// beside is the model of a run beside earlier ones. With some it says whether the run is slower than they are.
func beside(in report.Input, dirs []string) (report.Model, error) {
	if len(dirs) > 0 {
		in.Earlier = nil // those that the run was planned with may be among them
	}
	for _, name := range dirs {
		dir, err := runNamed(name)
		if err != nil {
			return report.Model{}, err
		}
		records, err := gather.Records(dir)
		if err != nil {
			return report.Model{}, err
		}
		in.Earlier = append(in.Earlier, records...)
	}
	m := report.Build(in)
	if len(dirs) == 0 {
		return m, nil
	}
	in.Judgement = judgement(m, strings.HasPrefix(in.Plan.Case.Mode, "gen_only"))
	return report.Build(in), nil
}

// judgement judges every value of a run by the earlier runs of its model.
func judgement(m report.Model, decodeAlone bool) *report.Judgement {
	policy := regression.Default()
	var findings []regression.Finding
	for _, p := range m.Points {
		for _, metric := range results.Metrics() {
			v, measured := p.Values[metric.Name]
			if !measured || p.State != report.Counts {
				continue
			}
			findings = append(findings, policy.Judge(regression.Series{
				Metric: metric, Concurrency: p.Concurrency, Gates: metric.Gates(decodeAlone),
				Past: m.Past(metric.Name, p.Concurrency),
			}, v))
		}
	}
	return report.JudgementOf(regression.Sum("spread of earlier runs", policy.Unconfirmed(findings)))
}

// showReport writes or prints a report in the form that is asked for.
func showReport(c *cli.Context, m report.Model, a rundir.Attempt) error {
	var data []byte
	var err error
	switch format := c.String("format"); {
	case c.Bool("single-file") && format != "html":
		return fmt.Errorf("cannot make one file of %s: --single-file is about html", format)
	case c.Bool("single-file"):
		data, err = report.Single(m)
	case format == "html":
		return renewReport(c, m, a)
	case format == "md":
		data = report.Markdown(m)
	case format == "junit":
		data, err = report.JUnit(m)
	case format == "json":
		data, err = report.Data(m)
	default:
		return fmt.Errorf("unknown format %q: want html, text, md, junit or json", format)
	}
	if err == nil {
		_, err = c.App.Writer.Write(data)
	}
	return err
}

// renewReport writes the report into the run directory.
func renewReport(c *cli.Context, m report.Model, a rundir.Attempt) error {
	made, err := gather.Render(m)
	if err != nil {
		return err
	}
	if err := made.Write(a); errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: print it with --single-file", err)
	} else if err != nil {
		return err
	}
	fmt.Fprintln(c.App.Writer, command.ShortPath(a.Report()))
	return nil
}
