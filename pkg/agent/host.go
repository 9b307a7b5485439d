package agent

import (
	"fmt"
	"net"
	"net/netip"
	"os"
)

// HostAddress is the address by which peers reach this host: that of the named interface, else that of the host's own
// name, else that of the first interface that is up. Never every interface.
func HostAddress(iface string) (string, error) {
	if iface != "" {
		i, err := net.InterfaceByName(iface)
		if err != nil {
			return "", fmt.Errorf("cannot use interface %s: %w: check the profile (interface)", iface, err)
		}
		if addr, ok := firstAddress(*i, iface == "lo"); ok {
			return addr, nil
		}
		return "", fmt.Errorf("cannot use interface %s: it has no address: check the profile (interface)", iface)
	}
	if addr, ok := ownName(); ok {
		return addr, nil
	}
	all, err := net.Interfaces()
	if err != nil {
		return "", fmt.Errorf("cannot list network interfaces: %w", err)
	}
	for _, i := range all {
		if addr, ok := firstAddress(i, false); ok {
			return addr, nil
		}
	}
	return "", fmt.Errorf("cannot find an address of this host: name an interface in the profile (interface)")
}

// ownName resolves the host's name to an address that an interface of this host really has: a name may resolve to
// loopback, or to an address of another network name space.
func ownName() (string, bool) {
	name, err := os.Hostname()
	if err != nil {
		return "", false
	}
	found, err := net.LookupHost(name)
	if err != nil {
		return "", false
	}
	own, _ := net.InterfaceAddrs()
	for _, f := range found {
		for _, a := range own {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().String() == f &&
				!p.Addr().IsLoopback() && !p.Addr().IsLinkLocalUnicast() {
				return f, true
			}
		}
	}
	return "", false
}

// firstAddress is an address of an interface that peers can use: an IPv4 one if there is any, else a global IPv6 one. A
// link-local one means something else on every host.
func firstAddress(i net.Interface, loopback bool) (string, bool) {
	if i.Flags&net.FlagUp == 0 || (i.Flags&net.FlagLoopback != 0) != loopback {
		return "", false
	}
	addrs, _ := i.Addrs()
	return best(addrs)
}

func best(addrs []net.Addr) (string, bool) {
	found := ""
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err != nil || p.Addr().IsLinkLocalUnicast() || p.Addr().IsMulticast() {
			continue
		}
		if p.Addr().Is4() {
			return p.Addr().String(), true
		}
		if found == "" {
			found = p.Addr().String()
		}
	}
	return found, found != ""
}
