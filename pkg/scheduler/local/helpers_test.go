package local

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/disagg/disagg/test/check"

	"go.uber.org/goleak"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/scheduler"
)

// What the test's program plays, as this variable says.
const (
	envPlay = "LOCAL_TEST_PLAY"
	// tied and detached submit a job, print its id, and go on until they are killed.
	tied, detached = "tied", "detached"
	// noting is a job's first process that leaves a note.
	noting = "noting"
)

func TestMain(m *testing.M) {
	switch play := os.Getenv(envPlay); play {
	case tied, detached:
		submitAndStay(&Local{Detach: play == detached})
	case noting:
		if err := (&Local{}).LeaveNote(context.Background(), "a note"); err != nil {
			panic(err)
		}
	default:
		goleak.VerifyTestMain(m)
	}
}

// submitAndStay plays a submitting process.
func submitAndStay(l *Local) {
	_ = os.Unsetenv(envPlay)
	dir := os.Getenv("LOCAL_TEST_DIR")
	job, err := l.Submit(context.Background(), planIn(dir))
	if err != nil {
		panic(err)
	}
	fmt.Println(job.ID)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// planIn is a plan of two decode ranks and a benchmark, whose agent is a script in its run directory.
func planIn(dir string) plan.Plan {
	p := plan.Plan{ID: "0f0e0d0c", RunDir: dir, Agent: filepath.Join(dir, "agent"), Case: roles.Case{Name: "c"}}
	for i, r := range []roles.Role{{Kind: roles.Gen}, roles.Hub().Role} {
		pl := roles.Placement{Role: r, Nodes: 2 - i, Ranks: 4 - 3*i, RanksPerNode: 2 - i}
		p.Layout.Placements = append(p.Layout.Placements, pl)
	}
	return p
}

// newPlan is a plan whose agent is a shell script. At the end of the test nothing of its job may be left.
func newPlan(t *testing.T, script string) plan.Plan {
	t.Helper()
	p := planIn(t.TempDir())
	check.Script(t, p.Agent, "#!/bin/sh\n"+script+"\n")
	t.Cleanup(func() {
		for _, pid := range processes(p.RunDir) {
			t.Errorf("process %d is left", pid)
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return p
}

// processes lists the processes of a job, by its plan in their environment.
func processes(runDir string) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, f := range files {
		env, err := os.ReadFile(f)
		if err == nil && bytes.Contains(env, []byte(protocol.EnvPlan+"="+runDir+"/")) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// submitter is another process that submits a plan's job.
type submitter struct {
	t   *testing.T
	cmd *exec.Cmd
	job scheduler.Job
}

// submitElsewhere submits in another process.
func submitElsewhere(t *testing.T, p plan.Plan, how string) *submitter {
	t.Helper()
	s := &submitter{t: t, cmd: exec.Command(os.Args[0])}
	s.cmd.Env = append(os.Environ(), envPlay+"="+how, "LOCAL_TEST_DIR="+p.RunDir)
	s.cmd.Stderr = os.Stderr
	in, err := s.cmd.StdinPipe() // it stays until this is closed
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = s.cmd.Wait() })
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("no job was submitted")
	}
	s.job = scheduler.Job{ID: lines.Text(), Cluster: host()}
	return s
}

// kill kills the submitting process.
func (s *submitter) kill() {
	s.t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		s.t.Error(err)
	}
	_ = s.cmd.Wait()
}

// phase is what is said of a job.
func phase(t *testing.T, l *Local, j scheduler.Job) protocol.JobPhase {
	t.Helper()
	s, err := l.State(t.Context(), j)
	if err != nil {
		t.Error(err)
	}
	return s.Phase
}

// ends waits for the end of a job.
func ends(t *testing.T, l *Local, j scheduler.Job) {
	t.Helper()
	check.Eventually(t, "the job ends", func() bool { return phase(t, l, j) == protocol.JobEnded })
}
