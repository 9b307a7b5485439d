package healthcheck

import (
	"context"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// addressPoll is how often an address file is looked for. Shared file systems show a new file late anyway.
const addressPoll = 20 * time.Millisecond

// WaitAddress waits until a service has written its address (host:port) to a file, and returns it. A file
// without a whole address counts as not yet written: not every writer renames it into place.
func WaitAddress(ctx context.Context, path string) (string, error) {
	tick := time.NewTicker(addressPoll)
	defer tick.Stop()
	for {
		if addr, ok := readAddress(path); ok {
			return addr, nil
		}
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func readAddress(path string) (string, bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", false
	}
	addr := strings.TrimSpace(string(data))
	host, port, err := net.SplitHostPort(addr)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || host == "" || n < 1 || n > 65535 {
		return "", false
	}
	return addr, true
}
