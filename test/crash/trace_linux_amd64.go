package crash

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// steps are the system calls that have an effect, with the number of the argument that is a path; -1: the first one is
// an open file.
var steps = map[uint64]struct {
	name string
	path int
}{
	unix.SYS_OPENAT: {"open", 1}, unix.SYS_MKDIRAT: {"mkdir", 1}, unix.SYS_RENAMEAT: {"rename", 3},
	unix.SYS_RENAMEAT2: {"rename", 3}, unix.SYS_LINKAT: {"link", 3}, unix.SYS_UNLINKAT: {"unlink", 1},
	unix.SYS_UNLINK: {"unlink", 0}, unix.SYS_FCHMOD: {"chmod", -1}, unix.SYS_FSYNC: {"fsync", -1},
	unix.SYS_FDATASYNC: {"fsync", -1}, unix.SYS_FTRUNCATE: {"truncate", -1}, unix.SYS_WRITE: {"write", -1},
	unix.SYS_PWRITE64: {"write", -1}, unix.SYS_CONNECT: {"connect", -1}, unix.SYS_SENDTO: {"send", -1},
	unix.SYS_UTIMENSAT: {"touch", 1},
}

// needsRoom are the steps that a disk which is full lets fail. Taking away is always possible, and so is talking.
var needsRoom = []string{"open", "mkdir", "rename", "link", "fsync", "write"}

// trace runs a command and disturbs it. It tells at which point that was, how many steps there were, and how the
// command ended. If steps are to fail, only those that need room count.
func trace(cmd *exec.Cmd, d disturbance) (run traced, err error) {
	runtime.LockOSThread() // a thread is followed by a thread, and by no other
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return run, err
	}
	pid := cmd.Process.Pid
	var ws unix.WaitStatus
	if _, err := unix.Wait4(pid, &ws, unix.WALL, nil); err != nil {
		return run, err
	}
	const options = unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_EXITKILL
	if err := errors.Join(unix.PtraceSetOptions(pid, options), unix.PtraceSyscall(pid, 0)); err != nil {
		return run, err
	}
	inside, failing := map[int]bool{}, 0
	for {
		tid, err := unix.Wait4(-1, &ws, unix.WALL|unix.WNOTHREAD, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return run, fmt.Errorf("cannot follow the victim: %w", err)
		case (ws.Exited() || ws.Signaled()) && tid == pid:
			_ = cmd.Process.Release()
			run.code = ws.ExitStatus() // -1 if a signal ended it
			return run, nil
		case ws.Exited() || ws.Signaled():
			continue
		}
		deliver := 0
		switch sig := ws.StopSignal(); sig {
		case unix.SIGTRAP | 0x80:
			inside[tid] = !inside[tid]
			if !inside[tid] && failing == tid {
				failing = 0
				setResult(tid, d.fail)
			}
			if !inside[tid] {
				break
			}
			what, is := stepOf(pid, tid)
			if !is || d.fail != 0 && !takesRoom(what) {
				break
			}
			if run.steps++; !d.hits(run.steps) {
				break
			}
			run.point = cmp.Or(run.point, what)
			if d.fail == 0 {
				_ = unix.Kill(pid, unix.SIGKILL)
				continue
			}
			failing = tid
			skipCall(tid)
		case unix.SIGTRAP, unix.SIGSTOP: // a new thread
		default:
			deliver = int(sig)
		}
		_ = unix.PtraceSyscall(tid, deliver) // it may have ended
	}
}

// takesRoom tells whether a step fails on a disk that is full. What the runtime, or the victim's last words, go through
// is on no disk.
func takesRoom(step string) bool {
	verb, what, _ := strings.Cut(step, " ")
	return slices.Contains(needsRoom, verb) && what != runtimesOwn && what != "socket"
}

// skipCall has the kernel do nothing for the call that a thread is about to make.
func skipCall(tid int) {
	var regs unix.PtraceRegs
	if unix.PtraceGetRegs(tid, &regs) == nil {
		regs.Orig_rax = ^uint64(0)
		_ = unix.PtraceSetRegs(tid, &regs)
	}
}

// setResult is what a thread sees of its call.
func setResult(tid int, fail unix.Errno) {
	var regs unix.PtraceRegs
	if unix.PtraceGetRegs(tid, &regs) == nil {
		regs.Rax = uint64(-int64(fail))
		_ = unix.PtraceSetRegs(tid, &regs)
	}
}

// stepOf tells whether a thread of a process is about to take a step, and of which kind.
func stepOf(pid, tid int) (string, bool) {
	var regs unix.PtraceRegs
	if unix.PtraceGetRegs(tid, &regs) != nil {
		return "", false
	}
	step, is := steps[regs.Orig_rax]
	if !is {
		return "", false
	}
	args := []uint64{regs.Rdi, regs.Rsi, regs.Rdx, regs.R10}
	var path string
	if step.path < 0 {
		path, _ = os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, regs.Rdi))
	} else {
		path = textAt(tid, uintptr(args[step.path]))
	}
	if strings.HasPrefix(path, "/proc") || strings.HasPrefix(path, "/sys") || strings.HasPrefix(path, "/etc") {
		return "", false
	}
	const changes = unix.O_WRONLY | unix.O_RDWR | unix.O_CREAT
	if regs.Orig_rax == unix.SYS_OPENAT && regs.Rdx&changes == 0 {
		return "", false
	}
	return step.name + " " + kindOf(path), true
}

// runtimesOwn are the pipes by which threads wake each other, and the standard streams.
const runtimesOwn = "the runtime's own"

// twoDigits are what the folders of records are called in a sink that is a folder.
var twoDigits = regexp.MustCompile(`^[0-9a-f]{2}$`)

// kindOf is a file's kind: the folder that it lies in, or its own name.
func kindOf(path string) string {
	folder, name := filepath.Base(filepath.Dir(path)), filepath.Base(path)
	temporary := ""
	if strings.HasPrefix(name, ".") {
		temporary = "temporary file of "
	}
	switch {
	case strings.HasPrefix(path, "socket:"):
		return "socket"
	case strings.HasPrefix(path, "anon_inode:"), strings.HasPrefix(path, "pipe:"):
		return runtimesOwn
	case twoDigits.MatchString(folder): // where the sink that is a folder keeps records
		return temporary + "record in a folder"
	case twoDigits.MatchString(name):
		return "folder of records"
	case folder == "outbox":
		return "folder of the sink"
	case strings.Trim(name, "0123456789") == "":
		return "folder of the database"
	case strings.HasPrefix(name, ".now"):
		return "clock of the file system"
	case strings.HasPrefix(name, ".lease") || name == "lease":
		return temporary + "lease"
	case strings.Contains(name, ".parquet"):
		return temporary + "Parquet"
	case folder == "records" || folder == "sent" || folder == "pending" || folder == "dead":
		return temporary + folder
	}
	return temporary + name
}

// textAt is a text in a thread's memory.
func textAt(tid int, at uintptr) string {
	buf := make([]byte, 4096)
	n, err := unix.PtracePeekData(tid, at, buf)
	if err != nil && n == 0 {
		return ""
	}
	text, _, _ := bytes.Cut(buf[:n], []byte{0})
	return string(text)
}
