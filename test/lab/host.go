package lab

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// head is the host of Slurm's controller and its helpers.
const head = "head"

// hostNames returns gpu1 … gpuN.
func hostNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = "gpu" + strconv.Itoa(i+1)
	}
	return names
}

// hostSetup runs inside a new host's namespaces, with the host's name and the hosts file as arguments and the network's
// set-up on stdin. The size keeps a runaway job from taking the machine's memory.
const hostSetup = `
hostname "$1"
mount -t tmpfs -o mode=1777,size=1g tmpfs /tmp
mount -t tmpfs -o mode=1777,size=1g tmpfs /dev/shm
mount --bind "$2" /etc/hosts
exec ip -batch -
`

// makeHost makes and pins a host's namespaces, and one end of its cable.
//
// A mount namespace can only be pinned in one with a smaller number: that is how the kernel prevents loops. On Linux
// 6.18 each processor gave out numbers of its own, so that in a container it failed on one and succeeded on another.
func (d dir) makeHost(ctx context.Context, host string) error {
	err := d.unshare(ctx, host)
	for _, cpu := range processors() {
		if err == nil || !strings.Contains(err.Error(), "Invalid argument") {
			break
		}
		for _, ns := range ownNamespaces {
			_ = unix.Unmount(d.pin(host, ns), unix.MNT_DETACH) // it is pinned or not
		}
		err = d.unshare(ctx, host, "taskset", "--cpu-list", strconv.Itoa(cpu))
	}
	if err != nil {
		return fmt.Errorf("cannot make host %s: %w", host, err)
	}
	return nil
}

// ownNamespaces are those that a host has of its own, as they are pinned.
var ownNamespaces = []string{"net", "uts", "mnt"}

// unshare runs unshare for a host, below another program if one is given.
func (d dir) unshare(ctx context.Context, host string, below ...string) error {
	argv := slices.Concat(below, []string{"unshare"})
	for i, flag := range []string{"--net", "--uts", "--mount"} {
		pin := d.pin(host, ownNamespaces[i])
		if err := os.WriteFile(pin, nil, 0o644); err != nil {
			return err
		}
		argv = append(argv, flag+"="+pin)
	}
	// As a slave, a host sees what is mounted on the machine later, where the machine's mounts are shared.
	argv = append(argv, "--propagation", "slave", "sh", "-euc", hostSetup, "sh", host, d.hostsFile())
	cmd := d.command(ctx, "", "/", argv...)
	cmd.Stdin = strings.NewReader(hostLinks(host, os.Getpid()))
	_, err := output(cmd)
	return err
}

// processors lists those that this process may use.
func processors() (list []int) {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return nil
	}
	for cpu := 0; len(list) < set.Count(); cpu++ {
		if set.IsSet(cpu) {
			list = append(list, cpu)
		}
	}
	return list
}

// checkHost returns an error unless host is one of the lab's.
func (l *Lab) checkHost(host string) error {
	if slices.Contains(l.Hosts(), host) {
		return nil
	}
	return fmt.Errorf("no host %q: the lab has gpu1 to gpu%d", host, l.opts.Hosts)
}
