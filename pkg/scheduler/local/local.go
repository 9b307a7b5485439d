package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"mvdan.cc/sh/v3/syntax"

	"github.com/disagg/disagg/pkg/doctor"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/pkg/supervisor"
)

// Name is what plans and command lines call this scheduler.
const Name = "local"

// Local is this machine.
type Local struct {
	// Detach lets jobs go on when this process ends.
	Detach bool

	mu    sync.Mutex
	ended map[string]<-chan struct{} // of jobs that this process started, by id
}

var (
	_ scheduler.Scheduler = (*Local)(nil)
	_ scheduler.Tied      = (*Local)(nil)
	_ scheduler.Examiner  = (*Local)(nil)
)

// Detached implements scheduler.Tied.
func (*Local) Detached() scheduler.Scheduler { return &Local{Detach: true} }

// Name implements scheduler.Scheduler.
func (*Local) Name() string { return Name }

// Grace implements scheduler.Submitter: nobody kills anything here.
func (*Local) Grace(context.Context) (time.Duration, error) { return 0, nil }

// Script implements scheduler.Submitter.
func (*Local) Script(p plan.Plan) (string, error) {
	var words []string
	for _, w := range []string{rundir.Dir(p.RunDir).Plan(), p.Agent} {
		q, err := syntax.Quote(w, syntax.LangBash)
		if err != nil {
			return "", fmt.Errorf("cannot render script: %w", err)
		}
		words = append(words, q)
	}
	return fmt.Sprintf("#!/bin/bash\nexport %s=%s\nexec %s batch\n", protocol.EnvPlan, words[0], words[1]), nil
}

// Submit starts the job's first process.
func (l *Local) Submit(_ context.Context, p plan.Plan) (scheduler.Job, error) {
	job := scheduler.Job{Name: p.JobName(), Cluster: host()}
	out, err := rundir.OpenJobOutput(rundir.Dir(p.RunDir), Name)
	if err != nil {
		return job, fmt.Errorf("%w: %w", scheduler.ErrUnavailable, err)
	}
	defer out.Close()
	cmd := exec.Command(p.Agent, "batch")
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.RunDir, out, out
	cmd.Env = append(os.Environ(), protocol.EnvPlan+"="+rundir.Dir(p.RunDir).Plan())
	// A group of its own, so that Ctrl-C in the terminal reaches this process alone, which passes it on.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if !l.Detach {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
	}
	id, ended, err := start(cmd)
	if err != nil {
		return job, fmt.Errorf("%w: cannot start %s: %w", scheduler.ErrUnavailable, p.Agent, err)
	}
	job.ID = id
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended == nil {
		l.ended = map[string]<-chan struct{}{}
	}
	l.ended[job.ID] = ended
	return job, nil
}

// start starts a job's first process. The channel is closed when that has ended.
func start(cmd *exec.Cmd) (id string, ended <-chan struct{}, err error) {
	started, over := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(over)
		runtime.LockOSThread() // the parent-death signal fires when the starting thread ends
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			id = jobID(supervisor.MarkOf(cmd.Process.Pid)) // before it can be gone
		}
		started <- err
		if err == nil {
			_ = cmd.Wait() // the verdict tells
		}
	}()
	err = <-started
	return id, over, err
}

// host names this host. It is kept as the job's cluster: no other host can look for its processes.
func host() string {
	name, _ := os.Hostname() // without a name there is none to compare
	return name
}

// A job's id is a process's mark in a form that people can say: 4211-88123-4026531836.
func jobID(mark string) string { return strings.ReplaceAll(mark, ":", "-") }

func mark(id string) string { return strings.ReplaceAll(id, "-", ":") }

var (
	running = protocol.JobState{Phase: protocol.JobRunning, Word: "running"}
	unknown = protocol.JobState{}
)

func over(j scheduler.Job) protocol.JobState {
	return protocol.JobState{Phase: protocol.JobEnded, Note: note(j.ID)}
}

// State implements scheduler.Submitter.
func (l *Local) State(_ context.Context, j scheduler.Job) (protocol.JobState, error) {
	l.mu.Lock()
	ended, own := l.ended[j.ID]
	l.mu.Unlock()
	if !own {
		return look(j)
	}
	select {
	case <-ended:
		return over(j), nil
	default:
		return running, nil
	}
}

// look looks for a job that another process started.
func look(j scheduler.Job) (protocol.JobState, error) {
	process, err := open(j)
	if errors.Is(err, errGone) {
		return over(j), nil
	}
	if err != nil {
		return unknown, err
	}
	_ = process.Close()
	return running, nil
}

var errGone = errors.New("it has ended")

// open opens a job's first process. The error is errGone only if that certainly is no more.
func open(j scheduler.Job) (*supervisor.Followed, error) {
	if here := host(); j.Cluster != "" && here != "" && j.Cluster != here {
		return nil, fmt.Errorf("cannot look for job %s from %s: it runs on %s: ask there", j.ID, here, j.Cluster)
	}
	gone := fmt.Errorf("cannot look for job %s: %w", j.ID, errGone)
	process, err := supervisor.Follow(mark(j.ID))
	if err == nil {
		if process.Ended() { // and its parent has not asked how
			return nil, errors.Join(gone, process.Close())
		}
		return process, nil
	}
	pidText, _, _ := strings.Cut(j.ID, "-")
	pid, bad := strconv.Atoi(pidText)
	now := strings.Split(supervisor.MarkOf(pid), ":")
	if then := strings.Split(j.ID, "-"); bad == nil && len(then) == len(now) && then[2] == now[2] && then[1] != now[1] {
		return nil, gone
	}
	return nil, fmt.Errorf("cannot look for job %s: %w", j.ID, err)
}

// History implements scheduler.Submitter: a process is there or not.
func (l *Local) History(ctx context.Context, j scheduler.Job) (protocol.JobState, error) {
	return l.State(ctx, j)
}

// Cancel implements scheduler.Submitter.
func (*Local) Cancel(_ context.Context, j scheduler.Job) error {
	process, err := open(j)
	if err == nil {
		err = errors.Join(process.Signal(syscall.SIGTERM), process.Close())
	}
	if err != nil {
		return fmt.Errorf("cannot cancel: %w", err)
	}
	return nil
}

// Examine implements scheduler.Examiner: there is nobody to ask.
func (*Local) Examine(context.Context, plan.Plan, bool) []doctor.Finding {
	return []doctor.Finding{doctor.Good(Name, "this machine plays all nodes")}
}

// Visit implements scheduler.Examiner: however many nodes are wanted, there is this machine.
func (*Local) Visit(p plan.Plan, _ int, args ...string) *exec.Cmd {
	cmd := exec.Command(p.Agent, args...)
	cmd.Env = os.Environ()
	return cmd
}
