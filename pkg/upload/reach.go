package upload

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// reachBound is how long a server may take to answer.
const reachBound = 3 * time.Second

// Reach tells why records cannot be sent to a sink from here, as far as that can be seen without sending any: a secret
// cannot be read, a server does not answer, a folder cannot be written.
func (r Registry) Reach(ctx context.Context, rawURL string) error {
	s, u, err := r.find(rawURL)
	if err != nil {
		return err
	}
	if s.Local {
		return writable(u.Path)
	}
	for key := range u.Query() {
		for _, kind := range []string{"_env", "_file"} {
			if name, ok := strings.CutSuffix(key, kind); ok {
				if _, err := Credential(u, name); err != nil {
					return err
				}
			}
		}
	}
	return s.answers(ctx, u)
}

// answers tells why a sink's server does not answer.
func (s Scheme) answers(ctx context.Context, u *url.URL) error {
	network, address := "tcp", net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), s.Port))
	if socket := u.Query().Get("socket"); socket != "" {
		network, address = "unix", socket
	}
	if s.Port == "" { // it is asked by HTTP
		web := url.URL{Scheme: "https", Host: u.Host}
		port := "443"
		if u.Query().Get("tls") == "off" {
			web.Scheme, port = "http", "80"
		}
		if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: &web}); err != nil || proxy != nil {
			return err // the way leads through another server, which is not asked
		}
		address = net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port))
	}
	ctx, cancel := context.WithTimeout(ctx, reachBound)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return fmt.Errorf("cannot reach it: %w", err)
	}
	return conn.Close()
}

// writable tells why nothing can be written at a path: neither there, nor in the next folder above that is there.
func writable(path string) error {
	for {
		_, err := os.Stat(path)
		if err == nil || path == filepath.Dir(path) {
			break
		}
		path = filepath.Dir(path)
	}
	if err := unix.Access(path, unix.W_OK); err != nil {
		return fmt.Errorf("cannot write to %s: %w", path, err)
	}
	return nil
}
