package lab

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
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
func (d dir) makeHost(ctx context.Context, host string) error {
	argv := []string{"unshare"}
	for _, ns := range []struct{ flag, pin string }{{"--net", "net"}, {"--uts", "uts"}, {"--mount", "mnt"}} {
		pin := d.pin(host, ns.pin)
		if err := os.WriteFile(pin, nil, 0o644); err != nil {
			return err
		}
		argv = append(argv, ns.flag+"="+pin)
	}
	// As a slave, a host sees what is mounted on the machine later, where the machine's mounts are shared.
	argv = append(argv, "--propagation", "slave", "sh", "-euc", hostSetup, "sh", host, d.hostsFile())
	cmd := d.command(ctx, "", "/", argv...)
	cmd.Stdin = strings.NewReader(hostLinks(host, os.Getpid()))
	if _, err := output(cmd); err != nil {
		return fmt.Errorf("cannot make host %s: %w", host, err)
	}
	return nil
}

// checkHost returns an error unless host is one of the lab's.
func (l *Lab) checkHost(host string) error {
	if slices.Contains(l.Hosts(), host) {
		return nil
	}
	return fmt.Errorf("no host %q: the lab has gpu1 to gpu%d", host, l.opts.Hosts)
}
