package main

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
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
		&cli.StringFlag{Name: "mode", DefaultText: "the test id's, then the config's", Usage: "e2e, gen_only or gen_only_no_context"},
		&cli.StringFlag{Name: "trtllm-dir", EnvVars: []string{"DISAGG_TRTLLM_DIR"}, Usage: "the engine's checkout `DIR`"},
		&cli.StringFlag{Name: "profile", Value: "default", EnvVars: []string{"DISAGG_PROFILE"}, Usage: "cluster profile `NAME|FILE`"},
		&cli.StringFlag{Name: "recipe", Value: "trtllm-serve", EnvVars: []string{"DISAGG_RECIPE"}, Usage: "how roles are started: recipe `NAME|FILE`"},
		&cli.StringSliceFlag{Name: "set", Usage: "a value of the recipe `NAME=VALUE`; may be repeated"},
		&cli.StringFlag{Name: "partition", DefaultText: "the profile's", Usage: "Slurm partition"},
		&cli.StringFlag{Name: "account", DefaultText: "the profile's", Usage: "Slurm account"},
		&cli.DurationFlag{Name: "time", DefaultText: "the profile's, then the case's", Usage: "limit of the job"},
		&cli.DurationFlag{Name: "ready-timeout", DefaultText: "a share of --time", Usage: "limit of the servers' start"},
		&cli.DurationFlag{Name: "benchmark-timeout", DefaultText: "what is left of --time", Usage: "limit of the benchmark"},
		&cli.StringFlag{Name: "upload", DefaultText: "a SQLite file in the user's data folder", Usage: "`URL` that records go to"},
		&cli.StringFlag{Name: "run-dir", DefaultText: "a new one below runs/", Usage: "the run's folder `DIR`, on a file system that all nodes share"},
	}
}

// makeJob makes and checks the plan of the command line's case.
func makeJob(ctx context.Context, c *cli.Context, launcher string) (launch.Job, error) {
	if i := slices.IndexFunc(c.Args().Slice(), func(a string) bool { return strings.HasPrefix(a, "-") }); i >= 0 {
		return launch.Job{}, fmt.Errorf("flag %s stands behind CASE: flags come first", c.Args().Get(i))
	}
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
