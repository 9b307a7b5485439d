package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
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
	return nil
}

// Disk returns a folder that the machine and all hosts see, on a file system of its own, which Freeze stops.
func (l *Lab) Disk() string { return l.dir.disk() }

// Freeze makes the file system of Disk answer nobody, until Thaw.
func (l *Lab) Freeze() error { return l.signalDisk(syscall.SIGSTOP) }

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
