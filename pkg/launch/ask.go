package launch

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
)

// againAfter is how long after it has ended a job is asked for once more.
const againAfter = time.Second

// Ask asks once how a job is. As in a watch its end is believed when accounting agrees, or when it is seen twice; what
// contradicts itself is unknown.
func Ask(ctx context.Context, s scheduler.Submitter, j scheduler.Job) (protocol.JobState, error) {
	first, err := s.State(ctx, j)
	if err != nil || first.Phase != protocol.JobEnded {
		return first, err
	}
	recorded, err := s.History(ctx, j)
	switch {
	case err == nil && recorded.Phase == protocol.JobEnded:
		recorded.NeverRan = recorded.NeverRan || first.NeverRan
		return recorded, nil
	case err == nil && recorded.Phase != protocol.JobUnknown:
		return protocol.JobState{}, fmt.Errorf("the queue does not know job %s, accounting says %s", j.ID,
			recorded.Word)
	}
	select {
	case <-ctx.Done():
		return protocol.JobState{}, context.Cause(ctx)
	case <-time.After(againAfter):
	}
	return s.State(ctx, j)
}

// JobOf is the job of a submission.
func JobOf(s protocol.Submission) scheduler.Job {
	return scheduler.Job{ID: s.JobID, Cluster: s.Cluster, Name: s.Name}
}

// Cancel asks for the end of a run's job, and leaves word of who did so, which the verdict names. That the run
// directory does not take the word is no hindrance.
func Cancel(ctx context.Context, s scheduler.Submitter, j scheduler.Job, d rundir.Dir, how string) error {
	noted := make(chan struct{})
	go func() {
		defer close(noted)
		_ = rundir.WriteCancel(d, protocol.CancelRequest{At: time.Now(), By: whoAmI(), How: how})
	}()
	select {
	case <-noted:
	case <-time.After(noteBound):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	err := s.Cancel(ctx, j)
	if err != nil { // the job may go on: should it end for another reason, nobody is to be named for that
		_ = rundir.WithdrawCancel(d)
	}
	return err
}

// noteBound is how long leaving word of who cancels may take.
const noteBound = 2 * time.Second

// whoAmI is this user and host, such as alice@login1.
func whoAmI() string {
	name := "somebody"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, _ := os.Hostname() // without a name there is none to tell
	return name + "@" + host
}
