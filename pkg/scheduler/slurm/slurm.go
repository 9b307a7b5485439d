package slurm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/disagg/disagg/pkg/lazyregexp"
	"github.com/disagg/disagg/pkg/scheduler"
)

// Name is what plans and command lines call this scheduler.
const Name = "slurm"

// Slurm is the scheduler of a cluster that is reached through Slurm's commands.
type Slurm struct {
	// Bound is how long one command may take; 0: a standard one.
	Bound time.Duration
	// Environ is the environment of the process; nil: its own.
	Environ []string
}

var _ scheduler.Scheduler = Slurm{}

// Name implements scheduler.Scheduler.
func (Slurm) Name() string { return Name }

// commandBound is how long a command that only asks may take. Controllers of large clusters are slow at times.
const commandBound = 15 * time.Second

func (s Slurm) environ() []string {
	if s.Environ != nil {
		return s.Environ
	}
	return os.Environ()
}

// commandError is a command of Slurm's that failed.
type commandError struct {
	name   string
	said   string // on its standard error, in one line; "": nothing
	reason error
}

func (e *commandError) Error() string {
	if e.said == "" {
		return fmt.Sprintf("%s: %v", e.name, e.reason)
	}
	if exit := (*exec.ExitError)(nil); errors.As(e.reason, &exit) {
		return e.name + ": " + e.said // the code adds nothing
	}
	return fmt.Sprintf("%s: %s (%v)", e.name, e.said, e.reason)
}

func (e *commandError) Unwrap() error { return e.reason }

var errNoAnswer = errors.New("no answer in time")

// run runs one of Slurm's commands and returns what it printed, also when it fails.
func (s Slurm) run(ctx context.Context, dir, name string, args ...string) (string, error) {
	out, _, err := s.runBoth(ctx, dir, name, args...)
	return out, err
}

// runBoth is run that returns what the command printed on its standard error as well.
func (s Slurm) runBoth(ctx context.Context, dir, name string, args ...string) (printed, told string, err error) {
	bound := s.Bound
	if bound == 0 {
		bound = commandBound
	}
	ctx, cancel := context.WithTimeoutCause(ctx, bound, errNoAnswer)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = dir, cleanEnv(s.environ()), time.Second
	// A group of its own: Ctrl-C in the terminal must not end a submission half-way.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err = cmd.Run()
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		err = &commandError{name: name, said: inOneLine(name, said.String()), reason: err}
	}
	return out.String(), said.String(), err
}

