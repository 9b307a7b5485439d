package supervisor

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
)

// guardMark is a variable that every process of a guarded tree has in its environment: the marks of all guards that it
// is under, the innermost last. A guard has isGuard in the place of a mark: that of an agent within the tree of another
// one ends by itself, once it has done its work.
const (
	guardMark = "DISAGG_GUARD"
	isGuard   = "guard"
)

// keepsEnviron is what setproctitle(3) of Python asks for before it takes the room of the environment for a long title:
// the mark would be gone.
const keepsEnviron = "SPT_NOENV"

// guard is a process that outlives this one if this one is killed, and then ends its children. Where Slurm tracks
// processes by their parents, nobody else would: what has lost its parent is out of its sight.
type guard struct {
	marks   string   // value of guardMark
	line    *os.File // closed by the kernel when this process ends, however that happens
	pid     int
	started chan struct{} // has room for one: a child is being started
	told    atomic.Int32  // how many kin the guard knows
	over    chan struct{} // closed when nothing more is told
	endOnce sync.Once
	ended   chan struct{}
}

// waiting is how a guard waits: in a shell, which takes a fifth of the time to start and a tenth of the memory. Of what
// it is told it keeps the last line, the kin. Only when this process has ended without saying "done" does the shell
// become the guard's own command: by a descriptor, since the file may be gone by then, else by its name. A container
// may have no shell. Signals that are meant for all of a step do not end it.
const (
	shell   = "/bin/sh"
	waiting = `trap '' TERM INT HUP USR1 USR2
kin= program=$1
shift
while read -r word; do
	[ "$word" = done ] && exit
	kin=$word
done
[ -x /proc/self/fd/3 ] && exec /proc/self/fd/3 "$@" $kin
exec "$program" "$@" $kin`
)

// Guard starts a guard over all children that are started from now on. The command is one that calls [Watch], with the
// arguments it is given appended: the mark, and what else is known of what is left. It must be called at most once.
func (s *Supervisor) Guard(command ...string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("cannot start guard: %w", err)
	}
	defer r.Close()
	mark := uuid.NewString()
	cmd, letGo := guardCommand(shell, append(slices.Clip(command), mark))
	defer letGo()
	cmd.Stdin = r
	_, err = s.track(func() (*os.Process, error) {
		err := cmd.Start()
		return cmd.Process, err
	})
	if err != nil {
		return errors.Join(fmt.Errorf("cannot start guard: %w", err), w.Close())
	}
	s.guard = &guard{
		marks: strings.TrimPrefix(os.Getenv(guardMark)+","+mark, ","), line: w, pid: cmd.Process.Pid,
		started: make(chan struct{}, 1), over: make(chan struct{}), ended: make(chan struct{}),
	}
	go s.guard.tellKin(s)
	go func() {
		defer close(s.guard.ended)
		_ = cmd.Wait()
		s.untrack(cmd.Process.Pid)
	}()
	return nil
}

// guardCommand is a command that waits in a shell, if there is one, and what closes the files that were opened for it.
func guardCommand(shell string, command []string) (cmd *exec.Cmd, letGo func()) {
	letGo = func() {}
	if _, err := os.Stat(shell); err == nil {
		cmd = exec.Command(shell, append([]string{"-c", waiting, "guard"}, command...)...)
		if f := openProgram(command[0]); f != nil {
			cmd.ExtraFiles, letGo = []*os.File{f}, func() { _ = f.Close() } // descriptor 3
		}
	} else {
		cmd = exec.Command(command[0], command[1:]...)
	}
	cmd.Env = append(os.Environ(), guardMark+"="+isGuard)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // out of reach of signals to this process's group
	return cmd, letGo
}

// openBound is how long a disk is waited for that may not answer. Without the file, the guard's program is run by name.
const openBound = 200 * time.Millisecond

// openProgram opens a program so that it can be run when its file has been deleted or replaced; nil if it cannot.
func openProgram(path string) *os.File {
	if self, err := os.Executable(); err == nil && self == path {
		path = "/proc/self/exe" // what runs here, whatever has that name by now
	}
	opened := make(chan *os.File)
	late := time.NewTimer(openBound)
	defer late.Stop()
	given := make(chan struct{})
	defer close(given)
	go func() {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			close(opened)
			return
		}
		f := os.NewFile(uintptr(fd), path) //nolint:gosec // a descriptor
		select {
		case opened <- f:
		case <-given:
			_ = f.Close()
		}
	}()
	select {
	case f := <-opened:
		return f
	case <-late.C:
		return nil
	}
}

// mark is an environment with the mark, for a child that is about to be started.
func (g *guard) mark(env []string) []string {
	select {
	case g.started <- struct{}{}:
	default: // it is known
	}
	env = slices.DeleteFunc(slices.Clone(env), func(v string) bool { return strings.HasPrefix(v, guardMark+"=") })
	env = append(env, guardMark+"="+g.marks)
	isSet := func(v string) bool { return strings.HasPrefix(v, keepsEnviron+"=") }
	if !slices.ContainsFunc(env, isSet) {
		env = append(env, keepsEnviron+"=1")
	}
	return env
}

// tellKin tells the guard which groups and sessions are those of this process's descendants: of its children as soon as
// they are started, of the rest now and then.
func (g *guard) tellKin(s *Supervisor) {
	var told []kin
	timer := time.NewTimer(sampleFirst)
	defer timer.Stop()
	for {
		var now []kin
		select {
		case <-g.over:
			return
		case <-g.started:
			now = joined(kinOf(readAll(s.startedChildren(), g.pid)), told)
		case <-timer.C:
			begun := time.Now()
			now = kinOf(readAll(below(os.Getpid(), g.pid), g.pid))
			timer.Reset(max(samplePeriod, sampleShare*time.Since(begun)))
		}
		if !slices.Equal(now, told) {
			told = now
			_, _ = g.line.WriteString(kinText(now) + "\n")
			g.told.Store(int32(len(now))) //nolint:gosec // a few
		}
	}
}

// startedChildren lists the children of this process once a start that is under way is over.
func (s *Supervisor) startedChildren() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return children(os.Getpid())
}

// end lets the guard go: everything was ended in order. It may be called again.
func (g *guard) end() {
	g.endOnce.Do(func() { close(g.over) })
	_ = g.line.SetWriteDeadline(time.Now().Add(closeBound)) // somebody may have stopped it
	_, _ = g.line.WriteString("done\n")
	_ = g.line.Close()
	select {
	case <-g.ended:
	case <-time.After(closeBound):
	}
}
