package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/caseflags"
	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

func runFlags() []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{
			Name: "role", EnvVars: []string{protocol.EnvRole},
			Usage: "`ROLE` to run: GEN_<i>, CTX_<i>, DISAGG_SERVER or BENCHMARK; by hand also all: all roles, in " +
				"this terminal",
		},
		&cli.StringFlag{Name: "plan", EnvVars: []string{protocol.EnvPlan}, Usage: "plan.json of the run, a `FILE`"},
		&cli.StringFlag{
			Name:  "config",
			Usage: "by hand: `CASE`, a YAML file, a config's base name, a test id or a line of a test list",
		},
		&cli.StringFlag{
			Name: "launcher", DefaultText: "slurm where there is one",
			Usage: "by hand, `WHERE` the role runs: slurm, for the allocation of this shell, or local",
		},
	}
	flags = append(flags,
		&cli.StringFlag{
			Name: "wrap", Usage: "by hand: put `WORDS` before the role's command, such as 'gdb -batch -ex run --args'",
		},
		&cli.BoolFlag{
			Name: "print", Usage: "by hand: print the command line and the environment of the role, and run nothing",
		},
		&cli.BoolFlag{
			Name: "shell", Usage: "by hand: start a shell with the environment of the role, on this host",
		},
	)
	return append(flags, caseflags.Flags()...) // by hand
}

// runRole runs one role: as a task if a scheduler started this process, else by hand.
func runRole(c *cli.Context) error {
	if c.Args().Present() {
		return command.Unknown(c)
	}
	if c.String("role") == "" {
		return errors.New("no role: set DISAGG_SERVING_TYPE, or pass --role")
	}
	byHand := c.String("config") != ""
	if byHand && c.String("role") == "all" {
		return runByHand(c, launch.ByHand{All: true})
	}
	role, err := roles.ParseRole(c.String("role"))
	if err != nil {
		return err
	}
	if byHand {
		return runByHand(c, launch.ByHand{Role: role})
	}
	if c.String("plan") == "" {
		return errors.New("no plan: set DISAGG_PLAN, or pass --plan, or --config to start a role by hand")
	}
	return runTask(c.String("plan"), role)
}

// runByHand starts a role in the allocation that this shell is part of.
func runByHand(c *cli.Context, b launch.ByHand) (err error) {
	if b.Request, err = caseflags.Request(c); err != nil {
		return err
	}
	b.Request.Case, b.Wrap = c.String("config"), c.String("wrap")
	if b.Scheduler, err = launch.SchedulerNamed(cmp.Or(c.String("launcher"), launch.DefaultScheduler())); err != nil {
		return err
	}
	if _, b.Uploader, err = programs(); err != nil {
		return err
	}
	if c.Bool("print") || c.Bool("shell") {
		return preview(c, b)
	}
	ctx, stop := command.UntilSignal(c.Context, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	surviveReaders()
	say, endSaying := sayOnStderr()
	defer endSaying()
	b.Out, b.Say = c.App.Writer, say
	b.OnEnd = func(m report.Model, a rundir.Attempt) { showEnd(b.Out, m, a) }
	code, err := b.Run(ctx)
	return command.Exit(code, err)
}

// showEnd shows how the run ended in the terminal of a role.
func showEnd(out io.Writer, m report.Model, a rundir.Attempt) {
	report.Screen{Width: command.Width(out), Attempt: command.ShortPath(string(a))}.Summary(out, m)
	fmt.Fprintf(out, "report:  %s\n", command.ShortPath(a.Report()))
}

// programs are the paths of this program and of disagg-submit, which is installed beside it.
func programs() (self, submit string, err error) {
	self, err = os.Executable()
	return self, filepath.Join(filepath.Dir(self), "disagg-submit"), err
}
