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

	"github.com/disagg/disagg/pkg/protocol"
)

// littleShared is how much shared memory, in bytes, is not worth a word: semaphores and the like are always left
// over, and to find out whether somebody uses them takes a look at every process.
const littleShared = 1 << 20

// segment is a file in /dev/shm.
type segment struct {
	name string
	size int64 // bytes that it takes
}

// sharedPerGPU is how much shared memory, in bytes, a process with several GPUs cannot do without: NCCL and UCX keep
// a few segments of up to 10 MiB for every GPU that another one talks to through the host.
const sharedPerGPU = 32 << 20

// sharedMemory looks whether /dev/shm is large enough, and at what is left over in it.
func (h Host) sharedMemory(ctx context.Context) []protocol.Finding {
	dir := orElse(h.Shm, "/dev/shm")
	return append(h.sharedSize(dir), h.leftSegments(ctx, dir)...)
}

// sharedSize looks at the size of /dev/shm: containers often have 64 MiB. That is told; it is fatal where several
// GPUs are planned and NCCL would not find room for its segments.
func (h Host) sharedSize(dir string) []protocol.Finding {
	var fs unix.Statfs_t
	size := int64(0)
	switch err := unix.Statfs(dir, &fs); {
	case err == nil:
		size = int64(fs.Blocks) * fs.Bsize
	case !errors.Is(err, unix.ENOENT):
		return nil
	}
	if size >= h.MinSharedMemory {
		return nil
	}
	what := fmt.Sprintf("%s holds %s", dir, mib(size))
	const act = "give the container more (docker: --shm-size), or lower preflight.min_shm_mib in the profile"
	if need := min(int64(h.GPUs)*sharedPerGPU, h.MinSharedMemory); h.GPUs > 1 && size < need {
		what = fmt.Sprintf("%s: NCCL and UCX need %s for %d GPUs", what, mib(need), h.GPUs)
		return fatal(protocol.CheckSharedMemory, what+": "+act)
	}
	return told(protocol.CheckSharedMemory, fmt.Sprintf("%s: want %s: %s", what, mib(h.MinSharedMemory), act))
}

// leftSegments looks for segments of this user that no process has open or mapped.
func (h Host) leftSegments(ctx context.Context, dir string) []protocol.Finding {
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
		return fatal(protocol.CheckSharedMemory, what+": remove them, or raise preflight.max_shm_mib in the profile")
	}
	return told(protocol.CheckSharedMemory, what)
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
