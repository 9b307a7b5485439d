package supervisor_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/logtee"
	"github.com/disagg/disagg/pkg/supervisor"
)

// runApart runs a program in name spaces of its own and returns what it prints.
func runApart(t *testing.T, flags uintptr, name string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root has name spaces for the asking")
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), childVar+"="+name)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // whose death is the parent's
	defer runtime.UnlockOSThread()
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		t.Skip(err)
	}
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	return string(out)
}

// foreign is a program that supervises where /proc is that of another PID name space.
func foreign([]string) int {
	s, err := supervisor.New()
	if err == nil {
		s.Close()
	}
	fmt.Print(err)
	return 0
}

// Where the numbers in /proc are not those of the processes that are seen, nothing is supervised.
func TestProcOfAnotherNamespace(t *testing.T) {
	said := runApart(t, syscall.CLONE_NEWPID, "foreign")
	if !strings.HasPrefix(said, "cannot supervise processes: /proc is that of another PID name space") {
		t.Error(said)
	}
}

// hider is a program that supervises, as a user without rights, where /proc hides what that user may not inspect.
func hider(args []string) int {
	if len(args) == 0 {
		err := errors.Join(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
			unix.Mount("proc", "/proc", "proc", 0, "hidepid=2"),
			syscall.Setgroups(nil), syscall.Setgid(65534), syscall.Setuid(65534))
		if err == nil {
			err = syscall.Exec("/proc/self/exe", []string{os.Args[0], "now"}, os.Environ())
		}
		fmt.Print(err)
		return 1
	}
	fmt.Print(supervising(superviseHidden))
	return 0
}

// superviseHidden supervises a program that leaves one that is hidden. It tells what has become of that.
func superviseHidden(s *supervisor.Supervisor, _ string, log *os.File) error {
	hidden := 0
	p := s.Start(supervisor.Spec{
		Argv: []string{"/proc/self/exe", "leave"}, Env: []string{childVar + "=undumpable"},
		Output: logtee.Options{Log: log, OnLine: func(l logtee.Line) { hidden = number(l.Text) }},
	})
	<-p.Done()
	<-p.Stored()
	o := p.Outcome()
	return fmt.Errorf("code %d, %d left, hidden: %w", o.Code, len(o.Survivors), syscall.Kill(hidden, 0))
}

// undumpable is a program that not even its own user may inspect. To "leave" it starts itself in another session, says
// which process that is once it is so, and ends.
func undumpable(args []string) int {
	if len(args) == 0 {
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
			panic(err)
		}
		ready()
		select {}
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		_, err = io.ReadFull(out, make([]byte, len("ready\n")))
	}
	if err != nil {
		panic(err)
	}
	fmt.Println(cmd.Process.Pid)
	return 3
}

// What /proc hides is ended with the rest of the tree.
func TestHiddenProcess(t *testing.T) {
	said := runApart(t, syscall.CLONE_NEWPID|syscall.CLONE_NEWNS, "hider")
	if want := fmt.Sprintf("code 3, 0 left, hidden: %v", syscall.ESRCH); said != want {
		t.Errorf("%s\nwant %s", said, want)
	}
}
