//go:build !(linux && amd64)

package crash

import (
	"errors"
	"os/exec"

	"golang.org/x/sys/unix"
)

// trace is not known on this machine.
func trace(*exec.Cmd, int, unix.Errno) (traced, error) { return traced{}, errors.ErrUnsupported }
