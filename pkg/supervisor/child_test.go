package supervisor_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// childVar makes this test binary one of the programs below instead of running tests.
const childVar = "SUPERVISOR_TEST_CHILD"

func init() {
	switch os.Getenv(childVar) {
	case "leaderless", "stuck":
		runtime.LockOSThread() // to the first thread
	}
}

func TestMain(m *testing.M) {
	if name := os.Getenv(childVar); name != "" {
		os.Exit(programs()[name](os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

// program is what a child does; it returns the exit code.
type program func(args []string) int

func programs() map[string]program {
	return map[string]program{
		"exit":        func(a []string) int { return number(a[0]) },
		"die":         die,
		"wait":        func([]string) int { ready(); select {} },
		"stubborn":    stubborn,
		"polite":      polite,
		"stopped":     stopped,
		"tree":        tree,
		"leaver":      leaver,
		"zombies":     zombies,
		"print":       func(a []string) int { fmt.Print(strings.Join(a, " ")); return 0 },
		"flood":       flood,
		"signals":     printSignals,
		"files":       printFiles,
		"forkstorm":   forkStorm,
		"hog":         hog,
		"hogs":        hogs,
		"hog-a-while": func(a []string) int { hog(a); time.Sleep(1500 * time.Millisecond); return 0 },
		"crowd":       crowd,
		"traceback":   traceback,
		"stdin":       func([]string) int { b, _ := io.ReadAll(os.Stdin); fmt.Printf("%d bytes", len(b)); return 0 },
		"supervised":  supervised,
		"guard":       guard,
		"hides":       hides,
		"forgets":     forgets,
		"nested":      nested,
		"traceable":   traceable,
		"tracer":      tracer,
		"keeper":      keeper,
		"stranger":    stranger,
		"reexec":      reexec,
		"leaderless":  leaderless,
		"headless":    headless,
		"stuck":       stuck,
		"grouped":     grouped,
		"locked":      locked,
		"sharers":     sharers,
		"sharer":      sharer,
		"foreign":     foreign,
		"hider":       hider,
		"undumpable":  undumpable,
	}
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

func ready() { fmt.Println("ready") }

// sleeper starts a process that does nothing for ever, in a group or session of its own if asked.
func sleeper(attr *syscall.SysProcAttr, stdout io.Writer) {
	cmd := exec.Command("sleep", "600")
	cmd.SysProcAttr, cmd.Stdout = attr, stdout
	if err := cmd.Start(); err != nil {
		panic(err)
	}
}

// die ends by a signal.
func die(args []string) int {
	sig := syscall.Signal(number(args[0]))
	signal.Reset(sig)
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	var set unix.Sigset_t
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &set, nil)
	_ = syscall.Kill(os.Getpid(), sig)
	time.Sleep(5 * time.Second)
	return 99 // the signal did not end it
}

// stubborn ignores every signal that it can.
func stubborn([]string) int {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	ready()
	select {}
}

// polite ends when it is asked by the signal that it is told, and counts how often.
func polite(args []string) int {
	c := make(chan os.Signal, 16)
	signal.Notify(c, syscall.Signal(number(args[0])))
	ready()
	<-c
	time.Sleep(50 * time.Millisecond)
	fmt.Printf("asked %d times\n", 1+len(c))
	return 5
}

func stopped([]string) int {
	ready()
	_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	select {}
}

// tree has descendants in its own group, in other groups and in other sessions, some of them without a parent.
func tree([]string) int {
	sleeper(nil, os.Stdout)
	sleeper(&syscall.SysProcAttr{Setpgid: true}, os.Stdout)
	sleeper(&syscall.SysProcAttr{Setsid: true}, os.Stdout)
	for range 2 { // a double fork: the parent in between is gone
		cmd := exec.Command("sh", "-c", "setsid sleep 600 & sleep 600 & exit 0")
		cmd.Stdout = os.Stdout
		if err := cmd.Run(); err != nil {
			panic(err)
		}
	}
	ready()
	select {}
}

// leaver ends at once and leaves a process that holds its stdout.
func leaver(args []string) int {
	sleeper(&syscall.SysProcAttr{Setsid: true}, os.Stdout)
	fmt.Println("bye")
	return number(args[0])
}

// zombies never waits for children that have ended.
func zombies([]string) int {
	for range 10 {
		if err := exec.Command("true").Start(); err != nil {
			panic(err)
		}
	}
	ready()
	select {}
}

// flood writes so many MB, each line numbered, as fast as it can.
func flood(args []string) int {
	line := []byte(strings.Repeat("x", 99) + "\n")
	block := []byte(strings.Repeat(string(line), 1000))
	for n := number(args[0]) * 10; n > 0; n-- {
		if _, err := os.Stdout.Write(block); err != nil {
			return 1
		}
	}
	return 0
}

// printSignals tells which signals it was started to ignore or to block.
func printSignals([]string) int {
	out, err := exec.Command("grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status").Output()
	if err != nil {
		return 1
	}
	fmt.Print(string(out))
	return 0
}

// printFiles tells what is behind its open files.
func printFiles([]string) int {
	for fd := range 10 {
		if target, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)); err == nil {
			fmt.Println(fd, target)
		}
	}
	return 0
}

// forkStorm has so many descendants, every third in a session of its own, and more all the time.
func forkStorm(args []string) int {
	for i := range number(args[0]) {
		sleeper(&syscall.SysProcAttr{Setsid: i%3 == 0, Setpgid: i%3 == 1}, nil)
	}
	cmd := exec.Command("sh", "-c", "while :; do setsid sleep 600 & sleep 0.01; done")
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	ready()
	select {}
}

// hogged is what hog uses, for as long as the process lives.
var hogged []byte

// hog uses so many MB of memory, then ends.
func hog(args []string) int {
	hogged = make([]byte, number(args[0])<<20)
	for i := 0; i < len(hogged); i += 4096 {
		hogged[i] = 1
	}
	return 0
}

// hogs is so many processes that use so many MB each, at the same time and for a while.
func hogs(args []string) int {
	var all []*exec.Cmd
	for range number(args[0]) {
		cmd := exec.Command(os.Args[0], args[1])
		cmd.Env = append(os.Environ(), childVar+"=hog-a-while")
		if err := cmd.Start(); err != nil {
			panic(err)
		}
		all = append(all, cmd)
	}
	for _, cmd := range all {
		_ = cmd.Wait()
	}
	return 0
}

// crowd is so many threads that want the same processor for ever, after everybody else.
func crowd(args []string) int {
	var cpus unix.CPUSet
	if err := unix.SchedGetaffinity(0, &cpus); err != nil {
		panic(err)
	}
	first := 0
	for !cpus.IsSet(first) {
		first++
	}
	cpus.Zero()
	cpus.Set(first)
	for range number(args[0]) {
		go func() {
			runtime.LockOSThread()
			err := errors.Join(unix.SchedSetaffinity(0, &cpus), unix.Setpriority(unix.PRIO_PROCESS, 0, 19))
			if err != nil {
				panic(err)
			}
			for n := 0; n >= 0; n ^= 1 { // for ever
			}
		}()
	}
	ready()
	select {}
}

func traceback([]string) int {
	fmt.Print("loading\nTraceback (most recent call last):\n  File \"x.py\", line 1, in <module>\n    " +
		"f()\nValueError: no such model: x\nclean-up done\n")
	return 1
}
