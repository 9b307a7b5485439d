package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/caseflags"
	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// keepFlags say whether servers stay for another measurement.
func keepFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{
			Name: "keep", Usage: "keep the servers when the benchmark is over, until Ctrl-C or disagg-submit stop",
		},
		&cli.StringFlag{
			Name:  "keep-for",
			Usage: "after a pass, keep the servers until nothing was measured for `TIME`, such as 30m or 00:30:00",
		},
	}
}

// keep is what they ask for.
func keep(c *cli.Context) (k plan.Keep, most roles.Duration, err error) {
	if most, err = caseflags.Limit(c, "keep-for"); err != nil {
		return "", 0, err
	}
	if most > 0 {
		k = plan.KeepPassed
	}
	if c.Bool("keep") {
		k = plan.KeepAlways
	}
	return k, most, nil
}

// planNamed is the plan of one's own run, by its name.
func planNamed(name string) (plan.Plan, error) {
	dir, err := runNamed(name)
	if err != nil {
		return plan.Plan{}, err
	}
	run := rundir.Dir(dir)
	if a := rundir.Attempt(dir); a.Number() >= 0 {
		run = a.Dir()
	}
	return rundir.ReadOwnPlan(run.Plan())
}

// restartCommand restarts one role.
func restartCommand() *cli.Command {
	return &cli.Command{
		Name:      "restart",
		Usage:     "end and start one role of a run whose servers are kept",
		ArgsUsage: "RUN ROLE",
		Description: whatRun + " Whoever has started the role does it: the terminal, or the job. The next " +
			"measurement waits until it is ready, and those that need its address are restarted if that has " +
			"changed.\n\n" +
			"  disagg-submit restart 4459 CTX_1\n" +
			"  disagg-submit restart a3f91b GEN_0 && disagg-submit bench a3f91b",
		Action: func(c *cli.Context) error {
			if c.NArg() != 2 {
				return errors.New("want a RUN and a ROLE: see disagg-submit restart --help")
			}
			role, err := roles.ParseRole(c.Args().Get(1))
			if err != nil {
				return err
			}
			p, err := planNamed(c.Args().First())
			if err != nil {
				return err
			}
			if err := launch.Restart(c.Context, p, role); err != nil {
				return err
			}
			fmt.Fprintf(c.App.Writer, "%s is restarted: measure with disagg-submit bench %s\n", role,
				command.ShortPath(p.RunDir))
			return nil
		},
	}
}

// stopCommand ends the servers that a run has kept.
func stopCommand() *cli.Command {
	return &cli.Command{
		Name:        "stop",
		Usage:       "stop every role of a run that still runs, such as servers that were kept",
		ArgsUsage:   "RUN",
		Description: whatRun + "\n\n  disagg-submit stop 4459\n  disagg-submit stop runs/allocation-4459",
		Action: func(c *cli.Context) error {
			name, err := command.One(c, "RUN")
			if err != nil {
				return err
			}
			p, err := planNamed(name)
			if err != nil {
				return err
			}
			stopped, err := launch.Stop(c.Context, p)
			if err == nil {
				fmt.Fprintf(c.App.Writer, "asked %d %s to stop\n", stopped, plural(stopped, "step", "steps"))
			}
			return err
		},
	}
}
