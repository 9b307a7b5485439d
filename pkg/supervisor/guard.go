package supervisor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
)

// guardMark is a variable that every process of a guarded tree has in its environment.
const guardMark = "DISAGG_GUARD"

// guardBound is how long a guard tries to end what is left.
const guardBound = 10 * time.Second

// guard is a process that outlives this one if this one is killed, and then ends its children. Where Slurm tracks
// processes by their parents, nobody else would: what has lost its parent is out of its sight.
type guard struct {
	mark  string   // value of guardMark
	line  *os.File // closed by the kernel when this process ends, however that happens
	ended chan struct{}
}

// waiting is how a guard waits: in a shell, which takes a fifth of the time to start and a tenth of the memory. Only
// when this process has ended without a word does the shell become the guard's own command. A container may have no
// shell. Signals that are meant for all of a step do not end it.
const (
	shell   = "/bin/sh"
	waiting = `trap '' TERM INT HUP USR1 USR2; read -r word || exec "$@"`
)

// Guard starts a guard over all children that are started from now on. The command is one that calls [Watch], with the
// arguments it is given appended. It must be called at most once.
func (s *Supervisor) Guard(command ...string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("cannot start guard: %w", err)
	}
	defer r.Close()
	mark := uuid.NewString()
	command = append(slices.Clip(command), mark)
	if _, err := os.Stat(shell); err == nil {
		command = append([]string{shell, "-c", waiting, "guard"}, command...)
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin = r
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // out of reach of signals to this process's group
	_, err = s.track(func() (*os.Process, error) {
		err := cmd.Start()
		return cmd.Process, err
	})
	if err != nil {
		return errors.Join(fmt.Errorf("cannot start guard: %w", err), w.Close())
	}
	s.guard = &guard{mark: mark, line: w, ended: make(chan struct{})}
	go func() {
		defer close(s.guard.ended)
		_ = cmd.Wait()
		s.untrack(cmd.Process.Pid)
	}()
	return nil
}

// end lets the guard go: everything was ended in order.
func (g *guard) end() {
	_, _ = g.line.WriteString("done\n")
	_ = g.line.Close()
	select {
	case <-g.ended:
	case <-time.After(closeBound):
	}
}

// Watch is what a guard does: it waits for the process that started it, and if that was killed, it ends every process
// that has its mark. It returns how many it ended.
func Watch(line io.Reader, mark string) (ended int, err error) {
	if n, _ := line.Read(make([]byte, 1)); n > 0 {
		return 0, nil
	}
	seen := map[int]bool{}
	for deadline := time.Now().Add(guardBound); ; {
		marked := withMark(mark)
		if len(marked) == 0 && len(withMark(mark)) == 0 {
			return len(seen), nil
		}
		if time.Now().After(deadline) {
			return len(seen), fmt.Errorf("cannot end processes %v", marked)
		}
		for _, pid := range marked {
			_ = syscall.Kill(pid, unix.SIGSTOP)
		}
		for _, pid := range withMark(mark) { // those forked meanwhile too
			seen[pid] = true
			_ = syscall.Kill(pid, unix.SIGKILL)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// withMark lists the living processes that have the mark in the environment that they were started with.
func withMark(mark string) []int {
	want := []byte(guardMark + "=" + mark)
	entries, _ := os.ReadDir("/proc")
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		p, ok := readProc(pid)
		if !ok || p.zombie() {
			continue
		}
		thread, _ := p.living()
		env, err := os.ReadFile(thread + "environ")
		if err == nil && hasVariable(env, want) { // else it is not ours to read, gone, or another's
			pids = append(pids, pid)
		}
	}
	return pids
}

func hasVariable(env, want []byte) bool {
	for v := range bytes.SplitSeq(env, []byte{0}) {
		if bytes.Equal(v, want) {
			return true
		}
	}
	return false
}
