package check

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Stuck writes a file that plays one on a disk that does not answer: whoever opens it waits until the test lets them go
// on, at the latest when it ends. It is a regular file under a write lease (fcntl(2), F_SETLEASE), for which the kernel
// has others wait; after /proc/sys/fs/lease-break-time, 45 s, it takes the lease away.
func Stuck(t testing.TB, file, text string) (answer func()) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	answer = func() { _ = f.Close() } // which ends its lease
	t.Cleanup(answer)
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Skipf("no lease can be had of %s: %v", file, err)
	}
	return answer
}
