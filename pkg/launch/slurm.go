package launch

import (
	"context"
	"fmt"
	"time"

	"github.com/disagg/disagg/pkg/slurm"
)

// Submit submits the job's batch script and notes it in the run directory.
func (j Job) Submit(ctx context.Context) (jobID string, err error) {
	d := j.Plan.RunDir
	id, err := slurm.Client{}.Submit(ctx, string(d), d.Script())
	if err != nil {
		return "", err
	}
	return id, Submission{Schema: 1, At: time.Now().UTC(), JobID: id}.write(d)
}

// Intervals of asking the queue: short at first, then gentle to a busy controller. The run directory tells everything
// but the job's own end.
const (
	queuePollMin = 500 * time.Millisecond
	queuePollMax = 10 * time.Second
)

// WaitSlurm waits until a job has ended, and returns how, as far as Slurm still knows. A controller that does not answer for
// a while is waited for.
func WaitSlurm(ctx context.Context, jobID string, hasResult func() bool, tell func(slurm.JobState)) (slurm.JobState, error) {
	pause, last := queuePollMin, slurm.JobState{}
	for {
		state, err := slurm.Client{}.InQueue(ctx, jobID)
		if err == nil && state.Ended() {
			if state.State == "" {
				return slurm.Client{}.Accounted(ctx, jobID)
			}
			return state, nil
		}
		if err == nil && state != last {
			last = state
			tell(state)
		}
		if pause = min(pause*3/2, queuePollMax); hasResult() {
			pause = queuePollMin / 2 // it is about to end
		}
		select {
		case <-ctx.Done():
			return last, fmt.Errorf("cannot wait for job %s any longer: %w", jobID, context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}
