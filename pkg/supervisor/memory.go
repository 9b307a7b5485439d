package supervisor

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// memoryGroup is the cgroup that bounds this process's memory, read-only: inside a Slurm step it belongs to root.
type memoryGroup struct {
	dir     string // "" if there is none that can be read
	mounted string // where its hierarchy is mounted
	files   memoryFiles
	kills   *killRecord
}

// memoryFiles are the names of files of a memory cgroup, by version.
type memoryFiles struct{ events, limit string }

var (
	memoryV1 = memoryFiles{"memory.oom_control", "memory.limit_in_bytes"}
	memoryV2 = memoryFiles{"memory.events", "memory.max"}
)

// ownMemoryGroup finds this process's memory cgroup, of either version (cgroups(7)).
func ownMemoryGroup() memoryGroup {
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return memoryGroup{}
	}
	return findMemoryGroup("/sys/fs/cgroup", data)
}

// findMemoryGroup reads the lines "ID:CONTROLLERS:PATH" of /proc/<pid>/cgroup. A memory controller of its own is
// version 1; version 2 has one line without controllers.
func findMemoryGroup(root string, data []byte) memoryGroup {
	unified := memoryGroup{}
	for line := range strings.Lines(string(data)) {
		id, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, path, ok := strings.Cut(rest, ":")
		switch {
		case !ok:
		case slices.Contains(strings.Split(controllers, ","), "memory"):
			if g := memoryGroupAt(filepath.Join(root, "memory"), path, memoryV1); g.dir != "" {
				return g
			}
		case id == "0":
			unified = memoryGroupAt(root, path, memoryV2)
		}
	}
	return unified
}

// memoryGroupAt is the group of a path in a hierarchy. In a container the path may be the host's, or lead out of what
// is mounted ("/../.."). What is mounted is the container's own group then, so its root stands in. That of a whole host
// says nothing false: it has no events in version 2, and counts only what is in no other group in version 1.
func memoryGroupAt(mounted, path string, files memoryFiles) memoryGroup {
	dirs := []string{mounted}
	if !strings.HasPrefix(path, "/..") {
		dirs = []string{filepath.Join(mounted, path), mounted}
	}
	for _, dir := range dirs {
		if exists(filepath.Join(dir, files.events)) {
			return memoryGroup{dir: dir, mounted: mounted, files: files, kills: &killRecord{}}
		}
	}
	return memoryGroup{}
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// oomKills is how many processes of the group the kernel has ended for want of memory, and the record of that number,
// which it is entered in; nil: the kernel does not say.
func (g memoryGroup) oomKills() (n int64, counted *killRecord) {
	if g.dir == "" {
		return 0, nil
	}
	data, err := os.ReadFile(filepath.Join(g.dir, g.files.events))
	if err != nil {
		return 0, nil
	}
	n, ok := field(data, "oom_kill")
	if !ok {
		return 0, nil
	}
	g.kills.enter(n, time.Now())
	return n, g.kills
}

// limit is the group's bound in bytes, of the narrowest ancestor; 0 if there is none.
func (g memoryGroup) limit() (narrowest int64) {
	if g.dir == "" {
		return 0
	}
	for dir := g.dir; len(dir) >= len(g.mounted); dir = filepath.Dir(dir) {
		data, err := os.ReadFile(filepath.Join(dir, g.files.limit))
		v, perr := strconv.ParseInt(string(bytes.TrimSpace(data)), 10, 64)
		if err == nil && perr == nil && v < 1<<60 && (narrowest == 0 || v < narrowest) {
			narrowest = v
		}
	}
	return narrowest
}

// field reads "name value" lines.
func field(data []byte, name string) (int64, bool) {
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == name {
			v, err := strconv.ParseInt(f[1], 10, 64)
			return v, err == nil
		}
	}
	return 0, false
}
