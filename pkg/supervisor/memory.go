package supervisor

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// memoryGroup is the cgroup that bounds this process's memory, read-only: inside a Slurm step it belongs to root.
type memoryGroup struct {
	dir   string // "" if there is none that can be read
	v2    bool
	kills *killRecord
}

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
		if !ok {
			continue
		}
		for c := range strings.SplitSeq(controllers, ",") {
			if dir := filepath.Join(root, "memory", path); c == "memory" && exists(dir) {
				return memoryGroup{dir: dir, kills: &killRecord{}}
			}
		}
		if dir := filepath.Join(root, path); id == "0" && exists(filepath.Join(dir, "memory.events")) {
			unified = memoryGroup{dir: dir, v2: true, kills: &killRecord{}}
		}
	}
	return unified
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// oomKills is how many processes of the group the kernel has ended for want of memory, and the record of that number,
// which it is entered in; nil: the kernel does not say.
func (g memoryGroup) oomKills() (n int64, counted *killRecord) {
	if g.dir == "" {
		return 0, nil
	}
	file := "memory.oom_control"
	if g.v2 {
		file = "memory.events"
	}
	data, err := os.ReadFile(filepath.Join(g.dir, file))
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
func (g memoryGroup) limit() int64 {
	file := "memory.limit_in_bytes"
	if g.v2 {
		file = "memory.max"
	}
	narrowest := int64(0)
	for dir := g.dir; len(dir) > len("/sys/fs/cgroup"); dir = filepath.Dir(dir) {
		data, err := os.ReadFile(filepath.Join(dir, file))
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
