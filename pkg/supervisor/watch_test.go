package supervisor

import (
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"

	"github.com/google/uuid"
)

// sleepWith starts a process with an environment, which is killed when the test ends.
func sleepWith(t *testing.T, env ...string) (pid int) {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	cmd.Env, cmd.SysProcAttr = env, &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil { // returns when the program runs, with its environment
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd.Process.Pid
}

// What is found by its mark: not what belongs to another job, and no other guard.
func TestSearch(t *testing.T) {
	t.Setenv("JOB", "7")
	mark := uuid.NewString()
	var want []int
	for _, of := range []struct {
		env  []string
		left bool
	}{
		{[]string{guardMark + "=" + mark}, true},
		{[]string{guardMark + "=" + mark, "JOB=7"}, true},
		{[]string{guardMark + "=" + mark, "JOB="}, true},
		{[]string{"JOB=8", guardMark + "=" + mark}, false},
		{[]string{guardMark + "=" + mark, "JOB=8"}, false},
		{[]string{guardMark + "=" + mark + ",other"}, true},
		{[]string{guardMark + "=other," + mark}, true},
		{[]string{guardMark + "=other"}, false},
		{[]string{guardMark + "=" + isGuard}, false},
		{nil, false},
	} {
		if pid := sleepWith(t, of.env...); of.left {
			want = append(want, pid)
		}
	}
	s := newSearch(Left{Mark: mark, JobVar: "JOB"})
	found := s.look()
	slices.Sort(found)
	slices.Sort(want)
	if !slices.Equal(found, want) {
		t.Errorf("found %v, want %v", found, want)
	}
	s.mark = "" // as when a parent has ended by which another was found
	again := s.look()
	slices.Sort(again)
	if !slices.Equal(again, want) {
		t.Errorf("found %v, later %v", found, again)
	}
}

// A group that was told is left with whoever is in it, but not if another process has its number by now; a guard that
// has been told of is none of it.
func TestSearchByKin(t *testing.T) {
	plain, guarding := sleepWith(t), sleepWith(t, guardMark+"="+isGuard)
	told := kinOf(readAll([]int{plain, guarding}, 0))
	if len(told) != 2 || told[0].id != plain || told[1].id != guarding {
		t.Fatalf("told %v", told)
	}
	if parsed := parseKin([]string{"x", "1:2", kinText(told[:1]), "a:b:c"}); !slices.Equal(parsed, told[:1]) {
		t.Errorf("%q is read as %v", kinText(told[:1]), parsed)
	}
	reused, moved := told[0], told[0]
	reused.started += "0"
	moved.session++
	for _, of := range []struct {
		kin  []kin
		want []int
	}{{told, []int{plain}}, {[]kin{reused}, nil}, {[]kin{moved}, nil}} {
		s := newSearch(Left{Mark: uuid.NewString()})
		s.kin = of.kin
		if found := s.look(); !slices.Equal(found, of.want) {
			t.Errorf("of %v it finds %v, want %v", of.kin, found, of.want)
		}
	}
}

// Kin are groups and sessions of descendants, also of such as have ended, but not this process's own, nor a group that
// another process leads.
func TestKin(t *testing.T) {
	own, _ := readRelative(os.Getpid())
	gone := 1 << 22 // no process has such a number (PID_MAX_LIMIT)
	below := []relative{
		{pid: 10, group: 10, session: own.session, started: "5"},
		{pid: 11, group: 10, session: own.session, started: "6"},
		{pid: 12, group: own.group, session: own.session},
		{pid: 13, group: 13, session: 13, started: "7"},
		{pid: 14, group: gone, session: own.session},
		{pid: 15, group: os.Getppid(), session: own.session},
	}
	want := []kin{{10, "5", own.session}, {13, "7", 13}, {gone, "", own.session}}
	if got := kinOf(below); !slices.Equal(got, want) {
		t.Errorf("kin %v, want %v", got, want)
	}
}

// Below what is left are its children's children, and what is in a session that one of them leads.
func TestAddBelow(t *testing.T) {
	all := []relative{
		{pid: 14, parent: 13}, {pid: 13, parent: 12, group: 13, session: 12}, {pid: 12, parent: 10, session: 12},
		{pid: 15, parent: 1, group: 15, session: 12}, {pid: 16, parent: 1, group: 13, session: 12},
		{pid: 17, parent: 1},
	}
	set := map[int]bool{10: true}
	addBelow(all, set)
	for _, r := range all {
		if set[r.pid] != (r.pid != 17) {
			t.Errorf("process %d: %v", r.pid, set[r.pid])
		}
	}
}
