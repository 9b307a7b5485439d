// Package caseflags is what the command lines of both programs share that make a plan of a case.
//
// Rules:
//   - A flag means the same in both programs, and has one text.
package caseflags

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/version"
)

// Flags are those that every command understands that makes a plan.
func Flags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name: "mode", DefaultText: "the test id's, then the config's",
			Usage: "`MODE` of the test: e2e, gen_only, gen_only_no_context or ctx_only; wins over benchmark.mode in " +
				"the case",
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
		&cli.StringSliceFlag{
			Name: "set",
			Usage: "override: `KEY=VALUE`, where KEY is the name of a value of the recipe, or a path into the case " +
				"or its end, such as gen.max_batch_size; may be repeated",
		},
		&cli.BoolFlag{
			Name: "pack", Usage: "let servers that are smaller than a node share one, like pack: true in the profile",
		},
		&cli.BoolFlag{
			Name: "endpoints",
			Usage: "let every agent answer /status and /metrics to who has the run's status key, like endpoints: " +
				"true in the profile",
		},
		&cli.StringFlag{
			Name: "sample-gpus", DefaultText: "the profile's, else never",
			Usage: "sample use, memory and power of the GPUs every `TIME`, such as 1s; wins over sample_gpus in the " +
				"profile",
		},
		&cli.IntFlag{Name: "repeat", Value: 1, Usage: "measure `N` times, on the same servers"},
		&cli.StringFlag{
			Name: "time", DefaultText: "the profile's, then the case's",
			Usage: "`LIMIT` of the job, such as 02:00:00, 1-12:00:00, 90 (minutes) or 2h; wins over time in the " +
				"profile and slurm.job_time in the case",
		},
		&cli.StringFlag{
			Name: "ready-timeout", DefaultText: "a share of --time",
			Usage: "`LIMIT` of the servers' start, written like --time",
		},
		&cli.StringFlag{
			Name: "benchmark-timeout", DefaultText: "what is left of --time",
			Usage: "`LIMIT` of the benchmark, written like --time",
		},
		&cli.StringSliceFlag{
			Name: "upload", DefaultText: "a SQLite file in the user's data folder",
			Usage: "`URL` of a sink that records go to; wins over upload in the profile; may be repeated",
		},
		&cli.BoolFlag{
			Name: "upload-required", Usage: "exit with 75 if a test passed and its records are not in every sink",
		},
		&cli.StringFlag{
			Name: "run-dir", DefaultText: "a new one below runs/",
			Usage: "the run's folder `DIR`, on a file system that all nodes share; wins over run_root in the profile",
		},
	}
}

// Request is what these flags ask for. The case is left to the caller.
func Request(c *cli.Context) (r launch.Request, err error) {
	r = launch.Request{
		Mode: c.String("mode"), Folder: c.String("config-folder"), Checkout: c.String("trtllm-dir"),
		Profile: c.String("profile"), Recipe: c.String("recipe"), RunDir: c.String("run-dir"),
		Upload: c.StringSlice("upload"), UploadRequired: c.Bool("upload-required"),
		Pack: c.Bool("pack"), Endpoints: c.Bool("endpoints"), Measurements: c.Int("repeat"), Version: version.Text(),
	}
	if r.Settings, err = settings(c.StringSlice("set")); err != nil {
		return r, err
	}
	if c.IsSet("repeat") && r.Measurements < 1 { // 0 is what a request has that says nothing
		return r, fmt.Errorf("cannot plan: --repeat %d: want 1 or more", r.Measurements)
	}
	if c.IsSet("sample-gpus") {
		if err := r.SampleGPUs.UnmarshalText([]byte(c.String("sample-gpus"))); err != nil {
			return r, fmt.Errorf("cannot read --sample-gpus: %w", err)
		}
	}
	r.Timeouts, err = limits(c)
	return r, err
}

// settings reads KEY=VALUE pairs.
func settings(pairs []string) (list []roles.Setting, err error) {
	for _, kv := range pairs {
		key, value, ok := strings.Cut(kv, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("cannot read --set %q: want KEY=VALUE", kv)
		}
		list = append(list, roles.Setting{Key: key, Value: value})
	}
	return list, nil
}

// limits reads the time limits that were given.
func limits(c *cli.Context) (t roles.Timeouts, err error) {
	for flag, limit := range map[string]*roles.Duration{
		"time": &t.Job, "ready-timeout": &t.Ready, "benchmark-timeout": &t.Benchmark,
	} {
		if *limit, err = Limit(c, flag); err != nil {
			return t, err
		}
	}
	return t, nil
}

// Limit is the length of time that a flag says, in any form that [roles.ParseLimit] reads; 0: it was not given.
func Limit(c *cli.Context, flag string) (roles.Duration, error) {
	if !c.IsSet(flag) {
		return 0, nil
	}
	d, err := roles.ParseLimit(c.String(flag))
	if err != nil {
		return 0, fmt.Errorf("cannot read --%s: %w", flag, err)
	}
	return d, nil
}
