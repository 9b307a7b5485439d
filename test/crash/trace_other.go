//go:build !(linux && amd64)

package crash

import (
	"errors"
	"os/exec"
)

// trace is not known on this machine.
func trace(*exec.Cmd, disturbance) (traced, error) { return traced{}, errors.ErrUnsupported }
