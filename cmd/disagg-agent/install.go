package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/pkg/agent"
	"github.com/disagg/disagg/pkg/roles"
)

// installCommand prepares a node before any role starts.
func installCommand(code *int) *cli.Command {
	return &cli.Command{
		Name:  "install",
		Usage: "run the profile's install command on this node (the batch script does this, once a node)",
		Flags: []cli.Flag{&cli.StringFlag{Name: "plan", EnvVars: []string{"DISAGG_PLAN"}, Required: true, Usage: "plan.json of the run"}},
		Action: func(c *cli.Context) error {
			plan, err := roles.ReadPlan(c.String("plan"))
			if err != nil {
				return err
			}
			if plan.Install == "" {
				return nil
			}
			cmd := exec.Command("/bin/sh", "-c", plan.Install)
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
			err = cmd.Run()
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				*code = agent.ExitStopped
				return fmt.Errorf("cannot install: the command ended with %w", err)
			}
			return err
		},
	}
}
