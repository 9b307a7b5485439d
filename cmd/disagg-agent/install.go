package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/logtee"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/supervisor"
)

// installOutput is how long what the install command leaves running may hold its output.
const installOutput = 2 * time.Second

// noteBound is how long a node on which the command failed waits for the run directory.
const noteBound = time.Second

// installCommand prepares a node before any role starts.
func installCommand() *cli.Command {
	return &cli.Command{
		Name:  "install",
		Usage: "run the profile's install command on this node",
		Description: `The batch script does this, once per node.

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
			var said logtee.LastLine
			cmd := exec.CommandContext(ctx, "/bin/sh", "-c", p.Cluster.Install)
			cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
			out := io.MultiWriter(os.Stdout, &said)
			cmd.Stdout, cmd.Stderr, cmd.WaitDelay = out, out, installOutput
			err = cmd.Run()
			exit := (*exec.ExitError)(nil)
			switch {
			case errors.Is(err, exec.ErrWaitDelay): // what it has started goes on, and holds its output
				return nil
			case err != nil && ctx.Err() != nil: // another node failed, and has said so
				return command.Exit(protocol.ExitFailed, errors.New("stopped while it installed"))
			case errors.As(err, &exit):
				how := fmt.Sprintf("%s with code %d", host, supervisor.ShellCode(exit.ProcessState))
				if last := said.Text(logtee.NewRedactor(os.Environ()).Text); last != "" {
					how += ": " + last
				}
				noteInstall(p, how)
				return command.Exit(protocol.ExitFailed, errors.New(protocol.InstallEnded+how))
			}
			return err
		},
	}
}

// noteInstall notes how the install command ended, unless another node has, or the run directory does not answer. By
// hand there is no attempt.
func noteInstall(p plan.Plan, how string) {
	attempt, err := strconv.Atoi(os.Getenv(protocol.EnvAttempt))
	if err != nil {
		return
	}
	disk := rundir.NewDisk(rundir.DiskOptions{})
	disk.Create(rundir.Dir(p.RunDir).Attempt(attempt).InstallEnded(), []byte(how), nil)
	disk.Close(noteBound)
}
