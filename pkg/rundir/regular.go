package rundir

import (
	"errors"
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
	if errors.Is(err, unix.EAGAIN) && isRegular(name) { // a lease on it, such as a file server's, is being broken
		f, err = os.Open(name)
	}
	if err != nil {
		return Regular{}, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", name)
	}
	if err != nil {
		_ = f.Close()
		return Regular{}, err
	}
	return Regular{File: f, Modified: info.ModTime()}, nil
}

func isRegular(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// ReadRegular reads a regular file that is no larger than any of ours.
func ReadRegular(name string) ([]byte, error) {
	f, err := OpenRegular(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f.File, maxJSON)
}
