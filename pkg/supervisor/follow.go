package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Followed is a process that is followed to its end, whether it is a child of this one or not. It stays the same
// process though its number may be used again.
type Followed struct {
	file *os.File      // a pidfd; the runtime's poller wakes who waits for it, so that a wait costs nothing
	over chan struct{} // closed when it has ended, or is no longer followed
	seen bool          // it has ended; set before over is closed
}

// Follow opens the process that a mark names. It fails if this process cannot see it, for instance from a container
// with a PID name space of its own.
func Follow(mark string) (*Followed, error) {
	pidText, rest, _ := strings.Cut(mark, ":")
	started, space, ok := strings.Cut(rest, ":")
	pid, err := strconv.Atoi(pidText)
	if err != nil || !ok || pid <= 0 {
		return nil, fmt.Errorf("cannot follow process %q: it is no mark", mark)
	}
	if own := pidNamespace(); own == "" || own != space {
		return nil, fmt.Errorf("cannot follow process %d: it is in another PID name space", pid)
	}
	return follow(pid, started)
}

// follow opens a process by its number and the time when it was started.
func follow(pid int, started string) (*Followed, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true) // else the poller is not asked
	}
	if err != nil {
		return nil, fmt.Errorf("cannot follow process %d: %w", pid, err)
	}
	f := &Followed{file: os.NewFile(uintptr(fd), "pidfd"), over: make(chan struct{})}
	go f.watch()
	if started == "" || startTime(pid) != started { // the number is another process's by now
		return nil, errors.Join(fmt.Errorf("cannot follow process %d: it has ended", pid), f.Close())
	}
	return f, nil
}

// watch waits for the end. It is one wait for all who wait, as only one at a time can be woken by the poller, and as a
// deadline, by which a wait of the poller is given up, holds for all.
func (f *Followed) watch() {
	defer close(f.over)
	conn, err := f.file.SyscallConn()
	f.seen = err == nil && conn.Read(hasEnded) == nil
}

// Wait waits until the process has ended; false if the context ended before that.
func (f *Followed) Wait(ctx context.Context) bool {
	select {
	case <-f.over:
		return f.seen
	case <-ctx.Done():
		return false
	}
}

// Ended tells whether the process has ended.
func (f *Followed) Ended() (over bool) {
	conn, err := f.file.SyscallConn()
	return err == nil && conn.Control(func(fd uintptr) { over = hasEnded(fd) }) == nil && over
}

// hasEnded tells whether the process of a pidfd has ended: only then it can be read.
func hasEnded(pidfd uintptr) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 0)
	return err == nil && n > 0
}

// Signal signals the process.
func (f *Followed) Signal(sig unix.Signal) error {
	conn, err := f.file.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = conn.Control(func(fd uintptr) { sent = unix.PidfdSendSignal(int(fd), sig, nil, 0) })
	return errors.Join(err, sent)
}

// Close ends the following, and every wait.
func (f *Followed) Close() error {
	err := f.file.Close()
	<-f.over
	return err
}
