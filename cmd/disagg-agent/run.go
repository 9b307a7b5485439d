package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/version"
)

func runFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name: "role", EnvVars: []string{protocol.EnvRole}, Usage: "GEN_<i>, CTX_<i>, DISAGG_SERVER or BENCHMARK",
		},
		&cli.StringFlag{Name: "plan", EnvVars: []string{protocol.EnvPlan}, Usage: "plan.json of the run"},
		&cli.StringFlag{Name: "config", Usage: "by hand: a case's YAML, base name or test id"},
		&cli.StringFlag{Name: "mode", Usage: "by hand: e2e, gen_only, gen_only_no_context or ctx_only"},
		&cli.StringFlag{
			Name: "config-folder", EnvVars: []string{protocol.EnvConfigFolder},
			Usage: "by hand: folder `DIR` in which names of cases are looked up",
		},
		&cli.StringFlag{
			Name: "recipe", Value: "trtllm-serve", EnvVars: []string{protocol.EnvRecipe},
			Usage: "by hand: recipe `NAME|FILE`",
		},
		&cli.StringFlag{
			Name: "profile", Value: "default", EnvVars: []string{protocol.EnvProfile},
			Usage: "by hand: cluster profile `NAME|FILE`",
		},
		&cli.StringFlag{
			Name: "trtllm-dir", EnvVars: []string{protocol.EnvCheckout}, Usage: "by hand: the engine's checkout `DIR`",
		},
		&cli.StringFlag{
			Name:  "run-dir",
			Usage: "by hand: the run's folder `DIR` (runs/allocation-<job> where the allocation was asked for)",
		},
	}
}

// runRole runs one role: as a task if a scheduler started this process, else by hand.
func runRole(c *cli.Context) error {
	if c.Args().Present() {
		return command.Unknown(c)
	}
	if c.String("role") == "" {
		return errors.New("no role: set DISAGG_SERVING_TYPE, or pass --role")
	}
	role, err := roles.ParseRole(c.String("role"))
	if err != nil {
		return err
	}
	if c.String("config") != "" {
		return runByHand(c, role)
	}
	if c.String("plan") == "" {
		return errors.New("no plan: set DISAGG_PLAN, or pass --plan, or --config to start a role by hand")
	}
	return runTask(c.String("plan"), role)
}

// runByHand starts a role in the allocation that this shell is part of.
func runByHand(c *cli.Context, role roles.Role) error {
	_, submit, err := programs()
	if err != nil {
		return err
	}
	ctx, stop := command.UntilSignal(c.Context, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	surviveReaders()
	say, endSaying := sayOnStderr()
	defer endSaying()
	code, err := launch.ByHand{
		Role: role, Uploader: submit, Out: os.Stdout, Say: say, OnEnd: showEnd,
		Request: launch.Request{
			Case: c.String("config"), Mode: c.String("mode"), Folder: c.String("config-folder"),
			Recipe: c.String("recipe"), Profile: c.String("profile"),
			Checkout: c.String("trtllm-dir"), RunDir: c.String("run-dir"), Version: version.Text(),
		},
	}.Run(ctx)
	return command.Exit(code, err)
}

// showEnd shows how the run ended in the terminal of a role.
func showEnd(m report.Model, a rundir.Attempt) {
	report.Screen{Width: command.Width(os.Stdout), Attempt: command.ShortPath(string(a))}.Summary(os.Stdout, m)
	fmt.Printf("report:  %s\n", command.ShortPath(a.Report()))
}

// programs are the paths of this program and of disagg-submit, which is installed beside it.
func programs() (self, submit string, err error) {
	self, err = os.Executable()
	return self, filepath.Join(filepath.Dir(self), "disagg-submit"), err
}
