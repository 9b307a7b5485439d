package preflight

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/protocol"
)

// mib writes a size for people.
func mib(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }

// disk looks for room where the run directory and the temporary folder are.
func (h Host) disk(context.Context) []protocol.Finding {
	var found []protocol.Finding
	for _, place := range []struct {
		dir  string
		need int64
	}{{h.RunDir, h.MinDisk}, {orElse(h.Temp, os.TempDir()), h.MinDisk / 10}} {
		var fs unix.Statfs_t
		if err := unix.Statfs(place.dir, &fs); err != nil {
			continue // what cannot be asked is for rundir to find
		}
		if free := int64(fs.Bavail) * fs.Bsize; free < place.need {
			what := fmt.Sprintf("%s free in %s: want %s", mib(free), place.dir, mib(place.need))
			found = append(found, fatal(protocol.CheckDisk, what)...)
		}
	}
	return found
}

// memory looks for free memory, as the kernel estimates it.
func (h Host) memory(context.Context) []protocol.Finding {
	data, err := os.ReadFile(filepath.Join(orElse(h.Proc, "/proc"), "meminfo"))
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "MemAvailable:" {
			continue
		}
		if kib, err := strconv.ParseInt(f[1], 10, 64); err == nil && kib<<10 < h.MinMemory {
			what := fmt.Sprintf("%s of memory are free: want %s", mib(kib<<10), mib(h.MinMemory))
			return fatal(protocol.CheckMemory, what)
		}
	}
	return nil
}

// runDirectory writes to the run directory as the job will.
func (h Host) runDirectory(context.Context) []protocol.Finding {
	f, err := os.CreateTemp(h.RunDir, ".preflight-*")
	if err != nil {
		return fatal(protocol.CheckRunDirectory, "cannot write to the run directory: "+err.Error())
	}
	_, err = f.WriteString("x")
	if err := errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name())); err != nil {
		return fatal(protocol.CheckRunDirectory, "cannot write to the run directory: "+err.Error())
	}
	return nil
}
