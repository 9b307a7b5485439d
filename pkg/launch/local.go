package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/disagg/disagg/pkg/roles"
)

// RunLocal starts one agent a rank on this machine and waits for all of them: it plays the part of the batch script
// and of srun. The end of the context asks the agents to stop; they are killed only if they outstay KillWait. It
// returns BENCHMARK's exit code.
func (j Job) RunLocal(ctx context.Context) (int, error) {
	attempt := j.Plan.RunDir.Attempt(0)
	if err := os.MkdirAll(attempt.Logs(), 0o755); err != nil {
		return 0, fmt.Errorf("cannot start: %w", err)
	}
	if err := SetCurrent(j.Plan.RunDir, 0); err != nil {
		return 0, err
	}
	begun := time.Now()
	agents, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	results := make(chan error, j.Plan.Layout.Tasks())
	code := 0
	for _, pl := range j.Plan.Layout.Placements {
		log, err := os.OpenFile(attempt.RoleLog(pl.Role), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			stop()
			results <- fmt.Errorf("cannot start %s: %w", pl.Role, err)
			break
		}
		var ranks sync.WaitGroup
		for _, t := range pl.Tasks() {
			cmd := j.localAgent(agents, t, pl, begun, log)
			ranks.Go(func() {
				runtime.LockOSThread() // the parent-death signal fires when the starting thread ends
				defer runtime.UnlockOSThread()
				err := cmd.Run()
				if t == roles.Hub() {
					code = cmd.ProcessState.ExitCode()
					time.AfterFunc(time.Duration(j.Plan.Cluster.KillWait), stop) // the backstop, as Slurm's is
				}
				var exit *exec.ExitError
				if err != nil && !errors.As(err, &exit) && !errors.Is(err, context.Canceled) {
					results <- fmt.Errorf("cannot run the agent of %s: %w", t, err)
				}
			})
		}
		wg.Go(func() {
			ranks.Wait()
			_ = log.Close()
			_ = os.WriteFile(filepath.Join(attempt.Logs(), pl.Role.LogName()+".done"), nil, 0o644)
		})
	}
	wg.Wait()
	close(results)
	return code, <-results
}

// localAgent is the command of one rank. Ranks of MPI roles get what mpirun would give them.
func (j Job) localAgent(ctx context.Context, t roles.Task, pl roles.Placement, begun time.Time, log *os.File) *exec.Cmd {
	cmd := exec.CommandContext(ctx, j.Agent)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(),
		"DISAGG_SERVING_TYPE="+t.Role.String(), "DISAGG_PLAN="+j.Plan.RunDir.Plan(),
		"DISAGG_RANK="+strconv.Itoa(t.Rank),
		fmt.Sprintf("DISAGG_BATCH_START=%.6f", float64(begun.UnixMicro())/1e6),
		"OMPI_COMM_WORLD_RANK="+strconv.Itoa(t.Rank), "OMPI_COMM_WORLD_SIZE="+strconv.Itoa(pl.Ranks),
		"OMPI_COMM_WORLD_LOCAL_RANK="+strconv.Itoa(t.Rank%pl.RanksPerNode),
	)
	// A group of its own, so that Ctrl-C in the terminal reaches the agents once, from here.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Duration(j.Plan.Cluster.KillWait)
	return cmd
}
