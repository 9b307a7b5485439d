package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/pkg/supervisor"
)

// Steps implements scheduler.Starter: one agent per rank. Ranks of MPI roles get what mpirun would give them. Nobody
// else ends an agent whose batch script was killed, so it is bound to that.
func (*Local) Steps(p plan.Plan, r roles.Role, env []string) ([]*exec.Cmd, error) {
	pl, ok := p.Layout.Find(r)
	if !ok {
		return nil, fmt.Errorf("cannot start %s: the case has no such role", r)
	}
	var cmds []*exec.Cmd
	for _, t := range pl.Tasks() {
		cmd := exec.Command(p.Agent)
		cmd.Env = append(append(os.Environ(), env...),
			protocol.EnvRank+"="+strconv.Itoa(t.Rank),
			"OMPI_COMM_WORLD_RANK="+strconv.Itoa(t.Rank), "OMPI_COMM_WORLD_SIZE="+strconv.Itoa(pl.Ranks),
			"OMPI_COMM_WORLD_LOCAL_RANK="+strconv.Itoa(t.Rank%pl.RanksPerNode),
		)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
		cmds = append(cmds, cmd)
	}
	return cmds, nil
}

// Install implements scheduler.Starter.
func (*Local) Install(p plan.Plan, env []string) *exec.Cmd {
	if p.Cluster.Install == "" {
		return nil
	}
	cmd := exec.Command(p.Agent, "install")
	cmd.Env = append(os.Environ(), env...)
	return cmd
}

// Job implements scheduler.Starter.
func (*Local) Job() (id string, attempt int, err error) { return jobID(supervisor.Mark()), 0, nil }

// JobEnds implements scheduler.Starter.
func (*Local) JobEnds(context.Context) time.Time { return time.Time{} }

// Allocation implements scheduler.Starter: it is this machine, which plays as many nodes as are asked for.
func (*Local) Allocation(context.Context) (scheduler.Allocation, error) {
	dir, err := os.Getwd()
	if err != nil {
		err = fmt.Errorf("cannot find the present folder: %w", err)
	}
	return scheduler.Allocation{WorkDir: dir}, err
}

// A step is named after the process of its only task, and the host.
func stepName(mark string) string { return mark + "@" + host() }

func process(step string) scheduler.Job {
	mark, host, _ := strings.Cut(step, "@")
	return scheduler.Job{ID: jobID(mark), Cluster: host}
}

// StepRuns implements scheduler.Starter.
func (*Local) StepRuns(_ context.Context, step string) (bool, error) {
	s, err := look(process(step))
	return s.Phase == protocol.JobRunning, err
}

// StopStep implements scheduler.Starter.
func (*Local) StopStep(_ context.Context, step string) error { return signal(step, syscall.SIGTERM) }

// KillStep implements scheduler.Starter.
func (*Local) KillStep(_ context.Context, step string) error { return signal(step, syscall.SIGKILL) }

// signal signals the task of a step. One that has ended needs none.
func signal(step string, sig syscall.Signal) error {
	task, err := open(process(step))
	if errors.Is(err, errGone) {
		return nil
	}
	if err == nil {
		err = errors.Join(task.Signal(sig), task.Close())
	}
	if err != nil {
		return fmt.Errorf("cannot signal step %s: %w", step, err)
	}
	return nil
}

// LeaveNote implements scheduler.Starter: the note is a file in the temporary folder.
func (*Local) LeaveNote(_ context.Context, text string) error {
	const fresh = os.O_WRONLY | os.O_CREATE | os.O_EXCL // never through what another user planted
	f, err := os.OpenFile(noteFile(jobID(supervisor.Mark())), fresh, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("cannot leave a note: %w", err)
	}
	return nil
}

func noteFile(id string) string { return filepath.Join(os.TempDir(), "disagg-note-"+id) }

// maxNote bounds a note, in bytes.
const maxNote = 1 << 20

// note reads a note that this user left, "" if there is none.
func note(id string) string {
	f, err := os.OpenFile(noteFile(id), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != os.Geteuid() {
		return ""
	}
	data, _ := io.ReadAll(io.LimitReader(f, maxNote))
	return string(data)
}

// Reader implements scheduler.Starter.
func (*Local) Reader() scheduler.Reader { return &reader{} }

// reader keeps what an agent says that gives up.
type reader struct{ line string }

// Line implements scheduler.Reader.
func (r *reader) Line(text string) {
	if r.line == "" && protocol.GaveUp(text) {
		r.line = strings.TrimSpace(text)
	}
}

// Diagnosis implements scheduler.Reader.
func (r *reader) Diagnosis() protocol.Diagnosis {
	d := protocol.Diagnosis{Line: r.line}
	switch {
	case strings.Contains(r.line, protocol.StoppedEarly):
		d.Meaning = protocol.Asked
	case strings.Contains(r.line, protocol.NoSignOfLife):
		d.Meaning = protocol.HubSilent
	}
	return d
}

// Ranks implements scheduler.Reader.
func (*reader) Ranks() map[int][]int { return nil }

// TaskVars implements scheduler.Identifier: what MPI itself sets is known without it.
func (*Local) TaskVars() (patterns, kept []string) { return nil, nil }

// Identify implements scheduler.Identifier.
func (*Local) Identify(getenv func(string) string, _ roles.Placement) (scheduler.Identity, error) {
	text := getenv(protocol.EnvRank)
	if text == "" {
		return scheduler.Identity{}, errors.New("cannot tell which rank this is: this is not a rank of a job: " +
			"to start a role by hand, pass --config CASE in an allocation's shell")
	}
	rank, err := strconv.Atoi(text)
	if err != nil || rank < 0 {
		return scheduler.Identity{}, fmt.Errorf("cannot tell which rank this is: %s is %q: want a number",
			protocol.EnvRank, text)
	}
	return scheduler.Identity{Rank: rank, Step: stepName(supervisor.Mark())}, nil
}
