package rundir

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Regular is a regular file that is open for reading.
type Regular struct {
	*os.File
	Modified time.Time // when it was last written
}

// OpenRegular opens a regular file for reading. Anything else is refused, and does not block: a device may have no end,
// and a pipe no writer.
func OpenRegular(name string) (Regular, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return Regular{}, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", name)
	}
	if err != nil {
		_ = f.Close()
		return Regular{}, err
	}
	return Regular{File: f, Modified: info.ModTime()}, nil
}
