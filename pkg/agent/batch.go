package agent

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

var errBatchEnded = errors.New("the batch script has ended: Slurm ends what is left of the job")

// whileAlive is a context that ends with a process. Slurm tells nobody that a batch script was killed: it kills the steps,
// one after the other, and whoever is hit first would look like the cause. Without such a process the context goes on.
func whileAlive(ctx context.Context, pid int) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	fd, err := unix.PidfdOpen(pid, 0)
	if pid <= 0 || err != nil {
		return ctx, func() { cancel(nil) }
	}
	go func() { // it ends a moment after the context: nobody has to wait for it
		defer unix.Close(fd)
		for ctx.Err() == nil {
			if ended(fd) {
				cancel(errBatchEnded)
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}

// lookAgain is how long a wait for a process lasts before it is looked whether anybody still waits.
const lookAgain = 500 * time.Millisecond

// ended waits a while for the end of a process.
func ended(pidfd int) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, int(lookAgain/time.Millisecond))
	return err == nil && n > 0
}
