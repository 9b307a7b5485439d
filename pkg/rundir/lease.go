package rundir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/atomicfile"
)

// LeaseTime is how long a lease is good that its holder does not renew.
const LeaseTime = 30 * time.Second

// LeaseHeld says that another process drains the outbox.
type LeaseHeld struct{ Owner string }

// Error implements error.
func (e LeaseHeld) Error() string { return "another process drains the outbox: " + e.Owner }

// Lease makes one drain at a time of an outbox, on any host that sees it. It holds as long as its holder renews it; the
// age is taken from the file system's own clock, so that the clocks of hosts need not agree. It saves work and noise:
// records are right without it, since a sink keeps each id once.
type Lease struct {
	file, text string
	stop       chan struct{}
	over       sync.WaitGroup
}

// Lease takes the lease of the outbox, or says who holds it.
func (o Outbox) Lease() (*Lease, error) {
	l := &Lease{file: filepath.Join(o.dir, "lease"), text: leaseText(), stop: make(chan struct{})}
	if err := os.MkdirAll(o.dir, folderMode); err != nil {
		return nil, fmt.Errorf("cannot take the lease of the outbox: %w", err)
	}
	for range 3 { // others may take or leave it meanwhile
		err := atomicfile.Create(l.file, []byte(l.text), sharedMode)
		if err == nil {
			l.over.Go(l.renew)
			return l, nil
		}
		if !errors.Is(err, os.ErrExist) {
			return nil, fmt.Errorf("cannot take the lease of the outbox: %w", err)
		}
		if err := l.takeOver(); err != nil {
			return nil, err
		}
	}
	return nil, LeaseHeld{Owner: "one of several that try"}
}

// leaseText names the holder: host, process and its name space of processes, and something unique.
func leaseText() string {
	host, _ := os.Hostname()
	space, _ := os.Readlink("/proc/self/ns/pid")
	return fmt.Sprintf("%s %d %s %s\n", host, os.Getpid(), space, uuid.NewString())
}

// takeOver takes a lease away from a holder that has gone. It is an error if the holder has not.
func (l *Lease) takeOver() error {
	data, err := ReadRegular(l.file)
	if errors.Is(err, os.ErrNotExist) {
		return nil // it was given back
	}
	if err != nil {
		return fmt.Errorf("cannot read the lease of the outbox: %w", err)
	}
	held := string(data)
	if age, err := l.age(); err != nil {
		return err
	} else if age < LeaseTime && !l.gone(held) {
		return LeaseHeld{Owner: owner(held)}
	}
	aside := filepath.Join(filepath.Dir(l.file), ".lease."+uuid.NewString())
	if err := os.Rename(l.file, aside); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil // another one was faster
		}
		return fmt.Errorf("cannot take over the lease of the outbox: %w", err)
	}
	defer os.Remove(aside)
	if moved, err := ReadRegular(aside); err == nil && string(moved) != held {
		_ = os.Link(aside, l.file) // it was a new one: it goes back
		return LeaseHeld{Owner: owner(string(moved))}
	}
	return nil
}

// age is how long ago the lease was renewed, by the clock of its file system.
func (l *Lease) age() (time.Duration, error) {
	now, err := os.CreateTemp(filepath.Dir(l.file), ".now.*")
	if err != nil {
		return 0, fmt.Errorf("cannot tell the age of the lease: %w", err)
	}
	defer func() { _ = now.Close(); _ = os.Remove(now.Name()) }()
	held, err := os.Stat(l.file)
	if errors.Is(err, os.ErrNotExist) {
		return LeaseTime, nil
	}
	made, err2 := now.Stat()
	if err := errors.Join(err, err2); err != nil {
		return 0, fmt.Errorf("cannot tell the age of the lease: %w", err)
	}
	return made.ModTime().Sub(held.ModTime()), nil
}

// gone tells whether the holder is a process that this one would see, and that does not run any more.
func (l *Lease) gone(held string) bool {
	theirs, ours := strings.Fields(held), strings.Fields(l.text)
	if len(theirs) != len(ours) || theirs[0] != ours[0] || theirs[2] != ours[2] {
		return false
	}
	pid, err := strconv.Atoi(theirs[1])
	return err == nil && pid > 0 && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

// owner is the holder for people.
func owner(text string) string {
	if f := strings.Fields(text); len(f) >= 2 {
		return "process " + f[1] + " on " + f[0]
	}
	return "one that does not say who it is"
}

// renew renews the lease until it is given back, or is another's.
func (l *Lease) renew() {
	tick := time.NewTicker(LeaseTime / 3)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
			if data, err := ReadRegular(l.file); err == nil && string(data) == l.text {
				now := unix.Timespec{Nsec: unix.UTIME_NOW}                                 // by the file system's clock
				_ = unix.UtimesNanoAt(unix.AT_FDCWD, l.file, []unix.Timespec{now, now}, 0) // else it ends by its age
			}
		}
	}
}

// Release gives the lease back.
func (l *Lease) Release() {
	close(l.stop)
	l.over.Wait()
	if data, err := ReadRegular(l.file); err == nil && string(data) == l.text {
		_ = os.Remove(l.file)
	}
}
