package supervisor

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// CleanMask makes sure that no signal is blocked in this process, and so in its children. Go hands the mask that a
// program was started with on to its children and cannot change it afterwards, so a program with a mask is started
// again without: call this first in main. It returns if there is nothing to do, or if it cannot be done.
func CleanMask() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var none, blocked unix.Sigset_t
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, nil, &blocked); err != nil {
		return fmt.Errorf("cannot read the signals that are blocked: %w", err)
	}
	if blocked == none {
		return nil
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &none, nil); err != nil {
		return fmt.Errorf("cannot unblock signals: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot unblock signals: %w", err)
	}
	return fmt.Errorf("cannot unblock signals: %w", syscall.Exec(self, os.Args, os.Environ()))
}

// catchIgnored makes sure that children ignore nothing that this process was started to ignore: exec keeps what is
// ignored, and a child that ignores SIGINT, say, cannot be interrupted. A shell ignores SIGINT and SIGQUIT for what it
// runs in the background. Such a signal gets a handler that does nothing, which exec resets. The result ends it.
func catchIgnored() (end func()) {
	ignored, err := signalSet("SigIgn")
	if err != nil {
		return func() {}
	}
	sink := make(chan os.Signal, 1)
	for n := 1; n <= 64; n++ {
		switch sig := syscall.Signal(n); {
		case ignored&(1<<(n-1)) == 0:
		case reserved(sig):
			resetRaw(sig)
		default:
			signal.Notify(sink, sig)
		}
	}
	return func() { signal.Stop(sink) }
}

// reserved tells whether a signal is one that C libraries keep for themselves, and that Go therefore neither handles
// nor resets. Whatever glibc starts with posix_spawn, as make does, ignores the first of them.
func reserved(sig syscall.Signal) bool { return sig >= 32 && sig <= 34 }

// resetRaw gives a signal its default disposition behind the runtime's back. It fails for no signal that exists.
func resetRaw(sig syscall.Signal) {
	var byDefault [4]uint64 // struct sigaction of the kernel: all zeros are SIG_DFL
	const maskSize = 8
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&byDefault)), 0, maskSize, 0,
		0)
}

// signalSet reads one of the masks in /proc/self/status: bit n-1 is signal n.
func signalSet(name string) (uint64, error) {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("cannot read signal masks: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		if text, ok := strings.CutPrefix(line, name+":"); ok {
			return strconv.ParseUint(strings.TrimSpace(text), 16, 64)
		}
	}
	return 0, fmt.Errorf("cannot read signal masks: no %s", name)
}
