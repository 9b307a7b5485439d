// Package terminal runs the programs on terminals, as people do, and looks at what they see there.
//
// Rules:
//   - The programs are the shipped ones, on a pseudo-terminal; what they write is drawn by an emulator.
//   - A job that is watched is played: its first process is one that does nothing, its hub is the test.
package terminal

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// Terminal is a program on a terminal of its own.
type Terminal struct {
	cmd      *exec.Cmd
	pty      *os.File
	read     chan struct{} // closed when the program has ended, and all that it wrote is drawn
	answered chan struct{} // closed when the emulator answers no more

	mu     sync.Mutex
	screen *vt.Emulator
	raw    bytes.Buffer // all that was written
}

// Start starts a program on a terminal of so many columns and lines.
func Start(cmd *exec.Cmd, width, height int) (*Terminal, error) {
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: uint16(width), Rows: uint16(height)})
	if err == nil {
		f, err = polled(f)
	}
	if err != nil {
		return nil, err
	}
	t := &Terminal{
		cmd: cmd, pty: f, screen: vt.NewEmulator(width, height), read: make(chan struct{}),
		answered: make(chan struct{}),
	}
	go t.draw()
	go t.answer()
	return t, nil
}

// polled is the same file, whose Close does not wait for a Read to return: nothing would come to be read while it
// waits.
func polled(f *os.File) (*os.File, error) {
	defer f.Close()
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		return nil, err
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// draw draws what the program writes.
func (t *Terminal) draw() {
	defer close(t.read)
	buf := make([]byte, 64<<10)
	for {
		n, err := t.pty.Read(buf)
		t.mu.Lock()
		t.raw.Write(buf[:n])
		_, _ = t.screen.Write(buf[:n])
		t.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// answer gives the program the answers of the terminal to its questions.
func (t *Terminal) answer() {
	defer close(t.answered)
	buf := make([]byte, 4<<10)
	for {
		n, err := t.screen.Read(buf)
		if err != nil {
			return
		}
		_, _ = t.pty.Write(buf[:n])
	}
}

// Type types a text.
func (t *Terminal) Type(text string) error {
	_, err := t.pty.WriteString(text)
	return err
}

// Resize changes the size of the terminal.
func (t *Terminal) Resize(width, height int) error {
	t.mu.Lock()
	t.screen.Resize(width, height)
	t.mu.Unlock()
	c, err := t.pty.SyscallConn()
	if err != nil {
		return err
	}
	size := &unix.Winsize{Col: uint16(width), Row: uint16(height)}
	controlErr := c.Control(func(fd uintptr) { err = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, size) })
	return errors.Join(controlErr, err)
}

// Hangup takes the terminal away, as closing its window does: what runs on it gets SIGHUP.
func (t *Terminal) Hangup() error { return t.pty.Close() }

// PID is the program's process id.
func (t *Terminal) PID() int { return t.cmd.Process.Pid }

// Lines are what is seen now, without blanks at the ends of lines.
func (t *Terminal) Lines() []string {
	t.mu.Lock()
	lines := strings.Split(t.screen.String(), "\n")
	t.mu.Unlock()
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " \r")
	}
	return lines
}

// Written is everything that the program has written, escape sequences included.
func (t *Terminal) Written() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.raw.String()
}

// End waits for the end of the program, and returns its exit code.
func (t *Terminal) End() int {
	_ = t.cmd.Wait()
	<-t.read
	if answers, ok := t.screen.InputPipe().(io.Closer); ok { // the emulator's own Close is not safe beside its Read
		_ = answers.Close()
	}
	<-t.answered
	_ = t.pty.Close()
	return t.cmd.ProcessState.ExitCode()
}
