package preflight

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// mib writes a size for people.
func mib(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }

// disk looks for room where the run directory and the temporary folder are.
func (h Host) disk(context.Context) []Finding {
	var found []Finding
	for dir, need := range map[string]int64{h.RunDir: h.MinDisk, orElse(h.Temp, os.TempDir()): h.MinDisk / 10} {
		var fs unix.Statfs_t
		if err := unix.Statfs(dir, &fs); err != nil {
			continue // what cannot be asked is for rundir to find
		}
		if free := int64(fs.Bavail) * fs.Bsize; free < need {
			found = append(found, fatal(Disk, fmt.Sprintf("%s free in %s: want %s", mib(free), dir, mib(need)))...)
		}
	}
	return found
}

// memory looks for free memory, as the kernel estimates it.
func (h Host) memory(context.Context) []Finding {
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
			return fatal(Memory, fmt.Sprintf("%s of memory are free: want %s", mib(kib<<10), mib(h.MinMemory)))
		}
	}
	return nil
}

// runDirectory writes to the run directory as the job will.
func (h Host) runDirectory(context.Context) []Finding {
	f, err := os.CreateTemp(h.RunDir, ".preflight-*")
	if err != nil {
		return fatal(RunDirectory, "cannot write to the run directory: "+err.Error())
	}
	_, err = f.WriteString("x")
	if err := errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name())); err != nil {
		return fatal(RunDirectory, "cannot write to the run directory: "+err.Error())
	}
	return nil
}

// littleShared is how much shared memory, in bytes, is not worth a word: semaphores and the like are always left over, and
// to find out whether somebody uses them takes a look at every process.
const littleShared = 1 << 20

// segment is a file in /dev/shm.
type segment struct {
	name string
	size int64 // bytes that it takes
}

// sharedMemory looks for segments of this user that no process has open or mapped.
func (h Host) sharedMemory(ctx context.Context) []Finding {
	dir := orElse(h.Shm, "/dev/shm")
	left := ownSegments(dir)
	if sum, _ := total(left); sum <= littleShared {
		return nil
	}
	h.dropUsed(ctx, dir, left)
	sum, largest := total(left)
	if sum <= littleShared || ctx.Err() != nil {
		return nil
	}
	what := fmt.Sprintf("%d segments in %s are left over, %s in all, the largest %s", len(left), dir, mib(sum), largest)
	if sum > h.MaxSharedMemory {
		return fatal(SharedMemory, what+": remove them, or raise preflight.max_shm_mib in the profile")
	}
	return told(SharedMemory, what)
}

// ownSegments lists the segments of this user by inode.
func ownSegments(dir string) map[uint64]segment {
	entries, _ := os.ReadDir(dir) // none: nothing can be left
	own := map[uint64]segment{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) == os.Getuid() && st.Blocks > 0 {
			own[st.Ino] = segment{name: e.Name(), size: st.Blocks * 512}
		}
	}
	return own
}

// total is what segments take together, in bytes, and the name of the largest.
func total(segments map[uint64]segment) (sum int64, largest string) {
	most := int64(-1)
	for _, s := range segments {
		if sum += s.size; s.size > most {
			most, largest = s.size, s.name
		}
	}
	return sum, largest
}

// dropUsed drops the segments that a process has mapped or open.
func (h Host) dropUsed(ctx context.Context, dir string, segments map[uint64]segment) {
	proc := orElse(h.Proc, "/proc")
	entries, _ := os.ReadDir(proc)
	for _, e := range entries {
		if len(segments) == 0 || ctx.Err() != nil {
			return
		}
		if _, err := strconv.Atoi(e.Name()); err == nil {
			dropMapped(filepath.Join(proc, e.Name(), "maps"), dir, segments)
			dropOpen(filepath.Join(proc, e.Name(), "fd"), dir, segments)
		}
	}
}

// dropMapped reads lines of /proc/<pid>/maps: address, permissions, offset, device, inode and path.
func dropMapped(file, dir string, segments map[uint64]segment) {
	maps, _ := os.ReadFile(file) // another user's cannot be read
	if !bytes.Contains(maps, []byte(dir)) {
		return
	}
	for line := range bytes.Lines(maps) {
		if f := bytes.Fields(line); len(f) >= 6 && bytes.HasPrefix(f[5], []byte(dir)) {
			ino, _ := strconv.ParseUint(string(f[4]), 10, 64)
			delete(segments, ino)
		}
	}
}

func dropOpen(folder, dir string, segments map[uint64]segment) {
	fds, _ := os.ReadDir(folder)
	for _, fd := range fds {
		name := filepath.Join(folder, fd.Name())
		if target, err := os.Readlink(name); err != nil || !strings.HasPrefix(target, dir) {
			continue
		}
		if info, err := os.Stat(name); err == nil {
			delete(segments, info.Sys().(*syscall.Stat_t).Ino)
		}
	}
}
