package supervisor

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
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
	mark     string
	kin      []kin
	jobVar   string
	ownJob   string
	environs environs
	found    map[int]string // when what was found was started: it stays found, though what it was found by is gone
}

func newSearch(left Left) *search {
	return &search{
		mark: left.Mark, kin: parseKin(left.Kin), jobVar: left.JobVar,
		ownJob: os.Getenv(left.JobVar), environs: newEnvirons(), found: map[int]string{},
	}
}

// look lists the living processes that have the mark in the environment that they were started with, or are kin, or
// descend from such, but for other guards.
func (s *search) look() (pids []int) {
	all := living()
	said := s.environs.read(all)
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

// living lists the processes of which something runs, but for this one.
func living() (list []relative) {
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

// answerBound is how long processes are waited for, all together, to have their environments read.
const answerBound = 500 * time.Millisecond

// environs reads the environments of processes. The kernel does not answer while something holds the memory map of one,
// as a driver that hangs may do for ever; such a process is not asked again until it has answered.
type environs struct {
	of      func(relative) []string
	pending map[int]*question
}

// question is one that was asked of a process.
type question struct {
	answered chan struct{} // closed once it is
	answer   []string
}

func newEnvirons() environs { return environs{of: environ, pending: map[int]*question{}} }

// environ is the environment that a process was started with; nil if it is gone, or not ours to read.
func environ(r relative) []string {
	thread, _ := r.proc().living()
	data, err := readSmall(thread+"environ", nil)
	if err != nil {
		return nil
	}
	return strings.Split(string(data), "\x00")
}

// read asks all at the same time, and returns what was answered in time, also to an earlier question.
func (e environs) read(all []relative) map[int][]string {
	late, stop := context.WithTimeout(context.Background(), answerBound)
	defer stop()
	for _, q := range e.ask(all) {
		select {
		case <-q.answered:
		case <-late.Done():
		}
	}
	said := map[int][]string{}
	for pid, q := range e.pending {
		select {
		case <-q.answered:
			said[pid] = q.answer
			delete(e.pending, pid)
		default:
		}
	}
	return said
}

// ask asks those whose answers are not awaited from before.
func (e environs) ask(all []relative) (asked []*question) {
	for _, r := range all {
		if e.pending[r.pid] != nil {
			continue
		}
		q := &question{answered: make(chan struct{})}
		e.pending[r.pid] = q
		asked = append(asked, q)
		go func() {
			defer close(q.answered)
			q.answer = e.of(r)
		}()
	}
	return asked
}
