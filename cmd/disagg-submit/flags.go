package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/pkg/version"
)

// caseFlags are what every command that makes a plan understands.
func caseFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{
			Name: "mode", DefaultText: "the test id's, then the config's",
			Usage: "e2e, gen_only, gen_only_no_context or ctx_only",
		},
		&cli.StringFlag{
			Name: "config-folder", EnvVars: []string{protocol.EnvConfigFolder}, DefaultText: "the checkout's folders",
			Usage: "folder `DIR` in which names of cases are looked up",
		},
		&cli.StringFlag{
			Name: "trtllm-dir", EnvVars: []string{protocol.EnvCheckout}, Usage: "the engine's checkout `DIR`",
		},
		&cli.StringFlag{
			Name: "profile", Value: "default", EnvVars: []string{protocol.EnvProfile},
			Usage: "cluster profile `NAME|FILE`",
		},
		&cli.StringFlag{
			Name: "recipe", Value: "trtllm-serve", EnvVars: []string{protocol.EnvRecipe},
			Usage: "how roles are started: recipe `NAME|FILE`",
		},
		&cli.StringSliceFlag{Name: "set", Usage: "a value of the recipe `NAME=VALUE`; may be repeated"},
		&cli.StringFlag{Name: "partition", DefaultText: "the profile's", Usage: "partition that the job runs in"},
		&cli.StringFlag{Name: "account", DefaultText: "the profile's", Usage: "account that the job is charged to"},
		&cli.BoolFlag{Name: "pack", Usage: "let servers that are smaller than a node share one"},
		&cli.IntFlag{Name: "repeat", Value: 1, Usage: "measure `N` times, on the same servers"},
		&cli.StringFlag{
			Name: "time", DefaultText: "the profile's, then the case's",
			Usage: "`LIMIT` of the job, such as 02:00:00, 1-12:00:00, 90 (minutes) or 2h",
		},
		&cli.StringFlag{
			Name: "ready-timeout", DefaultText: "a share of --time", Usage: "`LIMIT` of the servers' start",
		},
		&cli.StringFlag{
			Name: "benchmark-timeout", DefaultText: "what is left of --time", Usage: "`LIMIT` of the benchmark",
		},
		&cli.StringSliceFlag{
			Name: "upload", DefaultText: "a SQLite file in the user's data folder",
			Usage: "`URL` of a sink that records go to; may be repeated",
		},
		&cli.BoolFlag{
			Name: "upload-required", Usage: "exit with 75 if a test passed and its records are not in every sink",
		},
		&cli.StringFlag{
			Name: "run-dir", DefaultText: "a new one below runs/",
			Usage: "the run's folder `DIR`, on a file system that all nodes share",
		},
	}, gateFlags()...)
}

// makeJob makes and checks the plan of the command line's case. Without a scheduler nothing will be started.
func makeJob(ctx context.Context, c *cli.Context, s scheduler.Scheduler) (launch.Job, error) {
	name, err := command.One(c, "CASE")
	if err != nil {
		return launch.Job{}, err
	}
	r, err := request(c, s)
	if err != nil {
		return launch.Job{}, err
	}
	r.Case = name
	return r.Make(ctx)
}

// request is what the command line asks for, but for the case.
func request(c *cli.Context, s scheduler.Scheduler) (r launch.Request, err error) {
	r = launch.Request{
		Mode: c.String("mode"), Folder: c.String("config-folder"), Checkout: c.String("trtllm-dir"),
		Profile: c.String("profile"), Recipe: c.String("recipe"), RunDir: c.String("run-dir"), Scheduler: s,
		Upload: c.StringSlice("upload"), UploadRequired: c.Bool("upload-required"),
		Partition: c.String("partition"), Account: c.String("account"),
		Pack: c.Bool("pack"), Measurements: c.Int("repeat"),
		Version: version.Text(), Sinks: sinks(), Gate: gate(c), Tags: c.StringSlice("tag"), Note: c.String("note"),
	}
	if c.IsSet("confirm") {
		confirm := c.Bool("confirm")
		r.Confirm = &confirm
	}
	if r.Values, err = values(c.StringSlice("set")); err != nil {
		return r, err
	}
	r.Timeouts, err = limits(c)
	return r, err
}

// values reads NAME=VALUE pairs.
func values(pairs []string) (map[string]string, error) {
	values := map[string]string{}
	for _, kv := range pairs {
		name, value, ok := strings.Cut(kv, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("cannot read --set %q: want NAME=VALUE", kv)
		}
		values[name] = value
	}
	return values, nil
}

// limits reads the time limits that were given.
func limits(c *cli.Context) (t roles.Timeouts, err error) {
	for flag, limit := range map[string]*roles.Duration{
		"time": &t.Job, "ready-timeout": &t.Ready, "benchmark-timeout": &t.Benchmark,
	} {
		if !c.IsSet(flag) {
			continue
		}
		if *limit, err = roles.ParseLimit(c.String(flag)); err != nil {
			return t, fmt.Errorf("cannot read --%s: %w", flag, err)
		}
	}
	return t, nil
}
