package main

import (
	"encoding/json"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/pkg/hub"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/roles"
)

// statusCommand shows the hub's view of a run.
func statusCommand() *cli.Command {
	return &cli.Command{
		Name:      "status",
		Usage:     "show where every role of a run is",
		ArgsUsage: "RUN-DIR",
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return fmt.Errorf("want one run directory: disagg-agent status RUN-DIR")
			}
			data, err := os.ReadFile(launch.CurrentAttempt(roles.RunDir(c.Args().First())).State())
			if err != nil {
				return fmt.Errorf("cannot read the run's state: %w", err)
			}
			var s hub.State
			if err := json.Unmarshal(data, &s); err != nil {
				return fmt.Errorf("cannot read the run's state: %w", err)
			}
			w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
			fmt.Fprintf(w, "%s\t%s\n\nROLE\tRANKS\tATTACHED\tSTARTED\tREADY\tGONE\tADDRESS\t\n", s.Phase, s.At.Local().Format("15:04:05"))
			for _, r := range s.Roles {
				fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%v\t%d\t%s\t%s\n", r.Role, r.Ranks, r.Attached, r.Started, r.Ready, r.Gone, r.Address, r.Unready)
			}
			return w.Flush()
		},
	}
}
