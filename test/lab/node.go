package lab

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// quickPMIx keeps PMIx, in the steps of a host, from looking for munge at its usual place: it is not there, and PMIx
// looks for 2.3 s.
var quickPMIx = []string{"PMIX_MCA_psec=native"}

// startNode starts a host's slurmd.
func (d dir) startNode(ctx context.Context, host string) error {
	return d.daemon(ctx, host, host, quickPMIx, "slurmd", "-f", d.slurmConf())
}

// StopNode ends a host as a power cut does: its slurmd and all other processes on it are killed.
func (l *Lab) StopNode(host string) error {
	err := l.checkHost(host)
	if err == nil {
		err = killAll(l.dir.namespaces(host))
	}
	if err != nil {
		return fmt.Errorf("cannot stop %s: %w", host, err)
	}
	return nil
}

// StartNode starts the slurmd of a host that was stopped. Slurm counts the host as up a moment later; see WaitIdle.
func (l *Lab) StartNode(host string) error {
	err := l.checkHost(host)
	if err == nil {
		err = l.dir.startNode(context.Background(), host)
	}
	if err != nil {
		return fmt.Errorf("cannot start %s: %w", host, err)
	}
	return nil
}

// WaitIdle waits, for at most 30 s, until Slurm counts all hosts idle: they answer, and no job is on them.
func (l *Lab) WaitIdle(ctx context.Context) error {
	var states string
	err := poll(ctx, 50*time.Millisecond, func(ctx context.Context) (bool, error) {
		// sinfo fails as long as slurmctld is not ready for it.
		states, _ = output(l.Command(ctx, "", "sinfo", "--noheader", "--Node", "--format=%N %T"))
		return strings.Count(states, " idle\n") == l.opts.Hosts, nil
	})
	if err != nil {
		return fmt.Errorf("cannot see all %d hosts idle: %w: %s", l.opts.Hosts, err,
			strings.ReplaceAll(strings.TrimSpace(states), "\n", ", "))
	}
	return nil
}
