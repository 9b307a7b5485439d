package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/pkg/agent"
	"github.com/disagg/disagg/pkg/version"
)

// run runs the command line and returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	code := 0
	app := &cli.App{
		Name:    "disagg-agent",
		Usage:   "run one rank of one role, inside a Slurm step or by hand in an allocation",
		Version: version.Text(),
		Description: "Inside a step it is the task: its role and plan come from the environment.\n" +
			"In an allocation's shell, `disagg-agent --role GEN_0 --config CASE.yaml` makes the plan from this allocation,\n" +
			"starts the role's srun and joins the allocation's run. Roles may be started in any order; Ctrl-C stops one.\n\n" +
			"Exit codes: 0 done; 1 stopped because of a peer or on request; 2-63 the child's own; 64 usage; 70 a fault of\n" +
			"the agent; 124 a deadline; 125, 126, 127 the child was never started, not executable, not found; 128+n killed\n" +
			"by signal n.",
		Flags:           runFlags(),
		Commands:        []*cli.Command{installCommand(&code), statusCommand(), guardCommand(), stepEndedCommand(&code)},
		Action:          func(c *cli.Context) (err error) { code, err = runRole(c); return err },
		Writer:          stdout,
		ErrWriter:       stderr,
		ExitErrHandler:  func(*cli.Context, error) {}, // main exits, once
		HideHelpCommand: true,
		OnUsageError:    wrongUsage,
	}
	for _, c := range app.Commands {
		c.OnUsageError, c.HideHelpCommand = wrongUsage, true
	}
	if err := app.Run(args); err != nil {
		fmt.Fprintf(stderr, "disagg-agent: %v\n", err)
		if code == 0 {
			return agent.ExitUsage
		}
	}
	return code
}

// wrongUsage keeps the library from printing the whole help beside a one-line fault.
func wrongUsage(_ *cli.Context, err error, _ bool) error {
	return fmt.Errorf("%w: see disagg-agent --help", err)
}
