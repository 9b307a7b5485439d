package supervisor

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// proc is one entry of /proc/<pid>/stat.
type proc struct {
	pid, ppid, pgid int
	comm            string
	state           byte // R S D T Z … of proc(5)
}

func (p proc) zombie() bool { return p.state == 'Z' || p.state == 'X' }

// readProc reads one process; ok is false if it is gone.
func readProc(pid int) (p proc, ok bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return proc{}, false
	}
	return parseStat(data)
}

// parseStat reads "pid (comm) state ppid pgrp …". The command may hold blanks and parentheses, so the last one counts.
func parseStat(data []byte) (proc, bool) {
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if open < 1 || end < open {
		return proc{}, false
	}
	fields := strings.Fields(string(data[end+1:]))
	if len(fields) < 3 || len(fields[0]) != 1 {
		return proc{}, false
	}
	pid, e1 := strconv.Atoi(strings.TrimSpace(string(data[:open])))
	ppid, e2 := strconv.Atoi(fields[1])
	pgid, e3 := strconv.Atoi(fields[2])
	if e1 != nil || e2 != nil || e3 != nil {
		return proc{}, false
	}
	return proc{pid: pid, ppid: ppid, pgid: pgid, comm: string(data[open+1 : end]), state: fields[0][0]}, true
}

// cmdline is a process's arguments, nil if it is gone.
func cmdline(pid int) []string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || len(data) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00")
}

// children lists the direct children of a process. /proc/<pid>/task/*/children needs a kernel option, so a scan of all
// processes stands in where it is missing.
func children(pid int) []int {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if len(files) == 0 {
		return childrenByScan(pid)
	}
	var pids []int
	for _, f := range files {
		data, _ := os.ReadFile(f)
		for word := range strings.FieldsSeq(string(data)) {
			if child, err := strconv.Atoi(word); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

func childrenByScan(pid int) []int {
	if _, alive := readProc(pid); !alive {
		return nil
	}
	entries, _ := os.ReadDir("/proc")
	var pids []int
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if p, ok := readProc(child); ok && p.ppid == pid {
			pids = append(pids, child)
		}
	}
	return pids
}

// descendants lists every process below root, parents before children, leaving out the trees of the pids in skip.
func descendants(root int, skip map[int]bool) []proc {
	var found []proc
	seen := []int{root}
	for queue := []int{root}; len(queue) > 0; queue = queue[1:] {
		for _, pid := range children(queue[0]) {
			if skip[pid] || slices.Contains(seen, pid) {
				continue
			}
			if p, ok := readProc(pid); ok {
				found = append(found, p)
				seen = append(seen, pid)
				queue = append(queue, pid)
			}
		}
	}
	return found
}
