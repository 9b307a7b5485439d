package hostile

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What a command may take to say that its input is no good.
const (
	inputMB   = 200
	inputTime = 10 * time.Second
)

const measuring = "measure" // the first argument of the process between

// cheap sees a command through, and checks that it took little memory and time. The kernel begins a program's figure
// with the memory of the process that started it: these tests, who have as much as all of them together need. So
// there is a process between that has little.
func (p *place) cheap(args ...string) outcome {
	p.t.Helper()
	file := p.path("memory")
	p.wrap = []string{os.Args[0], measuring, file}
	defer func() { p.wrap = nil }()
	o := p.see(args...)
	text, err := os.ReadFile(file)
	p.must(err)
	mb, err := strconv.Atoi(string(text))
	p.must(err)
	if mb < 1 || mb > inputMB || o.took > inputTime {
		p.t.Errorf("%q took %d MB and %v", args, mb, o.took)
	}
	return o
}

// measure is the process between: it writes to a file how many MB a command had at most, and ends as that has ended.
func measure(file string, args []string) int {
	runtime.LockOSThread() // the command ends with this thread
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	_ = cmd.Run() // its exit code tells
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return -1
	}
	if err := os.WriteFile(file, fmt.Append(nil, usage.Maxrss>>10), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return -1
	}
	return cmd.ProcessState.ExitCode()
}

// The figure is the command's own: of one that takes much, and of one that takes little beside tests that have much.
func TestMeasure(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		script      string
		least, most int
	}{
		{"x=$(head -c 60000000 /dev/zero | tr '\\0' x); exit 7", 50, 500}, {"exit 7", 1, 120},
	} {
		file := t.TempDir() + "/memory"
		cmd := exec.Command(os.Args[0], measuring, file, "bash", "-c", tt.script)
		ballast := []byte(strings.Repeat("x", 150<<20))
		if _ = cmd.Run(); cmd.ProcessState.ExitCode() != 7 {
			t.Errorf("%v", cmd.ProcessState)
		}
		text, err := os.ReadFile(file)
		if mb, _ := strconv.Atoi(string(text)); err != nil || mb < tt.least || mb > tt.most || ballast[0] != 'x' {
			t.Errorf("%s: %s MB, %v", tt.script, text, err)
		}
	}
}
