package healthcheck

import (
	"context"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// addressPoll is how often an address file is looked for. Shared file systems show a new file late anyway.
const addressPoll = 20 * time.Millisecond

// mostAddress is how much is read of a file in which an address is looked for, in bytes.
const mostAddress = 16 << 20

// WaitAddress waits until a service has written its address (host:port) to a file, and returns it. find finds the
// address in what the file holds; nil: it holds nothing else. A file without a whole address counts as not yet written:
// not every writer renames it into place.
func WaitAddress(ctx context.Context, path string, find func(content []byte) string) (string, error) {
	if find == nil {
		find = func(content []byte) string { return strings.TrimSpace(string(content)) }
	}
	tick := time.NewTicker(addressPoll)
	defer tick.Stop()
	for {
		if addr, ok := readAddress(path, find); ok {
			return addr, nil
		}
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func readAddress(path string, find func([]byte) string) (string, bool) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0) // it may be a pipe
	if err != nil {
		return "", false
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, mostAddress))
	if err != nil {
		return "", false
	}
	addr := find(data)
	host, port, err := net.SplitHostPort(addr)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || host == "" || n < 1 || n > 65535 {
		return "", false
	}
	return addr, true
}
