package agent

import (
	"net"
	"net/netip"
	"strings"
	"testing"
)

// This host's address is one that its peers can use; an interface that is named must have one.
func TestHostAddress(t *testing.T) {
	if addr, err := HostAddress("lo"); err != nil || addr != "127.0.0.1" {
		t.Errorf("lo: %q, %v", addr, err)
	}
	if addr, err := HostAddress("none0"); err == nil || !strings.Contains(err.Error(), "none0") {
		t.Errorf("none0: %q, %v", addr, err)
	}
	addr, err := HostAddress("")
	if err != nil {
		if !strings.Contains(err.Error(), "profile (interface)") {
			t.Error(err)
		}
		return // a host without a network
	}
	if a, err := netip.ParseAddr(addr); err != nil || a.IsLoopback() || a.IsUnspecified() || a.IsLinkLocalUnicast() {
		t.Errorf("this host's address is %q, %v", addr, err)
	}
}

// Of several addresses of an interface, the one that means the same on every host is taken, IPv4 before IPv6.
func TestBestAddress(t *testing.T) {
	tests := map[string]struct {
		addrs []string
		want  string // "": none can be used
	}{
		"IPv4":                            {[]string{"10.0.0.7/24"}, "10.0.0.7"},
		"IPv4 behind IPv6":                {[]string{"fe80::1/64", "fd00::7/64", "10.0.0.7/24"}, "10.0.0.7"},
		"IPv6 behind a link-local one":    {[]string{"fe80::1/64", "fd00::7/64"}, "fd00::7"},
		"IPv6 before a link-local one":    {[]string{"fd00::7/64", "fe80::1/64"}, "fd00::7"},
		"several of IPv6":                 {[]string{"fe80::1/64", "2001:db8::7/64", "fd00::7/64"}, "2001:db8::7"},
		"only a link-local one":           {[]string{"fe80::1/64"}, ""},
		"a link-local one of IPv4":        {[]string{"169.254.3.4/16"}, ""},
		"a link-local one of IPv4, first": {[]string{"169.254.3.4/16", "10.0.0.7/24"}, "10.0.0.7"},
		"multicast":                       {[]string{"ff02::1/16"}, ""},
		"none":                            {nil, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var addrs []net.Addr
			for _, a := range tt.addrs {
				ip, network, err := net.ParseCIDR(a)
				if err != nil {
					t.Fatal(err)
				}
				addrs = append(addrs, &net.IPNet{IP: ip, Mask: network.Mask})
			}
			if got, ok := best(addrs); got != tt.want || ok != (tt.want != "") {
				t.Errorf("%q, %v, want %q", got, ok, tt.want)
			}
		})
	}
}
