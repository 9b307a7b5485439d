package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
	"go.uber.org/zap"

	"github.com/disagg/disagg/pkg/agent"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/slurm"
	"github.com/disagg/disagg/pkg/version"
)

func runFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "role", EnvVars: []string{"DISAGG_SERVING_TYPE"}, Usage: "GEN_<i>, CTX_<i>, DISAGG_SERVER or BENCHMARK"},
		&cli.StringFlag{Name: "plan", EnvVars: []string{"DISAGG_PLAN"}, Usage: "plan.json of the run"},
		&cli.StringFlag{Name: "config", Usage: "by hand: a case's YAML, base name or test id"},
		&cli.StringFlag{Name: "mode", Usage: "by hand: e2e, gen_only or gen_only_no_context"},
		&cli.StringFlag{Name: "recipe", Value: "trtllm-serve", EnvVars: []string{"DISAGG_RECIPE"}, Usage: "by hand: recipe `NAME|FILE`"},
		&cli.StringFlag{Name: "profile", Value: "default", EnvVars: []string{"DISAGG_PROFILE"}, Usage: "by hand: cluster profile `NAME|FILE`"},
		&cli.StringFlag{Name: "trtllm-dir", EnvVars: []string{"DISAGG_TRTLLM_DIR"}, Usage: "by hand: the engine's checkout `DIR`"},
		&cli.StringFlag{Name: "run-dir", Usage: "by hand: the run's folder `DIR` (runs/allocation-<job> where the allocation was asked for)"},
	}
}

// runRole runs one role: as a task if this is a step or a local launcher's child, else by hand.
func runRole(c *cli.Context) (int, error) {
	if c.Args().Present() {
		return agent.ExitUsage, fmt.Errorf("unknown command %q: see disagg-agent --help", c.Args().First())
	}
	if c.String("role") == "" {
		return agent.ExitUsage, errors.New("no role: set DISAGG_SERVING_TYPE, or pass --role")
	}
	role, err := roles.ParseRole(c.String("role"))
	if err != nil {
		return agent.ExitUsage, err
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1, syscall.SIGUSR2)
	// A handler, and not ignored: children would inherit that. A reader that goes away must not end the agent.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	if c.String("config") != "" {
		return runByHand(c, role, signals)
	}
	if c.String("plan") == "" {
		return agent.ExitUsage, errors.New("no plan: set DISAGG_PLAN, or pass --plan, or --config to start a role by hand")
	}
	return runTask(c.String("plan"), role, signals)
}

// runTask is the agent as the task.
func runTask(planFile string, role roles.Role, signals <-chan os.Signal) (int, error) {
	plan, err := roles.ReadPlan(planFile)
	if err != nil {
		return agent.ExitUsage, err
	}
	pl, ok := plan.Layout.Find(role)
	if !ok {
		return agent.ExitUsage, fmt.Errorf("cannot run %s: the plan has no such role", role)
	}
	o := agent.Options{Plan: plan, Environ: os.Environ(), Stdout: os.Stdout, Signals: signals, BatchStart: batchStart()}
	if err := identify(&o, pl); err != nil {
		return agent.ExitUsage, err
	}
	log, closeLog, err := agentLog(plan.RunDir.Attempt(o.Attempt).AgentLog(o.Identity.Task), o.Identity.Task)
	if err != nil {
		return agent.ExitUsage, err
	}
	defer closeLog()
	defer dumpOnUSR2(log)()
	self, uploader, err := programs()
	if err != nil {
		return agent.ExitBug, err
	}
	o.Log, o.Memory, o.Guard, o.Uploader = log, slurm.StepMemory(os.Getenv), []string{self, guardName}, uploader
	return agent.Run(o)
}

// programs are the paths of this program and of disagg-submit, which is installed beside it.
func programs() (self, submit string, err error) {
	self, err = os.Executable()
	return self, filepath.Join(filepath.Dir(self), "disagg-submit"), err
}

// identify tells which rank this is: from Slurm's step, or from the local launcher.
func identify(o *agent.Options, pl roles.Placement) error {
	host, err := agent.HostAddress(o.Plan.Cluster.Interface)
	if err != nil {
		return err
	}
	name, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("cannot read the host's name: %w", err)
	}
	o.Identity = roles.Identity{Task: roles.Task{Role: pl.Role}, Ranks: pl.Ranks, Node: name, Host: host}
	step, inStep, err := slurm.StepFromEnv(os.Getenv)
	switch {
	case err != nil:
		return err
	case inStep && o.Plan.Launcher == launch.Slurm:
		o.JobID, o.Attempt, o.JobEnds = step.JobID, step.Attempt, step.Ends
		o.BatchPID, _ = strconv.Atoi(os.Getenv("DISAGG_BATCH_PID")) // absent: by hand
		o.Identity.Task.Rank, o.Identity.Step = step.Rank, step.Name()
		err = step.Matches(pl)
	case os.Getenv("DISAGG_RANK") != "":
		o.Identity.Task.Rank, err = strconv.Atoi(os.Getenv("DISAGG_RANK"))
	default:
		err = errors.New("not in a Slurm step: to start a role by hand, pass --config CASE in an allocation's shell")
	}
	if o.JobEnds.IsZero() && !o.BatchStart.IsZero() {
		o.JobEnds = o.BatchStart.Add(time.Duration(o.Plan.Timeouts.Job))
	}
	if err == nil && os.Getenv("DISAGG_ATTEMPT") != "" {
		o.Attempt, err = strconv.Atoi(os.Getenv("DISAGG_ATTEMPT"))
	}
	return err
}

// batchStart is when the batch script began, zero if unknown.
func batchStart() time.Time {
	s, err := strconv.ParseFloat(os.Getenv("DISAGG_BATCH_START"), 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMicro(int64(s * 1e6))
}

// runByHand starts a role in the allocation that this shell is part of.
func runByHand(c *cli.Context, role roles.Role, signals <-chan os.Signal) (int, error) {
	jobID := os.Getenv("SLURM_JOB_ID")
	if jobID == "" {
		return agent.ExitUsage, errors.New("cannot start a role by hand: this shell has no allocation: begin with salloc, or export SLURM_JOB_ID")
	}
	code, err := launch.ByHand{
		Role: role, JobID: jobID, Stdout: os.Stdout, Stderr: os.Stderr, Signals: signals,
		Request: launch.Request{
			Case: c.String("config"), Mode: c.String("mode"), Recipe: c.String("recipe"), Profile: c.String("profile"),
			Checkout: c.String("trtllm-dir"), RunDir: c.String("run-dir"), Version: version.Text(),
		},
	}.Run(context.Background())
	if err != nil {
		return agent.ExitUsage, err
	}
	return code, nil
}

// dumpOnUSR2 writes what every goroutine is doing into the agent's log whenever SIGUSR2 arrives. The result ends it.
func dumpOnUSR2(log *zap.Logger) (end func()) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR2)
	go func() {
		for range asked {
			buf := make([]byte, 1<<20)
			log.Info("goroutines, because of SIGUSR2", zap.String("stacks", string(buf[:runtime.Stack(buf, true)])))
		}
	}()
	return func() { signal.Stop(asked); close(asked) }
}
