package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

const (
	// bridge is the switch every host's cable is plugged into; the machine has its own address on it.
	bridge         = "disagg-lab0"
	linkPrefix     = "disagg-"
	machineAddress = "10.78.0.1"
	headAddress    = "10.78.0.2"
)

// address returns the IPv4 address of a host of the lab.
func address(host string) string {
	if host == head {
		return headAddress
	}
	number, _ := strconv.Atoi(strings.TrimPrefix(host, "gpu"))
	return fmt.Sprintf("10.78.0.%d", 10+number)
}

// cable is the machine's end of a host's link.
func cable(host string) string { return linkPrefix + host }

// ipBatch runs the lines of script as ip commands on the machine.
func (d dir) ipBatch(ctx context.Context, script string) error {
	cmd := d.command(ctx, "", "/", "ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(script)
	_, err := output(cmd)
	return err
}

// makeBridge makes the switch. Its alias says whose it is.
func (d dir) makeBridge(ctx context.Context) error {
	return d.ipBatch(ctx, fmt.Sprintf(`
link add %[1]s type bridge
link set %[1]s alias %[2]s
addr add %[3]s/24 dev %[1]s
link set %[1]s up
`, bridge, d, machineAddress))
}

// hostLinks returns the ip commands that set up a host's network from inside. The other end of the cable appears on the
// machine, in the network namespace of process pid.
func hostLinks(host string, pid int) string {
	return fmt.Sprintf(`
link set lo up
link add eth0 type veth peer name %s netns %d
addr add %s/24 dev eth0
link set eth0 up
`, cable(host), pid, address(host))
}

// plug connects the machine's ends of the hosts' cables to the switch.
func (d dir) plug(ctx context.Context, hosts []string) error {
	var script strings.Builder
	for _, host := range hosts {
		fmt.Fprintf(&script, "link set %s master %s up\n", cable(host), bridge)
	}
	return d.ipBatch(ctx, script.String())
}

// Cut takes a host off the network: its processes live on, and no packet goes in or out. Connections to it hang, as
// they do when a cable is pulled.
func (l *Lab) Cut(host string) error { return l.setCable(host, "down") }

// Heal puts a host that was Cut back on the network.
func (l *Lab) Heal(host string) error { return l.setCable(host, "up") }

func (l *Lab) setCable(host, state string) error {
	err := l.checkHost(host)
	if err == nil {
		err = l.dir.ipBatch(context.Background(), fmt.Sprintf("link set %s %s\n", cable(host), state))
	}
	if err != nil {
		return fmt.Errorf("cannot set the network of %s %s: %w", host, state, err)
	}
	return nil
}

// nobody is a hardware address that no host has: frames to it reach nobody, and no error comes back.
const nobody = "02:00:00:00:00:01"

// CutBetween lets no packet through between two hosts, while each still reaches all others. HealBetween undoes it.
func (l *Lab) CutBetween(a, b string) error {
	return l.between(a, b, func(to string) []string {
		return []string{"ip", "neigh", "replace", address(to), "lladdr", nobody, "dev", "eth0", "nud", "permanent"}
	})
}

// HealBetween lets packets through again between two hosts after CutBetween. Hosts that are not cut stay as they are.
func (l *Lab) HealBetween(a, b string) error {
	return l.between(a, b, func(to string) []string {
		return []string{"ip", "neigh", "flush", "to", address(to), "dev", "eth0", "nud", "permanent"}
	})
}

// between runs a command on both hosts, each about the other.
func (l *Lab) between(a, b string, argv func(to string) []string) error {
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		err := l.checkHost(pair[0])
		if err == nil {
			_, err = output(l.dir.command(context.Background(), pair[0], "/", argv(pair[1])...))
		}
		if err != nil {
			return fmt.Errorf("cannot change the way between %s and %s: %w", a, b, err)
		}
	}
	return nil
}

// bridgeOwner returns the state directory of the lab that has the switch. It is "" if there is no switch, or one whose
// maker did not live to say whose it is.
func bridgeOwner() (string, error) {
	alias, err := os.ReadFile("/sys/class/net/" + bridge + "/ifalias")
	if os.IsNotExist(err) {
		return "", nil
	}
	return strings.TrimSpace(string(alias)), err
}

// removeLinks removes the lab's links from the machine, unless they are another lab's.
func (d dir) removeLinks(ctx context.Context) error {
	owner, err := bridgeOwner()
	if err != nil || owner != string(d) && (owner != "" || !d.exists()) {
		return err
	}
	links, err := net.Interfaces()
	if err != nil {
		return err
	}
	var script strings.Builder
	for _, link := range links {
		if strings.HasPrefix(link.Name, linkPrefix) {
			fmt.Fprintf(&script, "link del %s\n", link.Name)
		}
	}
	return d.ipBatch(ctx, script.String())
}
