package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	cluster = "disagglab"

	// Slurm's own default ports. No one else has them: the head is a host of its own.
	slurmctldPort = 6817
	slurmdbdPort  = 6819

	// startTimeout bounds the wait for a daemon to answer.
	startTimeout = 30 * time.Second
	startPoll    = 10 * time.Millisecond
)

// startMunge starts the one munged all hosts share: its socket is a file, and files are shared.
func (d dir) startMunge(ctx context.Context) error {
	return d.daemon(ctx, head, "munged", nil, "munged",
		"--socket="+d.mungeSocket(), "--key-file="+d.mungeKey(),
		"--pid-file="+d.path("munge", "pid"), "--seed-file="+d.path("munge", "seed"),
		"--log-file="+d.log("munged.log"))
}

// startController starts slurmctld and waits until it takes connections: a slurmd that finds nobody there sleeps for a
// second before it tries again.
func (d dir) startController(ctx context.Context) error {
	if err := d.daemon(ctx, head, "slurmctld", nil, "slurmctld", "-f", d.slurmConf()); err != nil {
		return err
	}
	return d.waitForPort(ctx, "slurmctld", slurmctldPort)
}

// waitForPort waits until a daemon on the head listens at a TCP port. It asks the kernel: a connection made to find out
// would be an error in the daemon's log.
func (d dir) waitForPort(ctx context.Context, comm string, port int) error {
	return d.waitForDaemon(ctx, comm, func(pid int) bool { return listens(pid, port) })
}

// waitForDaemon waits until a daemon on the head is ready, or has ended.
func (d dir) waitForDaemon(ctx context.Context, comm string, ready func(pid int) bool) error {
	// A daemon forks twice on its way into the background, so that one look at /proc may miss it.
	settled := time.Now().Add(time.Second)
	err := poll(ctx, startPoll, func(context.Context) (bool, error) {
		if pid, ok := d.find(head, comm); ok {
			return ready(pid), nil
		}
		if time.Now().After(settled) {
			return false, errors.New("it has ended")
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("cannot wait for %s to be ready: %w", comm, err)
	}
	return nil
}

// find returns a process of that name on a host.
func (d dir) find(host, comm string) (pid int, ok bool) {
	for _, pid := range members(d.namespaces(host)...) {
		if p, err := readProcess(pid); err == nil && p.Comm == comm {
			return pid, true
		}
	}
	return 0, false
}

// listens tells whether anyone in the network namespace of process pid listens at an IPv4 TCP port. In
// /proc/<pid>/net/tcp the second field is the local address and the fourth the state, 0A for listening.
func listens(pid, port int) bool {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/tcp", pid)) // the process may have ended
	suffix := fmt.Sprintf(":%04X", port)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 3 && f[3] == "0A" && strings.HasSuffix(f[1], suffix) {
			return true
		}
	}
	return false
}

// poll calls done every interval until it says so, fails, or startTimeout is over.
func poll(ctx context.Context, interval time.Duration, done func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		ok, err := done(ctx)
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(interval):
		}
	}
}

// makeGPUs makes the device nodes Slurm hands out as GPUs. They are null devices: enough to be opened and counted.
func (d dir) makeGPUs(n int) error {
	for i := range n {
		path := d.path("dev", "nvidia"+strconv.Itoa(i))
		if err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
			return fmt.Errorf("cannot make device %s: %w", path, os.NewSyscallError("mknod", err))
		}
	}
	return nil
}
