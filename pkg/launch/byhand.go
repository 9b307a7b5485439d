package launch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/slurm"
)

// ByHand starts one role in an allocation that somebody holds, from that person's shell.
type ByHand struct {
	Request Request
	Role    roles.Role
	JobID   string // the allocation
	Stdout  io.Writer
	Stderr  io.Writer
	Signals <-chan os.Signal // SIGINT (Ctrl-C) and SIGTERM stop the role; others are not for it
}

// Run joins the allocation's run, making it if this is the first role, and sees one role through. It returns the
// role's exit code.
func (b ByHand) Run(ctx context.Context) (int, error) {
	alloc, err := slurm.Client{}.Allocation(ctx, b.JobID)
	if err != nil {
		return 0, err
	}
	if b.Request.RunDir == "" {
		b.Request.RunDir = filepath.Join(alloc.WorkDir, "runs", "allocation-"+b.JobID)
	}
	b.Request.ByHand, b.Request.Launcher = true, Slurm
	if b.Request.Timeouts.Job == 0 && !alloc.Ends.IsZero() {
		b.Request.Timeouts.Job = roles.Duration(time.Until(alloc.Ends).Round(time.Second))
	}
	job, err := b.Request.Make(ctx)
	if err != nil {
		return 0, err
	}
	if need := job.Plan.Layout.TotalNodes; need > alloc.Nodes {
		return 0, fmt.Errorf("cannot start %s: the case needs %d nodes, the allocation %s has %d", b.Role, need, b.JobID, alloc.Nodes)
	}
	if err := job.join(); err != nil {
		return 0, err
	}
	args, err := slurm.StepArgs(job.Plan, job.Profile, b.Role)
	if err != nil {
		return 0, err
	}
	attempt, err := openAttempt(job.Plan.RunDir)
	if err != nil {
		return 0, err
	}
	return b.srun(ctx, job, alloc, attempt, args)
}

// join makes the run directory, or adopts the plan of whoever was first.
func (j *Job) join() error {
	err := j.Prepare()
	if !errors.Is(err, ErrOccupied) {
		return err
	}
	first, err := roles.ReadPlan(j.Plan.RunDir.Plan())
	if err != nil {
		return err
	}
	if first.Case.TestID != j.Plan.Case.TestID || first.Recipe.Name != j.Plan.Recipe.Name {
		return fmt.Errorf("cannot join the run in %s: it is %s with recipe %s: give the same case and recipe, or another --run-dir",
			j.Plan.RunDir, first.Case.TestID, first.Recipe.Name)
	}
	j.Plan = first
	return nil
}

// openAttempt finds the attempt that is under way: the first without a verdict.
func openAttempt(d roles.RunDir) (int, error) {
	for n := 0; ; n++ {
		a := d.Attempt(n)
		if _, err := os.Stat(a.Result()); err == nil {
			continue
		}
		if err := os.MkdirAll(a.Logs(), 0o755); err != nil {
			return 0, fmt.Errorf("cannot open attempt: %w", err)
		}
		return n, SetCurrent(d, n)
	}
}

// srun runs the role's step and passes a request to stop on to its agents.
func (b ByHand) srun(ctx context.Context, job Job, alloc slurm.Allocation, attempt int, args []string) (int, error) {
	a := job.Plan.RunDir.Attempt(attempt)
	log, err := os.OpenFile(a.RoleLog(b.Role), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, fmt.Errorf("cannot start %s: %w", b.Role, err)
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, "srun", append(append([]string{"--jobid=" + b.JobID}, args...), job.Agent)...)
	cmd.Stdout, cmd.Stderr = io.MultiWriter(b.Stdout, log), b.Stderr
	cmd.Env = append(withoutStep(os.Environ()),
		"DISAGG_SERVING_TYPE="+b.Role.String(), "DISAGG_PLAN="+job.Plan.RunDir.Plan(), "DISAGG_ATTEMPT="+strconv.Itoa(attempt))
	if !alloc.Ends.IsZero() {
		cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", slurm.JobEndVar, alloc.Ends.Unix()))
	}
	// A group of its own: Ctrl-C must reach the agents, in order, and not make srun kill them at once.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("cannot start %s: %w", b.Role, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	err = b.await(ctx, cmd.Process, a, ended)
	_ = os.WriteFile(strings.TrimSuffix(a.RoleLog(b.Role), ".log")+".done", nil, 0o644)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, fmt.Errorf("cannot run %s: %w", b.Role, err)
	}
	return cmd.ProcessState.ExitCode(), nil
}

// await waits for the step to end. The first request to stop is passed on to its agents.
func (b ByHand) await(ctx context.Context, srun *os.Process, a roles.Attempt, ended <-chan error) error {
	for {
		select {
		case err := <-ended:
			return err
		case sig := <-b.Signals:
			if sig != syscall.SIGINT && sig != syscall.SIGTERM {
				continue
			}
			fmt.Fprintf(b.Stderr, "stopping %s\n", b.Role)
			if err := b.stopStep(ctx, srun, a); err != nil {
				fmt.Fprintf(b.Stderr, "cannot stop %s: %v\n", b.Role, err)
			}
		}
	}
}

// stopStep asks the agents of the step to stop. A step whose agents have not begun has nothing to lose: its srun is
// ended, which Slurm answers with a kill.
func (b ByHand) stopStep(ctx context.Context, srun *os.Process, a roles.Attempt) error {
	var p roles.Published
	data, err := os.ReadFile(a.Agent(roles.Task{Role: b.Role}))
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err != nil || p.Step == "" {
		return srun.Signal(syscall.SIGTERM)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return slurm.Client{}.SignalStep(ctx, p.Step, "TERM")
}

// withoutStep drops what would make a nested srun inherit limits of the shell's own step.
func withoutStep(env []string) []string {
	var kept []string
	for _, kv := range env {
		if !strings.HasPrefix(kv, "SLURM_CPU_BIND") && !strings.HasPrefix(kv, "SLURM_MEM_BIND") {
			kept = append(kept, kv)
		}
	}
	return kept
}
