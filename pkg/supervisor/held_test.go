package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/supervisor"
	"github.com/disagg/disagg/test/check"
)

// Programs that keep another from being freed when it ends, and children that are kept so.

// traceable is a program that any process may trace. Once a file exists it ends as it is told, by a code or "killed".
// As "nobody" it then belongs to a user without rights; any other word is a file that it has open.
func traceable(args []string) int {
	_ = unix.Prctl(unix.PR_SET_PTRACER, ^uintptr(0), 0, 0, 0)
	for begun := time.Now(); time.Since(begun) < 100*time.Millisecond; { // so that it has used its processor
	}
	if len(args) > 2 && args[2] != "nobody" {
		if _, err := syscall.Open(args[2], syscall.O_RDWR, 0); err != nil {
			panic(err)
		}
	}
	ready()
	for _, err := os.Stat(args[0]); err != nil; _, err = os.Stat(args[0]) {
		time.Sleep(5 * time.Millisecond)
	}
	if len(args) > 2 && args[2] == "nobody" {
		_ = syscall.Setuid(65534)
	}
	if args[1] == "killed" {
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	}
	return number(args[1])
}

// tracer traces a process until it is killed itself.
func tracer(args []string) int {
	runtime.LockOSThread() // a tracer is a thread
	pid := number(args[0])
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(pid), 0, 0, 0, 0)
	if errno != 0 {
		fmt.Print("refused")
		return 1
	}
	fmt.Print("holds")
	select {}
}

// keeper shows a folder at another place, and does not let go of what has been open there, or does not answer who
// "writes", until it is killed.
func keeper(args []string) int {
	root, err := fs.NewLoopbackRoot(args[0])
	if err == nil {
		var server *fuse.Server
		files := keepsAll{fs.NewNodeFS(root, &fs.Options{}), args[0]}
		server, err = fuse.NewServer(files, args[1], &fuse.MountOptions{DirectMountStrict: true})
		if err == nil {
			go server.Serve()
			err = server.WaitMount()
		}
	}
	if err != nil {
		fmt.Print(err)
		return 1
	}
	fmt.Print("holds")
	select {}
}

// keepsAll is a file system that never answers whoever closes a file or ends with one that is open, looks for the file
// "never", or writes: they wait for ever, and once they have been asked to end not even SIGKILL ends them.
type keepsAll struct {
	fuse.RawFileSystem
	source string
}

// Flush implements fuse.RawFileSystem.
func (keepsAll) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status { select {} }

// Lookup implements fuse.RawFileSystem.
func (k keepsAll) Lookup(stop <-chan struct{}, in *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	if name == "never" {
		_ = os.WriteFile(filepath.Join(k.source, "asked"), nil, 0o600)
		select {}
	}
	return k.RawFileSystem.Lookup(stop, in, name, out)
}

// Write implements fuse.RawFileSystem.
func (keepsAll) Write(<-chan struct{}, *fuse.WriteIn, []byte) (uint32, fuse.Status) { select {} }

// Open implements fuse.RawFileSystem. It sees to it that the kernel does not write past the file system.
func (k keepsAll) Open(stop <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	status := k.RawFileSystem.Open(stop, in, out)
	out.OpenFlags &^= fuse.FOPEN_PASSTHROUGH
	out.BackingID = 0
	return status
}

// hold runs a program that keeps processes from being freed when they end. It returns what lets them go.
func hold(s *supervisor.Supervisor, program string, args ...string) (letGo func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	said, out := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		env := []string{childVar + "=" + program}
		_, err := s.RunTo(ctx, out, append([]string{"/proc/self/exe"}, args...), env)
		_ = out.CloseWithError(err)
	}()
	letGo = func() {
		cancel()
		_ = said.Close()
		<-ended
	}
	answer := make([]byte, len("holds"))
	if _, err := io.ReadFull(said, answer); err != nil || string(answer) != "holds" {
		letGo()
		return nil, errors.Join(fmt.Errorf("it is not held: the %s says %q", program, answer), err)
	}
	return letGo, nil
}

// held is a child that is not freed when it ends, which it does when it is told.
type held struct {
	*child
	file  string
	letGo func()
}

// runHeld runs a child of which nothing is left when it ends, but that nobody can collect: another process traces it.
func runHeld(t *testing.T, how string) held {
	t.Helper()
	s := check.Supervise(t)
	h := startHeld(t, s, how)
	var err error
	if h.letGo, err = hold(s, "tracer", fmt.Sprint(h.PID())); err != nil {
		h.Kill("it cannot be held")
		h.outcome()
		t.Skip(err)
	}
	t.Cleanup(h.letGo)
	return h
}

// disk is a file system that keeps what has to do with it: see keepsAll. It holds the file "device".
type disk struct {
	t           *testing.T
	dir, source string
	letGo       func()
}

func hangingDisk(t *testing.T, s *supervisor.Supervisor) disk {
	t.Helper()
	d := disk{t: t, source: t.TempDir(), dir: t.TempDir()}
	err := os.WriteFile(filepath.Join(d.source, "device"), make([]byte, os.Getpagesize()), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	d.letGo, err = hold(s, "keeper", d.source, d.dir)
	t.Cleanup(func() { _ = syscall.Unmount(d.dir, syscall.MNT_DETACH) })
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(d.end)
	return d
}

func (d disk) device() string { return filepath.Join(d.dir, "device") }

// never is a file for which the disk never answers.
func (d disk) never() string { return filepath.Join(d.dir, "never") }

// awaitAsked waits until somebody waits for that file.
func (d disk) awaitAsked() {
	d.t.Helper()
	for deadline := time.Now().Add(bound); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(filepath.Join(d.source, "asked")); err == nil {
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatal("nobody asks for the file")
		}
	}
}

// end lets all go, and waits until no process is left of what has waited.
func (d disk) end() {
	d.t.Helper()
	d.letGo()
	for deadline := time.Now().Add(bound); len(check.ChildrenOf(os.Getpid())) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			d.t.Fatal("a process is left")
		}
	}
}

// runKept runs a child that does not come to its end, as one that has a device open whose driver hangs.
func runKept(t *testing.T, how string) held {
	t.Helper()
	s := check.Supervise(t)
	d := hangingDisk(t, s)
	h := startHeld(t, s, how, d.device())
	h.letGo = d.letGo
	return h
}

func startHeld(t *testing.T, s *supervisor.Supervisor, args ...string) held {
	t.Helper()
	h := held{file: filepath.Join(t.TempDir(), "end")}
	impatient := func(s *supervisor.Spec) { s.StopPolicy.TreeKill = 50 * time.Millisecond }
	h.child = run(t, s, impatient, "traceable", append([]string{h.file}, args...)...)
	h.awaitReady()
	return h
}

func (h held) end() {
	h.t.Helper()
	if err := os.WriteFile(h.file, nil, 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func (h held) awaitExit() {
	h.t.Helper()
	select {
	case <-h.Exited():
	case <-time.After(bound):
		h.t.Fatal("its end is not told")
	}
}

// supervising does something in a process that has a supervisor of its own, and a folder with a log.
func supervising(do func(s *supervisor.Supervisor, dir string, log *os.File) error) error {
	s, err := supervisor.New()
	if err != nil {
		return err
	}
	defer s.Close()
	dir, err := os.MkdirTemp("", "disagg-supervising-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	return do(s, dir, log)
}
