package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
)

// installCommand prepares a node before any role starts.
func installCommand() *cli.Command {
	return &cli.Command{
		Name:  "install",
		Usage: "run the profile's install command on this node",
		Description: `The batch script does this, once a node.

  disagg-agent install --plan runs/RUN/plan.json
  srun disagg-agent install --plan runs/RUN/plan.json`,
		Flags: []cli.Flag{planFlag()},
		Action: func(c *cli.Context) error {
			file, err := command.Value(c, "plan")
			if err != nil {
				return err
			}
			p, err := rundir.ReadOwnPlan(file)
			if err != nil || p.Cluster.Install == "" {
				return err
			}
			host, _ := os.Hostname() // for people
			fmt.Println(protocol.Installing + host)
			ctx, stop := command.UntilSignal(c.Context, syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			cmd := exec.CommandContext(ctx, "/bin/sh", "-c", p.Cluster.Install)
			cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
			err = cmd.Run()
			if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
				return command.Exit(protocol.ExitFailed, fmt.Errorf("cannot install: the command ended with %w", err))
			}
			return err
		},
	}
}
