package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/batch"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler/slurm"
)

// ByHand starts one role in an allocation that somebody holds, from that person's shell.
type ByHand struct {
	Request  Request
	Role     roles.Role
	Uploader string       // path of disagg-submit
	Out      io.Writer    // gets what the role prints
	Say      func(string) // gets short lines for people
}

// Run joins the allocation's run, making it if this is the first role, and sees one role through. It returns the role's
// exit code. The end of the context asks the role to stop.
func (b ByHand) Run(ctx context.Context) (int, error) {
	s := slurm.Slurm{}
	alloc, err := s.Allocation(ctx)
	if err != nil {
		return 0, err
	}
	if b.Request.RunDir == "" {
		b.Request.RunDir = filepath.Join(alloc.WorkDir, "runs", "allocation-"+alloc.JobID)
	}
	b.Request.ByHand, b.Request.Scheduler = true, s
	if b.Request.Timeouts.Job == 0 && !alloc.Ends.IsZero() {
		b.Request.Timeouts.Job = roles.Duration(time.Until(alloc.Ends).Round(time.Second))
	}
	p, err := b.Request.join(ctx)
	if err != nil {
		return 0, err
	}
	if _, ok := p.Layout.Find(b.Role); !ok {
		return 0, fmt.Errorf("cannot start %s: the case has no such role: it has %s", b.Role, roleNames(p.Layout))
	}
	if need := p.Layout.TotalNodes; need > alloc.Nodes {
		return 0, fmt.Errorf("cannot start %s: the case needs %d nodes, the allocation %s has %d: ask for more",
			b.Role, need, alloc.JobID, alloc.Nodes)
	}
	return batch.Run(ctx, batch.Options{
		Plan: p, Attempt: firstOpen(rundir.Dir(p.RunDir)), JobID: alloc.JobID, Starter: s, Roles: []roles.Role{b.Role},
		Uploader: b.Uploader, Out: b.Out, Say: b.Say,
	})
}

func roleNames(l roles.Layout) string {
	var names []string
	for _, pl := range l.Placements {
		names = append(names, pl.Role.String())
	}
	return strings.Join(names, ", ")
}

// firstOpen is the attempt that is under way: the first without a verdict.
func firstOpen(d rundir.Dir) int {
	for n := 0; ; n++ {
		if !rundir.HasResult(d.Attempt(n)) {
			return n
		}
	}
}

// join makes the run directory, or adopts the plan that is there if this request leads to the same.
func (r Request) join(ctx context.Context) (plan.Plan, error) {
	for tries := 0; ; tries++ {
		dir, err := r.runDir("")
		if err != nil {
			return plan.Plan{}, err
		}
		first, err := rundir.ReadOwnPlan(rundir.Dir(dir).Plan())
		if err == nil {
			return r.adopt(ctx, first)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return plan.Plan{}, err
		}
		job, err := r.Make(ctx)
		if err == nil {
			err = job.Prepare()
		}
		if !errors.Is(err, rundir.ErrOccupied) || tries > 0 {
			return job.Plan, err
		}
		// Another shell was faster: its plan is there now.
	}
}

// mostNamed is how many differences between two plans are named.
const mostNamed = 3

// adopt takes the plan of the shell that was first, unless this one asks for something else. What is left of the
// allocation's time differs between any two shells, and the grace period may be found out by one and not by the other.
func (r Request) adopt(ctx context.Context, first plan.Plan) (plan.Plan, error) {
	r.Timeouts, r.grace = first.Timeouts, first.Cluster.KillWait
	own, err := r.Make(ctx)
	if err != nil {
		return plan.Plan{}, err
	}
	names := plan.Differences(first, own.Plan)
	if len(names) == 0 {
		return first, nil
	}
	more := ""
	if n := len(names); n > mostNamed {
		names, more = names[:mostNamed], fmt.Sprintf(" and %d more", n-mostNamed)
	}
	return plan.Plan{}, fmt.Errorf("cannot join the run in %s, a run of %s: this shell asks for another %s%s: "+
		"give the same options, or another --run-dir", first.RunDir, first.Case.TestID, strings.Join(names, ", "), more)
}
