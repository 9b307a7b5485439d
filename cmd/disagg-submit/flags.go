package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/version"
)

// caseFlags are what every command that makes a plan understands.
func caseFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "mode", Usage: "e2e, gen_only or gen_only_no_context (default: the test id's, then the config's)"},
		&cli.StringFlag{Name: "trtllm-dir", EnvVars: []string{"DISAGG_TRTLLM_DIR"}, Usage: "the engine's checkout `DIR`"},
		&cli.StringFlag{Name: "profile", Value: "default", EnvVars: []string{"DISAGG_PROFILE"}, Usage: "cluster profile `NAME|FILE`"},
		&cli.StringFlag{Name: "recipe", Value: "trtllm-serve", EnvVars: []string{"DISAGG_RECIPE"}, Usage: "how roles are started, `NAME|FILE`"},
		&cli.StringSliceFlag{Name: "set", Usage: "a value of the recipe, `NAME=VALUE`; may be repeated"},
		&cli.StringFlag{Name: "partition", Usage: "Slurm partition (default: the profile's)"},
		&cli.StringFlag{Name: "account", Usage: "Slurm account (default: the profile's)"},
		&cli.DurationFlag{Name: "time", Usage: "limit of the job (default: the profile's, then the case's)"},
		&cli.DurationFlag{Name: "ready-timeout", Usage: "limit of the servers' start (default: from --time)"},
		&cli.DurationFlag{Name: "benchmark-timeout", Usage: "limit of the benchmark (default: from --time)"},
		&cli.StringFlag{Name: "upload", Usage: "where records go, `URL` (default: a SQLite file in the user's data folder)"},
		&cli.StringFlag{Name: "run-dir", Usage: "folder of the run, on a file system that all nodes share, `DIR` (default: a new one below runs/)"},
	}
}

// makeJob makes and checks the plan of the command line's case.
func makeJob(ctx context.Context, c *cli.Context, launcher string) (launch.Job, error) {
	if c.NArg() != 1 {
		return launch.Job{}, fmt.Errorf("want one CASE, have %d: see disagg-submit %s --help", c.NArg(), c.Command.Name)
	}
	values := map[string]string{}
	for _, kv := range c.StringSlice("set") {
		name, value, ok := strings.Cut(kv, "=")
		if !ok {
			return launch.Job{}, fmt.Errorf("cannot read --set %q: want NAME=VALUE", kv)
		}
		values[name] = value
	}
	limit := func(name string) roles.Duration { return roles.Duration(max(c.Duration(name), 0).Round(time.Second)) }
	return launch.Request{
		Case: c.Args().First(), Mode: c.String("mode"), Checkout: c.String("trtllm-dir"), Profile: c.String("profile"),
		Recipe: c.String("recipe"), RunDir: c.String("run-dir"), Launcher: launcher, Values: values,
		Upload: c.String("upload"), Partition: c.String("partition"), Account: c.String("account"), Version: version.Text(),
		Timeouts: roles.Timeouts{Job: limit("time"), Ready: limit("ready-timeout"), Benchmark: limit("benchmark-timeout")},
	}.Make(ctx)
}

// defaultLauncher is Slurm where there is one.
func defaultLauncher() string {
	if _, err := exec.LookPath("sbatch"); err != nil {
		return launch.Local
	}
	return launch.Slurm
}
