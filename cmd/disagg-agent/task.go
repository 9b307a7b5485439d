package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/agent"
	"github.com/disagg/disagg/pkg/decide"
	"github.com/disagg/disagg/pkg/launch"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/shellwords"
)

// runTask is the agent as the task.
func runTask(planFile string, role roles.Role) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(signals)
	surviveReaders()
	o, err := taskOptions(planFile, role)
	if err != nil {
		return fmt.Errorf("cannot run %s: %w", role, err)
	}
	o.Signals = signals
	self, submit, err := programs()
	if err != nil {
		return command.Exit(protocol.ExitInternal, err)
	}
	o.Guard, o.Uploader = guardArgs(self, o.Identity.JobVar), submit
	disk, events := openDisk(o.Plan.Timeouts.Disk.Std())
	o.Disk, o.DiskEvents = disk, events
	task := roles.Task{Role: role, Rank: o.Identity.Rank}
	log, closeLog := agentLog(disk, rundir.Dir(o.Plan.RunDir).Attempt(o.Identity.Attempt).AgentLog(task), task)
	o.Log = log
	defer dumpOnUSR2(log)()
	code, err := agent.Run(o)
	closeLog()
	disk.Close(diskPatience)
	if err != nil {
		err = fmt.Errorf("%s: %w", task, err)
	}
	return command.Exit(code, err)
}

// diskPatience is how long, at the end, a run directory that does not answer is waited for.
const diskPatience = 500 * time.Millisecond

// taskOptions finds out who this task is.
func taskOptions(planFile string, role roles.Role) (o agent.Options, err error) {
	p, err := rundir.ReadOwnPlan(planFile)
	if err != nil {
		return o, err
	}
	pl, ok := p.Layout.Find(role)
	if !ok {
		return o, errors.New("the plan has no such role")
	}
	s, err := launch.SchedulerNamed(p.Launcher)
	if err != nil {
		return o, err
	}
	o = agent.Options{
		Plan: p, Role: role, Environ: os.Environ(), Stdout: os.Stdout, Stderr: os.Stderr,
		Batch: os.Getenv(protocol.EnvBatch),
		Times: decide.Times{BatchStart: moment(protocol.EnvBatchStart), Installed: moment(protocol.EnvInstalled)},
	}
	if o.Wrap, err = shellwords.Split(os.Getenv(protocol.EnvWrap)); err != nil {
		return o, fmt.Errorf("cannot read --wrap: %w", err)
	}
	o.LauncherVars.Patterns, o.LauncherVars.Kept = launch.TaskVars()
	if o.Identity, err = s.Identify(os.Getenv, pl); err != nil {
		return o, err
	}
	if text := os.Getenv(protocol.EnvAttempt); text != "" {
		if o.Identity.Attempt, err = strconv.Atoi(text); err != nil {
			return o, fmt.Errorf("%s is %q: want a number", protocol.EnvAttempt, text)
		}
	}
	if o.JobEnds = o.Identity.Ends; o.JobEnds.IsZero() && !o.Times.BatchStart.IsZero() && !p.Policy.Interactive {
		o.JobEnds = o.Times.BatchStart.Add(p.Timeouts.Job.Std())
	}
	if o.Host, err = agent.HostAddress(p.Cluster.Interface); err != nil {
		return o, err
	}
	if o.Node, err = os.Hostname(); err != nil {
		return o, fmt.Errorf("cannot read the host's name: %w", err)
	}
	return o, nil
}

// moment reads a point in time from the environment, in seconds since the epoch; zero if it is not told.
func moment(variable string) time.Time {
	s, err := strconv.ParseFloat(os.Getenv(variable), 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMicro(int64(s * 1e6))
}

// openDisk opens the writer of the run directory, and the way by which it says that the run directory does not answer.
func openDisk(patience time.Duration) (*rundir.Disk, <-chan protocol.Event) {
	events := make(chan protocol.Event, 8)
	report := func(kind protocol.EventKind, detail string) {
		select {
		case events <- protocol.Event{At: time.Now().UTC(), Kind: kind, Detail: detail}:
		default: // nobody reads it: there is nothing new in the ninth
		}
	}
	return rundir.NewDisk(rundir.DiskOptions{
		Patience: patience,
		OnStuck: func(what string) {
			report(protocol.EventDiskStuck,
				fmt.Sprintf("the run directory has not answered for %v (%s)", patience, what))
		},
		OnBack: func(_ string, after time.Duration, dropped int) {
			detail := fmt.Sprintf("the run directory answers again, after %v", after.Round(100*time.Millisecond))
			if dropped > 0 {
				detail += fmt.Sprintf("; %d writes were dropped meanwhile", dropped)
			}
			report(protocol.EventDiskBack, detail)
		},
	}), events
}

// surviveReaders lets this process go on when nobody reads its output any more. The signal is handled and not ignored:
// children would inherit that.
func surviveReaders() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

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
