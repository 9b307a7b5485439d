package preflight

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
)

// Look reads what is at a path, to compare it with what another host sees there: of a file its bytes, of a folder the
// names and sizes of what is in it.
func Look(path string) protocol.Content {
	digest, err := digest(path)
	c := protocol.Content{Path: path, Digest: digest}
	if err != nil {
		c.Fault = reasonOf(err)
	}
	return c
}

// reasonOf is an error of a file without the path, which is known.
func reasonOf(err error) string {
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		return errno.Error()
	}
	return err.Error()
}

func digest(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	if info.IsDir() {
		entries, err := os.ReadDir(path) // by name
		if err != nil {
			return "", err
		}
		for _, e := range entries {
			size := int64(0)
			if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
				size = info.Size()
			}
			fmt.Fprintf(sum, "%q %d\n", e.Name(), size)
		}
	} else {
		f, err := rundir.OpenRegular(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		if _, err := io.Copy(sum, f); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:8]), nil
}
