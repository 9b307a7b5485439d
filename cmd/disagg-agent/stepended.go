package main

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/pkg/agent"
	"github.com/disagg/disagg/pkg/roles"
)

// stepEndedCommand is what the batch script asks when a role's step has failed. It exits with 0 if the step is to be
// tried again.
func stepEndedCommand(code *int) *cli.Command {
	return &cli.Command{
		Name:      "step-ended",
		Usage:     "after a role's srun has failed: tell the hub, or give the verdict in its place",
		ArgsUsage: "ROLE|install CODE",
		Hidden:    true,
		Action: func(c *cli.Context) error {
			*code = agent.ExitStopped
			step, err := strconv.Atoi(c.Args().Get(1))
			if err != nil {
				return fmt.Errorf("cannot read the step's exit code: %w", err)
			}
			plan, err := roles.ReadPlan(os.Getenv("DISAGG_PLAN"))
			if err != nil {
				return err
			}
			attempt, _ := strconv.Atoi(os.Getenv("SLURM_RESTART_COUNT")) // absent: the first
			_, uploader, err := programs()
			if err != nil {
				return err
			}
			end := agent.StepEnd{
				Plan: plan, Attempt: attempt, Code: step, JobID: os.Getenv("SLURM_JOB_ID"), BatchStart: batchStart(), Uploader: uploader,
			}
			if c.Args().Get(0) == "install" {
				return agent.InstallFailed(end)
			}
			if end.Role, err = roles.ParseRole(c.Args().Get(0)); err != nil {
				return err
			}
			again, err := agent.StepEnded(context.Background(), end)
			if again {
				*code = 0
			}
			return err
		},
	}
}
