package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func (d dir) diskSource() string { return d.path("disk.real") }
func (d dir) disk() string       { return d.path("disk") }

// mountDisk starts the file system that can be frozen. It must be there before the hosts are made, or they would not
// see it. Its process ends with this one, or once the file system is unmounted.
func (l *Lab) mountDisk(ctx context.Context) error {
	for _, folder := range []string{l.dir.diskSource(), l.dir.disk()} {
		if err := makeWorldWritable(folder); err != nil {
			return err
		}
	}
	cmd := exec.Command(l.opts.Disk, l.dir.diskSource(), l.dir.disk())
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the signal comes when the thread that started the process ends
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("cannot start the disk: %w", err)
	}
	l.disk = cmd.Process
	mounted := make(chan error, 1)
	go func() {
		_, err := bufio.NewReader(out).ReadString('\n')
		mounted <- err
	}()
	select {
	case err = <-mounted:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("cannot mount the disk: %w", err)
	}
	var stat unix.Stat_t
	if err := unix.Stat(l.dir.disk(), &stat); err != nil {
		return fmt.Errorf("cannot mount the disk: %w", err)
	}
	l.diskID = strconv.FormatUint(uint64(unix.Minor(stat.Dev)), 10) // the name of its connection, to the kernel
	return nil
}

// Disk returns a folder that the machine and all hosts see, on a file system of its own, which Freeze stops.
func (l *Lab) Disk() string { return l.dir.disk() }

// Freeze makes the file system of Disk answer nobody, until Thaw. It is stopped between two requests: one that it has
// begun to answer would hold the process that waits for it beyond any signal, which a network file system does not.
func (l *Lab) Freeze() error {
	for range freezeTries {
		if err := l.signalDisk(syscall.SIGSTOP); err != nil {
			return err
		}
		idle, err := l.diskIsIdle()
		if err != nil || idle {
			return err
		}
		if err := l.Thaw(); err != nil {
			return err
		}
		time.Sleep(freezePause)
	}
	return fmt.Errorf("cannot freeze the disk: it was busy %d times", freezeTries)
}

const (
	freezeTries = 500
	freezePause = 2 * time.Millisecond
)

// diskIsIdle tells whether nobody waits for the file system, now that it has stopped.
func (l *Lab) diskIsIdle() (bool, error) {
	for !stopped(l.disk.Pid) {
		time.Sleep(100 * time.Microsecond)
	}
	control, err := os.MkdirTemp("", "disagg-fusectl-")
	if err != nil {
		return false, err
	}
	defer os.Remove(control)
	if err := unix.Mount("fusectl", control, "fusectl", 0, ""); err != nil {
		return false, fmt.Errorf("cannot look at the disk: %w", err)
	}
	defer func() { _ = unix.Unmount(control, unix.MNT_DETACH) }()
	text, err := os.ReadFile(filepath.Join(control, l.diskID, "waiting"))
	if err != nil {
		return false, fmt.Errorf("cannot look at the disk: %w", err)
	}
	return strings.TrimSpace(string(text)) == "0", nil
}

// stopped tells whether every thread of a process is stopped.
func stopped(pid int) bool {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, f := range files {
		data, err := os.ReadFile(f)
		if _, state, ok := strings.Cut(string(data), ") "); err == nil && (!ok || state[0] != 'T') {
			return false
		}
	}
	return true
}

// Thaw makes the file system of Disk answer again. It does nothing if it is not frozen, or not there.
func (l *Lab) Thaw() error {
	if l.disk == nil {
		return nil
	}
	return l.signalDisk(syscall.SIGCONT)
}

func (l *Lab) signalDisk(sig syscall.Signal) error {
	if l.disk == nil {
		return errors.New("cannot freeze the disk: the lab has none")
	}
	if err := l.disk.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("cannot freeze or thaw the disk: %w", err)
	}
	return nil
}
