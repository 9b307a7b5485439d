package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/disagg/disagg/pkg/doctor"
	"github.com/disagg/disagg/pkg/logtee"
	"github.com/disagg/disagg/pkg/preflight"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
)

// visitPatience is how long a visit that was told to end, or whose output somebody holds, may still take.
const visitPatience = 10 * time.Second

// Visit has nodes examined by a small job, which runs where the job itself would, and judges what they say. The job's
// run directory is made for that, and removed. The end of the context ends the visit. What the scheduler says meanwhile
// is told, line by line.
func (j Job) Visit(ctx context.Context, nodes int, tell func(line string)) ([]doctor.Finding, error) {
	x, ok := j.Scheduler.(scheduler.Examiner)
	if !ok {
		return nil, errors.New("cannot look at nodes: this launcher has no way to do so")
	}
	if j.Plan.OneMachine {
		nodes = 1
	}
	if err := j.Prepare(); err != nil {
		return nil, err
	}
	visited := doctor.Visited{Plan: j.Plan, Asked: nodes, Here: map[string]protocol.Content{}}
	for what, path := range doctor.Contents(j.Plan) {
		visited.Here[what] = preflight.Look(path)
	}
	cmd := x.Visit(j.Plan, nodes, "examine", "--plan", rundir.Dir(j.Plan.RunDir).Plan(), "--id", j.Plan.ID,
		"--nodes", strconv.Itoa(nodes))
	v := visit{reader: j.Scheduler.Reader(), tell: tell}
	err := v.run(ctx, cmd)
	if ctx.Err() != nil {
		err = fmt.Errorf("the visit was ended: %w", context.Cause(ctx))
	}
	var faults []doctor.Finding
	visited.Nodes, faults = v.said.Nodes()
	visited.Said = v.why(err)
	if ctx.Err() == nil {
		err = nil // what it means is judged
	}
	return append(faults, visited.Judge()...), errors.Join(err, rundir.RemoveVisit(j.Plan))
}

// visit is a visit under way.
type visit struct {
	reader scheduler.Reader
	tell   func(line string)
	last   string // what was said last on the standard error
	said   doctor.Visit
}

// run runs the command of a visit to its end.
func (v *visit) run(ctx context.Context, cmd *exec.Cmd) error {
	out := logtee.NewSplitter(func(l logtee.Line) { v.said.Line(l.Text, time.Now()) })
	said := logtee.NewSplitter(func(l logtee.Line) { v.note(l.Text) })
	cmd.Stdout, cmd.Stderr = out, said
	cmd.WaitDelay = visitPatience                         // for whoever holds the output after it has ended
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C reaches this process alone, which ends the visit
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start %s: %w", cmd.Path, err)
	}
	ended := make(chan struct{})
	var end sync.WaitGroup
	end.Go(func() { endWith(ctx, cmd.Process, ended) })
	err := cmd.Wait()
	close(ended)
	end.Wait()
	out.End()
	said.End()
	return err
}

// endWith asks a process to end when the context does, and kills it if it takes too long.
func endWith(ctx context.Context, p *os.Process, ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	_ = p.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(visitPatience):
		_ = p.Kill()
	}
}

// note takes a line of the standard error.
func (v *visit) note(line string) {
	if line = strings.TrimSpace(line); line == "" {
		return
	}
	v.last = line
	v.reader.Line(line)
	v.tell(line)
}

// why is what tells most of why nodes did not answer.
func (v *visit) why(err error) string {
	if line := v.reader.Diagnosis().Line; line != "" {
		return line
	}
	if v.last != "" {
		return v.last
	}
	if other := v.said.Other(); len(other) > 0 {
		return other[len(other)-1]
	}
	if err != nil {
		return err.Error()
	}
	return ""
}
