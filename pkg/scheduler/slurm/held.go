package slurm

import (
	"context"

	"github.com/disagg/disagg/pkg/doctor"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/pkg/scheduler/local"
)

// HeldName is what plans and command lines call the allocation that a shell is part of.
const HeldName = "allocation"

// Held is the allocation that this shell is part of, such as one that salloc has granted. A job is a process beside the
// shell, which ends with it, and starts its steps in the allocation.
type Held struct {
	Slurm
	Jobs *local.Local // the processes
}

var (
	_ scheduler.Scheduler = Held{}
	_ scheduler.Tied      = Held{}
	_ scheduler.Enterable = Held{}
)

// InAllocation tells whether this shell is part of an allocation.
func InAllocation() bool {
	_, _, err := Slurm{}.Job()
	return err == nil
}

// Name implements scheduler.Scheduler.
func (Held) Name() string { return HeldName }

// Detached implements scheduler.Tied.
func (h Held) Detached() scheduler.Scheduler { return Held{h.Slurm, &local.Local{Detach: true}} }

// Within implements scheduler.Enterable.
func (h Held) Within(jobID string) scheduler.Scheduler {
	s, _ := h.Slurm.Within(jobID).(Slurm)
	return Held{s, h.Jobs}
}

// Script implements scheduler.Submitter.
func (h Held) Script(p plan.Plan) (string, error) { return h.Jobs.Script(p) }

// Submit implements scheduler.Submitter.
func (h Held) Submit(ctx context.Context, p plan.Plan) (scheduler.Job, error) {
	return h.Jobs.Submit(ctx, p)
}

// State implements scheduler.Submitter.
func (h Held) State(ctx context.Context, j scheduler.Job) (protocol.JobState, error) {
	return h.Jobs.State(ctx, j)
}

// History implements scheduler.Submitter.
func (h Held) History(ctx context.Context, j scheduler.Job) (protocol.JobState, error) {
	return h.Jobs.History(ctx, j)
}

// Cancel implements scheduler.Submitter: the allocation stays.
func (h Held) Cancel(ctx context.Context, j scheduler.Job) error { return h.Jobs.Cancel(ctx, j) }

// Examine implements scheduler.Examiner: the allocation has been granted.
func (h Held) Examine(ctx context.Context, p plan.Plan, quick bool) []doctor.Finding {
	return h.Jobs.Examine(ctx, p, quick)
}

// LeaveNote implements scheduler.Starter: the note is the process's, not the allocation's.
func (h Held) LeaveNote(ctx context.Context, text string) error { return h.Jobs.LeaveNote(ctx, text) }
