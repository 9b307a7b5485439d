package supervisor

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// guardBound is how long a guard tries to end what is left.
const guardBound = 10 * time.Second

// Left is how a guard tells what a killed process has left behind.
type Left struct {
	Mark string
	// Kin are groups and sessions, as whoever started the guard has told them.
	Kin []string
	// JobVar is the variable that names a process's job. What has the mark, but is of another job than the guard, was
	// only submitted from within. "": no process is of another job.
	JobVar string
}

// Watch is what a guard does: it waits for the process that started it, and if that was killed, it ends every process
// that this left behind. It returns how many it ended.
func Watch(line io.Reader, left Left) (ended int, err error) {
	for told := bufio.NewScanner(line); told.Scan(); {
		if told.Text() == "done" {
			return 0, nil
		}
		left.Kin = strings.Fields(told.Text())
	}
	s := newSearch(left)
	seen := map[int]bool{}
	for deadline := time.Now().Add(guardBound); ; {
		found := s.look()
		if len(found) == 0 && len(s.look()) == 0 {
			return len(seen), nil
		}
		if time.Now().After(deadline) {
			return len(seen), fmt.Errorf("cannot end processes %v", found)
		}
		for _, pid := range found {
			_ = syscall.Kill(pid, unix.SIGSTOP)
		}
		for _, pid := range s.look() { // those forked meanwhile too
			seen[pid] = true
			_ = syscall.Kill(pid, unix.SIGKILL)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// search finds what is left, again and again.
type search struct {
	mark   string
	kin    []kin
	jobVar string
	ownJob string
	found  map[int]string // when what was found was started: it stays found, though what it was found by is gone
}

func newSearch(left Left) *search {
	return &search{
		mark: left.Mark, kin: parseKin(left.Kin), jobVar: left.JobVar,
		ownJob: os.Getenv(left.JobVar), found: map[int]string{},
	}
}

// look lists the living processes that have the mark in the environment that they were started with, or are kin, or
// descend from such, but for other guards.
func (s *search) look() (pids []int) {
	all := runningProcesses()
	said := environs(all)
	known := stillKin(s.kin, all)
	isLeft := map[int]bool{}
	for _, r := range all {
		isKin := slices.ContainsFunc(known, func(k kin) bool { return k.has(r) })
		if isKin || s.found[r.pid] == r.started || s.isMarked(said[r.pid]) {
			isLeft[r.pid] = true
		}
	}
	all = slices.DeleteFunc(all, func(r relative) bool { return slices.Contains(said[r.pid], guardMark+"="+isGuard) })
	addBelow(all, isLeft)
	for _, r := range all {
		if isLeft[r.pid] {
			s.found[r.pid] = r.started
			pids = append(pids, r.pid)
		}
	}
	return pids
}

// addBelow adds to a set of processes what descends from them, and the groups and sessions that they lead.
func addBelow(all []relative, set map[int]bool) {
	for grown := true; grown; { // by a generation
		grown = false
		for _, r := range all {
			if !set[r.pid] && (set[r.parent] || set[r.group] || set[r.session]) {
				set[r.pid], grown = true, true
			}
		}
	}
}

// isMarked tells whether an environment has the mark, and is of no other job.
func (s *search) isMarked(env []string) bool {
	has := false
	for _, v := range env {
		if marks, is := strings.CutPrefix(v, guardMark+"="); is {
			has = has || slices.Contains(strings.Split(marks, ","), s.mark)
		}
		if job, is := strings.CutPrefix(v, s.jobVar+"="); is && s.jobVar != "" && job != "" && job != s.ownJob {
			return false
		}
	}
	return has
}

// runningProcesses lists the processes of which something runs, but for this one.
func runningProcesses() (list []relative) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		if r, ok := readRelative(pid); ok && !r.proc().zombie() {
			list = append(list, r)
		}
	}
	return list
}

// environs reads the environments of processes, all at the same time: one may not be told (see readBounded).
func environs(all []relative) map[int][]string {
	answers := make([][]string, len(all))
	var asked sync.WaitGroup
	for i, r := range all {
		asked.Go(func() { answers[i] = environ(r) })
	}
	asked.Wait()
	said := map[int][]string{}
	for i, r := range all {
		said[r.pid] = answers[i]
	}
	return said
}

// environ is the environment that a process was started with; nil if it is gone, not ours to read, or not told.
func environ(r relative) []string {
	thread, _ := r.proc().living()
	return strings.Split(string(readBounded(thread+"environ")), "\x00")
}
