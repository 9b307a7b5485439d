package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/rundir"
)

// statusCommand shows the hub's view of a run, and its verdict once there is one.
func statusCommand() *cli.Command {
	return &cli.Command{
		Name:        "status",
		Usage:       "show where every role of a run is",
		ArgsUsage:   "RUN-DIR",
		Description: "Of a run that is over it shows the verdict too, and ends with its exit code.",
		Action: func(c *cli.Context) error {
			dir, err := command.One(c, "RUN-DIR")
			if err != nil {
				return err
			}
			a := rundir.Current(rundir.Dir(dir))
			s, err := rundir.ReadState(a)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
			fmt.Fprintf(w, "%s\t%s\n\nROLE\tRANKS\tATTACHED\tSTARTED\tREADY\tGONE\tADDRESS\t\n", s.Phase,
				s.At.Local().Format("15:04:05"))
			for _, r := range s.Roles {
				fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%v\t%d\t%s\t%s\n", r.Role, r.Ranks, r.Attached, r.Started, r.Ready,
					r.Gone, r.Address,
					report.Printable(r.Unready))
			}
			if err := w.Flush(); err != nil || !rundir.HasResult(a) {
				return err
			}
			r, err := rundir.ReadResult(a)
			if err != nil {
				return err
			}
			p, err := rundir.ReadPlan(rundir.Dir(dir).Plan())
			if err != nil {
				return err
			}
			report.Summary(c.App.Writer, report.Build(report.Input{Plan: p, Result: r}))
			return command.Exit(r.ExitCode, nil)
		},
	}
}
