package launch

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/disagg/disagg/pkg/agent"
	"github.com/disagg/disagg/pkg/batch"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/pkg/shellwords"
)

// ByHand starts one role in an allocation that somebody holds, from that person's shell.
type ByHand struct {
	Request   Request
	Role      roles.Role
	All       bool   // all roles, in this shell
	Wrap      string // words that are put before the role's command, as a shell would read them
	Scheduler scheduler.Scheduler
	Uploader  string       // path of disagg-submit
	Out       io.Writer    // gets what the role prints
	Say       func(string) // gets short lines for people
	// OnEnd gets how the run ended, if that is for this terminal: why it failed, or, in the benchmark's, what was
	// measured; nil: nobody does.
	OnEnd func(report.Model, rundir.Attempt)

	starts bool   // the role is really started
	jobID  string // of the allocation
}

// Run joins the allocation's run, making it if this is the first role, and sees one role through. It returns the role's
// exit code; the benchmark's is that of the verdict, which is shown. The end of the context asks the role to stop.
func (b ByHand) Run(ctx context.Context) (int, error) {
	b.starts = true
	at, alloc, err := b.place(ctx)
	if err != nil {
		return 0, err
	}
	o := batch.Options{
		Plan: at.plan, Attempt: at.attempt, JobID: alloc.JobID, Starter: b.Scheduler, Uploader: b.Uploader,
		Out: b.Out, Say: b.Say, Wrap: b.Wrap,
	}
	if !b.All {
		o.Roles = []roles.Role{b.Role}
	}
	told := false
	if b.measures() {
		progress := report.Progress{
			Out: b.Out, Layout: at.plan.Layout, Points: len(at.plan.Case.Load.Points()), Begun: time.Now(),
			Now: time.Now, Keeps: at.plan.Policy.Keep != "",
		}
		end := sync.OnceFunc(following(rundir.Dir(at.plan.RunDir).Attempt(at.attempt), progress.Show))
		defer end()
		o.OnVerdict = func(a rundir.Attempt) {
			end()
			told = true
			b.tellEnd(at.plan, a, 0)
		}
	}
	code, err := batch.Run(ctx, o)
	if err == nil && ctx.Err() == nil && !told { // else this person knows why
		b.tellEnd(at.plan, rundir.Current(rundir.Dir(at.plan.RunDir)), endBound)
	}
	return code, err
}

// measures tells whether the benchmark is in this terminal.
func (b ByHand) measures() bool { return b.All || b.Role == roles.Hub().Role }

// place finds the run and the attempt in which the role is to be started, and the allocation.
func (b ByHand) place(ctx context.Context) (place, scheduler.Allocation, error) {
	if _, err := b.wrap(); err != nil {
		return place{}, scheduler.Allocation{}, err
	}
	alloc, err := b.Scheduler.Allocation(ctx)
	if err != nil {
		return place{}, alloc, err
	}
	if b.Request.RunDir == "" {
		root, err := b.Request.RunRoot()
		if err != nil {
			return place{}, alloc, err
		}
		if !filepath.IsAbs(root) {
			root = filepath.Join(alloc.WorkDir, root)
		}
		b.Request.RunDir = filepath.Join(root, "allocation-"+cmp.Or(alloc.JobID, b.Scheduler.Name()))
	}
	b.Request.ByHand, b.Request.Scheduler, b.jobID = true, b.Scheduler, alloc.JobID
	if b.Request.Timeouts.Job == 0 && !alloc.Ends.IsZero() {
		b.Request.Timeouts.Job = roles.Duration(time.Until(alloc.Ends).Round(time.Second))
	}
	at, err := b.join(ctx)
	if err != nil {
		return at, alloc, err
	}
	if _, ok := at.plan.Layout.Find(b.Role); !ok && !b.All {
		return at, alloc, fmt.Errorf("cannot start %s: the case has no such role: it has %s", b.Role,
			roleNames(at.plan.Layout))
	}
	if need := at.plan.Layout.TotalNodes; alloc.Nodes > 0 && need > alloc.Nodes {
		return at, alloc, fmt.Errorf("cannot start %s: the case needs %d nodes, the allocation %s has %d: ask for more",
			b.Role, need, alloc.JobID, alloc.Nodes)
	}
	return at, alloc, nil
}

// Preview is what the role would run, as far as that can be told from this shell: its first rank, with the addresses of
// other roles that are known. A run is made if there is none; nothing is started.
func (b ByHand) Preview(ctx context.Context, environ []string) (agent.Child, error) {
	at, _, err := b.place(ctx)
	if err != nil {
		return agent.Child{}, err
	}
	wrap, err := b.wrap()
	if err != nil {
		return agent.Child{}, err
	}
	return preview(at.plan, b.Role, at.attempt, wrap, environ)
}

// wrap is the words that are put before the role's command.
func (b ByHand) wrap() ([]string, error) {
	words, err := shellwords.Split(b.Wrap)
	if err != nil {
		return nil, fmt.Errorf("cannot read --wrap: %w", err)
	}
	return words, nil
}

func roleNames(l roles.Layout) string {
	var list []roles.Role
	for _, pl := range l.Placements {
		list = append(list, pl.Role)
	}
	return names(list)
}
