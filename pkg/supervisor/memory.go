package supervisor

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// memoryGroup is the cgroup that bounds this process's memory, read-only: inside a Slurm step it belongs to root.
type memoryGroup struct {
	dir string // "" if there is none that can be read
	v2  bool
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
				return memoryGroup{dir: dir}
			}
		}
		if dir := filepath.Join(root, path); id == "0" && exists(filepath.Join(dir, "memory.events")) {
			unified = memoryGroup{dir: dir, v2: true}
		}
	}
	return unified
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// oomKills is how many processes of the group the kernel has ended for want of memory; ok is false if it does not say.
func (g memoryGroup) oomKills() (n int64, ok bool) {
	if g.dir == "" {
		return 0, false
	}
	file := "memory.oom_control"
	if g.v2 {
		file = "memory.events"
	}
	data, err := os.ReadFile(filepath.Join(g.dir, file))
	if err != nil {
		return 0, false
	}
	return field(data, "oom_kill")
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

// nearLimit is the share of the limit from which a killed process counts as one that ran out of memory, where the
// kernel does not say.
const nearLimit = 0.95

// ranOut tells whether a process that ended badly did so for want of memory: the kernel's counter says so, or, where
// there is none, it was killed near the limit.
func ranOut(before, after int64, counted bool, o Outcome, limit int64) bool {
	if counted {
		return after > before && !o.Clean()
	}
	return o.Signal == "SIGKILL" && limit > 0 && float64(o.PeakRSS) >= nearLimit*float64(limit)
}
