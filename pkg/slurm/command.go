package slurm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Client talks to a cluster through Slurm's commands.
type Client struct{}

// ErrAway says that Slurm refused a request or could not be reached.
var ErrAway = errors.New("slurm refused or is away")

// run runs one of Slurm's commands and returns what it printed.
func (Client) run(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		detail := strings.Join(strings.Fields(errOut.String()), " ")
		return "", fmt.Errorf("%w: %s: %s (%w)", ErrAway, name, detail, err)
	}
	return out.String(), nil
}

// Submit submits a batch script from a folder, which is where Slurm puts the job's output, and returns the job's id.
func (c Client) Submit(ctx context.Context, dir, script string) (string, error) {
	out, err := c.run(ctx, dir, "sbatch", "--parsable", script)
	if err != nil {
		return "", err
	}
	id, _, _ := strings.Cut(strings.TrimSpace(out), ";") // "id;cluster" on a federation
	if _, err := strconv.Atoi(id); err != nil {
		return "", fmt.Errorf("%w: sbatch printed %q, not a job id", ErrAway, out)
	}
	return id, nil
}

// Cancel asks Slurm to end a job.
func (c Client) Cancel(ctx context.Context, jobID string) error {
	_, err := c.run(ctx, "", "scancel", jobID)
	return err
}

// SignalStep sends a signal to the tasks of one step. Slurm has no gentler way to end a step: scancel without a signal
// kills at once. Slurm 22.05 was seen to answer "Invalid job id" although it had delivered the signal.
func (c Client) SignalStep(ctx context.Context, step, signal string) error {
	_, err := c.run(ctx, "", "scancel", "--signal="+signal, step)
	if err != nil && strings.Contains(err.Error(), "Invalid job id") {
		return nil
	}
	return err
}

// JobState is what the queue says of a job.
type JobState struct {
	State  string // PENDING, RUNNING, COMPLETING, …; "" once it has left the queue
	Reason string // why it waits
}

// InQueue asks the queue for a job.
func (c Client) InQueue(ctx context.Context, jobID string) (JobState, error) {
	out, err := c.run(ctx, "", "squeue", "--noheader", "--states=all", "--jobs="+jobID, "--format=%T|%r")
	if err != nil {
		if strings.Contains(err.Error(), "Invalid job id") {
			return JobState{}, nil // long gone
		}
		return JobState{}, err
	}
	state, reason, _ := strings.Cut(strings.TrimSpace(out), "|")
	return JobState{State: state, Reason: reason}, nil
}

// Accounted asks accounting for a job that the queue has forgotten. The state is "" where there is no accounting.
func (c Client) Accounted(ctx context.Context, jobID string) (JobState, error) {
	out, err := c.run(ctx, "", "sacct", "--allocations", "--noheader", "--parsable2", "--jobs="+jobID, "--format=State")
	if err != nil || strings.TrimSpace(out) == "" {
		return JobState{}, nil
	}
	return JobState{State: strings.Fields(out)[0]}, nil // "CANCELLED by 1000"
}

// ExitCode is what `disagg-submit run` ends with for a job that left no verdict, which is never success.
func (s JobState) ExitCode() int {
	switch s.State {
	case "CANCELLED", "PREEMPTED", "REVOKED":
		return 130
	case "TIMEOUT", "DEADLINE":
		return 124
	}
	return 1
}

// Ended tells whether a state is a final one.
func (s JobState) Ended() bool {
	switch s.State {
	case "PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "STOPPED", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESIZING", "SIGNALING", "STAGE_OUT", "SPECIAL_EXIT", "RESV_DEL_HOLD":
		return false
	}
	return true
}

// KillWait is the time from Slurm's SIGTERM to its SIGKILL, as the cluster is configured.
func (c Client) KillWait(ctx context.Context) (time.Duration, error) {
	out, err := c.run(ctx, "", "scontrol", "show", "config")
	if err != nil {
		return 0, err
	}
	m := regexp.MustCompile(`(?m)^KillWait\s*=\s*(\d+)`).FindStringSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("%w: scontrol show config says nothing of KillWait", ErrAway)
	}
	s, _ := strconv.Atoi(m[1])
	return time.Duration(s) * time.Second, nil
}

// Allocation is an allocation that somebody holds.
type Allocation struct {
	JobID   string
	Nodes   int
	WorkDir string    // where it was asked for
	Ends    time.Time // when its time is over; zero if it has no limit
}

// Allocation asks Slurm for an allocation.
func (c Client) Allocation(ctx context.Context, jobID string) (Allocation, error) {
	out, err := c.run(ctx, "", "scontrol", "show", "job", jobID)
	if err != nil {
		return Allocation{}, err
	}
	a := Allocation{JobID: jobID}
	fields := regexp.MustCompile(`(?m)\b(NumNodes|WorkDir|EndTime)=(.*?)(?:\s+\w+=|$)`)
	for _, m := range fields.FindAllStringSubmatch(out, -1) {
		switch m[1] {
		case "NumNodes":
			a.Nodes, _ = strconv.Atoi(strings.TrimSpace(m[2]))
		case "WorkDir":
			a.WorkDir = strings.TrimSpace(m[2])
		case "EndTime":
			a.Ends, _ = time.ParseInLocation("2006-01-02T15:04:05", strings.TrimSpace(m[2]), time.Local) // or "Unknown"
		}
	}
	if a.Nodes < 1 || a.WorkDir == "" {
		return a, fmt.Errorf("%w: scontrol show job %s names no nodes or no folder", ErrAway, jobID)
	}
	return a, nil
}
