package supervisor_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/supervisor"
	"github.com/disagg/disagg/test/check"
)

// Programs that a guard does not find by its mark, and what else it ends.

// toldVar is COUNT:FILE: the program "supervised" makes the file once its guard knows so many groups and sessions.
const toldVar = "SUPERVISOR_TEST_TOLD"

func noteTold(s *supervisor.Supervisor) {
	count, file, _ := strings.Cut(os.Getenv(toldVar), ":")
	for want, _ := strconv.Atoi(count); file != "" && s.Told() < want; time.Sleep(time.Millisecond) {
	}
	if file != "" {
		_ = os.WriteFile(file, nil, 0o600)
	}
}

// hides has two children without a mark: one in its own group, which has written over its environment as setproctitle
// does, and one that was started with another environment, in a session of its own.
func hides([]string) int {
	outs := make([]*bufio.Reader, 0, 2)
	for _, name := range []string{"forgets", "wait"} {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = []string{childVar + "=" + name}
		if name == "forgets" {
			cmd.Env = append(os.Environ(), cmd.Env...)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: name == "wait"}
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			panic(err)
		}
		outs = append(outs, bufio.NewReader(out))
	}
	for _, out := range outs {
		if line, err := out.ReadString('\n'); err != nil || line != "ready\n" {
			panic(fmt.Sprint(line, err))
		}
	}
	ready()
	select {}
}

// forgets writes over its environment.
func forgets([]string) int {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		panic(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	start, end := number(fields[50-3]), number(fields[51-3]) // env_start, env_end of proc(5)
	mem, err := os.OpenFile("/proc/self/mem", os.O_WRONLY, 0)
	if err == nil {
		_, err = mem.WriteAt(make([]byte, end-start), int64(start))
	}
	if env, _ := os.ReadFile("/proc/self/environ"); err != nil || strings.Contains(string(env), "=") {
		panic(fmt.Sprintf("the environment is there still: %v", err))
	}
	ready()
	select {}
}

// nested is a guarded supervisor of its own, of the program "tree".
func nested([]string) int {
	dir, err := os.MkdirTemp("", "nested-")
	if err == nil {
		err = os.Setenv(programVar, "tree")
	}
	if err != nil {
		panic(err)
	}
	return supervised([]string{filepath.Join(dir, "log"), os.Args[0]})
}

// A worker that has no mark in its environment is ended all the same: its group, or its session, has been told.
func TestGuardFindsWhatHasNoMark(t *testing.T) {
	file := filepath.Join(t.TempDir(), "told")
	told := func(int) { check.Eventually(t, "the guard is told", func() bool { return check.Exists(file) }) }
	killSupervisor(t, told, programVar+"=hides", guardVar+"=1", dieVar+"=1", toldVar+"=2:"+file)
}

// A supervisor in the tree of another one: what it has started is ended too.
func TestGuardOfGuarded(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	killSupervisor(t, nil, programVar+"=nested", guardVar+"=1", dieVar+"=1")
}

// The guard's program may be deleted while it waits.
func TestGuardWhoseProgramIsGone(t *testing.T) {
	program := filepath.Join(t.TempDir(), "agent")
	copyFile(t, program, os.Args[0])
	t.Setenv(selfVar, program)
	gone := func(int) {
		if err := os.Remove(program); err != nil {
			t.Error(err)
		}
	}
	killSupervisor(t, gone, programVar+"=tree", guardVar+"=1")
}

// copyFile copies a program. It is written by another process: one that is forked meanwhile would have it open to be
// written to, and then it could not be run.
func copyFile(t *testing.T, to, from string) {
	t.Helper()
	if out, err := exec.Command("cp", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