// inOneLine is what a command said, without its own name before each line.
func inOneLine(name, said string) string {
	var lines []string
	for line := range strings.Lines(said) {
		line = strings.Join(strings.Fields(line), " ")
		line = strings.TrimPrefix(strings.TrimPrefix(line, name+": "), "error: ")
		if line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

// unreached tells whether a failed command cannot have reached the controller with a request: it was not there, or
// Slurm said that it refused.
func unreached(err error) bool {
	var failed *commandError
	if !errors.As(err, &failed) {
		return false
	}
	if errors.Is(err, exec.ErrNotFound) {
		return true
	}
	for _, unclear := range []string{
		"timed out", "connection failure", "Zero Bytes", "Unexpected message", "Transport endpoint", "Connection reset",
	} {
		if strings.Contains(strings.ToLower(failed.said), strings.ToLower(unclear)) {
			return false
		}
	}
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.Exited() && failed.said != ""
}

// busy tells whether the controller refused for a reason that passes: it is the backup and not in charge, it is being
// started again, or has too much to do.
func busy(err error) bool {
	text := strings.ToLower(err.Error())
	return slices.ContainsFunc([]string{
		"standby mode", "temporarily unable", "temporarily unavailable", "unable to contact slurm controller",
		"controller is busy",
	}, func(said string) bool { return strings.Contains(text, said) })
}

// Grace is KillWait, as the cluster is configured.
func (s Slurm) Grace(ctx context.Context) (time.Duration, error) {
	out, err := s.run(ctx, "", "scontrol", "show", "config")
	if err != nil {
		return 0, err
	}
	m := regexp.MustCompile(`(?m)^KillWait\s*=\s*(\d+)`).FindStringSubmatch(out)
	if m == nil {
		return 0, errors.New("scontrol show config says nothing of KillWait")
	}
	seconds, _ := strconv.Atoi(m[1])
	return time.Duration(seconds) * time.Second, nil
}

// StopStep implements scheduler.Starter.
func (s Slurm) StopStep(ctx context.Context, step string) error {
	return s.signalStep(ctx, "TERM", step)
}

// KillStep implements scheduler.Starter.
func (s Slurm) KillStep(ctx context.Context, step string) error {
	return s.signalStep(ctx, "KILL", step)
}

// signalStep signals the tasks of a step. Slurm has no gentler way to end a step: scancel without a signal kills at
// once. Slurm 22.05 was seen to answer "Invalid job id" although it had delivered the signal.
func (s Slurm) signalStep(ctx context.Context, name, step string) error {
	_, err := s.run(ctx, "", "scancel", "--signal="+name, step)
	if err != nil && strings.Contains(err.Error(), "Invalid job id") {
		return nil
	}
	return err
}

// Within implements scheduler.Enterable.
func (s Slurm) Within(jobID string) scheduler.Scheduler {
	s.Environ = append(slices.Clone(s.environ()), "SLURM_JOB_ID="+jobID)
	return s
}

// StepRuns implements scheduler.Starter: of a job that is over nobody knows any more, and nothing runs.
func (s Slurm) StepRuns(ctx context.Context, step string) (bool, error) {
	job, _, _ := strings.Cut(step, ".")
	out, err := s.run(ctx, "", "squeue", "--noheader", "--steps", "--jobs="+job, "--format=%i")
	if err != nil && strings.Contains(err.Error(), "Invalid job id") {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot tell whether step %s runs: %w", step, err)
	}
	return slices.Contains(strings.Fields(out), step), nil
}

// Allocation asks Slurm for the allocation that this shell is part of.
func (s Slurm) Allocation(ctx context.Context) (scheduler.Allocation, error) {
	jobID, _, err := s.Job()
	if err != nil {
		return scheduler.Allocation{}, errors.New("cannot start a role: this shell has no allocation: run salloc " +
			"first, export SLURM_JOB_ID, or use --launcher local")
	}
	out, err := s.run(ctx, "", "scontrol", "show", "job", jobID)
	if err != nil {
		return scheduler.Allocation{}, fmt.Errorf("cannot find allocation %s: %w", jobID, err)
	}
	fields := jobFields(out)
	a := scheduler.Allocation{JobID: jobID, WorkDir: fields["WorkDir"], Ends: endTime(fields)}
	nodes, _, _ := strings.Cut(fields["NumNodes"], "-")
	a.Nodes, _ = strconv.Atoi(nodes)
	if a.Nodes < 1 || a.WorkDir == "" {
		return a, fmt.Errorf("cannot find allocation %s: scontrol names no nodes or no folder", jobID)
	}
	return a, nil
}

var jobField = lazyregexp.New(`(?m)(?:^|\s)([A-Za-z]+)=(.*?)(?:\s+[A-Za-z/:]+=|$)`)

// jobFields reads the fields of `scontrol show job` that hold one value.
func jobFields(out string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(out) {
		rest := strings.TrimSpace(line)
		for rest != "" {
			m := jobField().FindStringSubmatchIndex(rest)
			if m == nil {
				break
			}
			fields[rest[m[2]:m[3]]] = strings.TrimSpace(rest[m[4]:m[5]])
			rest = strings.TrimSpace(rest[m[5]:])
		}
	}
	return fields
}

// endTime is when a job's time is over, zero if Slurm says "Unknown" or nothing.
func endTime(fields map[string]string) time.Time {
	at, err := time.ParseInLocation("2006-01-02T15:04:05", fields["EndTime"], time.Local)
	if err != nil {
		return time.Time{}
	}
	return at
}
